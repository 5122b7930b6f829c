"""A client of the Developer API: it only reads, one request at a time, each within the rate limit."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import requests

from job_history.http.failures import REQUEST_ERRORS, failure_of
from job_history.http.retry import Retries, RetryLoop
from job_history.sources.workato.answers import Answer, Envelope, NotFoundError, answer_of, failed_answer
from job_history.sources.workato.endpoint import Endpoint
from job_history.sources.workato.rate_limiter import RateLimiter

__all__ = ["RETRIES", "NotFoundError", "WorkatoClient"]

CONNECT_SECONDS = 10.0
# The platform gives up on a request after 40 s; a little longer, so that its own answer is received.
READ_SECONDS = 45.0
# At most 31 s of waits, or 225 s if each attempt is throttled.
RETRIES = Retries(attempts=6, first_throttled=15.0)


class WorkatoClient:
    """Reads one workspace: the token's own, or with `managed_user_id` that of an embedded partner's customer."""

    def __init__(
        self,
        endpoint: Endpoint,
        session: requests.Session,
        rate_limiter: RateLimiter,
        *,
        managed_user_id: str | None = None,
        retries: Retries = RETRIES,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`managed_user_id`: the customer's id, or `E` and its external id.

        `timeout`: to connect and to answer, seconds.
        """
        self.endpoint = endpoint
        self.rate_limiter = rate_limiter
        self.managed_user_id = managed_user_id
        self._workspace = f"managed_users/{quote(managed_user_id, safe='')}/" if managed_user_id is not None else ""
        self._session = session
        self._loop = RetryLoop(retries, sleep, jitter)
        self._timeout = timeout
        self._clock = clock
        self.server_time: datetime | None = None
        """The `Date` of the latest answer; None: it had none, or none that can be read."""

    @property
    def is_embedded(self) -> bool:
        """It reads a customer of a partner, not the token's own workspace."""
        return bool(self._workspace)

    def me(self) -> Envelope:
        """Return the token's own workspace. Raises as `get`."""
        return self._get("users/me", {})

    def customer(self) -> Envelope:
        """Return the partner's customer whose workspace is read. Raises as `get`."""
        return self._get(self._workspace.rstrip("/"), {})

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Envelope:
        """Read a path below the workspace's own, such as `recipes`.

        Raises:
            NotFoundError: the API has no such resource.
            PermanentError: another attempt cannot help.
            TransientError: none of several attempts succeeded.
        """
        return self._get(self._workspace + path, parameters or {})

    def __str__(self) -> str:
        return f"The API at {self.endpoint.base_url}"

    def _get(self, path: str, parameters: Mapping[str, str | int]) -> Envelope:
        answer = self._loop.run(lambda: self._attempt(path, parameters), f"{self}, asked for {path},")
        return answer.envelope or {}

    def _attempt(self, path: str, parameters: Mapping[str, str | int]) -> Answer:
        self.rate_limiter.take()
        try:
            response = self._session.get(
                self.endpoint.url(path),
                params=dict(parameters),
                headers=self.endpoint.headers,
                timeout=self._timeout,
            )
        except REQUEST_ERRORS as error:
            # The loop raises an error of its own: one raised here would carry this one, and its request, along.
            return failed_answer(failure_of(error, self.endpoint.base_url))
        self.server_time = _date_of(response)
        return answer_of(response, self.endpoint, now=self._clock())


def _date_of(response: requests.Response) -> datetime | None:
    try:
        moment = parsedate_to_datetime(response.headers.get("Date", ""))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
