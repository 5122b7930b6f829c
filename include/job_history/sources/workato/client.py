"""A client of the Developer API: reads only, one request at a time, each within the budget."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import requests

from job_history.errors import PermanentError, TransientError
from job_history.sources.workato.answers import Answer, Envelope, answered, broken
from job_history.sources.workato.endpoint import Endpoint
from job_history.sources.workato.rate_limiter import RateLimiter

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
# The platform gives up on a request after 40 s; a little longer, so that its own answer is the one that is heard.
READ_SECONDS = 45.0
MAX_RETRY_AFTER_SECONDS = 300.0


class NotFoundError(PermanentError):
    """The API knows no such thing (404)."""


@dataclass(frozen=True)
class Retries:
    """How often and how slowly a request is tried again; seconds.

    Each wait is twice the one before, up to `longest`, and then cut by a random part of up to a half. After a 429 without
    Retry-After the waits begin longer, because quotas count by the minute.
    """

    attempts: int = 6
    first: float = 1.0
    first_throttled: float = 15.0
    longest: float = 60.0

    def wait(self, number: int, answer: Answer, share: float) -> float:
        """Return how long to wait behind attempt `number` (from 1); `share` is a random number from 0 to 1."""
        if answer.retry_after is not None:
            return answer.retry_after + share
        base = self.first_throttled if answer.throttled else self.first
        return min(base * 2.0 ** (number - 1), self.longest) * (1 - share / 2)


class WorkatoClient:
    """Reads one workspace: the token's own, or with `managed_user_id` that of an embedded partner's customer."""

    def __init__(
        self,
        endpoint: Endpoint,
        session: requests.Session,
        budget: RateLimiter,
        *,
        managed_user_id: str | None = None,
        retries: Retries = Retries(),
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        share: Callable[[], float] = random.random,
    ) -> None:
        """`managed_user_id`: the customer's id, or `E` and its external id. `timeout`: to connect and to answer."""
        self.endpoint = endpoint
        self.budget = budget
        self._workspace = f"managed_users/{quote(managed_user_id, safe='')}/" if managed_user_id is not None else ""
        self._session = session
        self._retries = retries
        self._timeout = timeout
        self._sleep = sleep
        self._clock = clock
        self._share = share

    @property
    def is_embedded(self) -> bool:
        """It reads a customer of a partner, not the token's own workspace."""
        return bool(self._workspace)

    def me(self) -> Envelope:
        """Ask for the token's own workspace. Raises as `get`."""
        return self._get("users/me", {})

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Envelope:
        """Read a path below the workspace's own, such as `recipes`, until the API answers it.

        Raises NotFoundError or another PermanentError where another attempt cannot help, TransientError where none of
        several succeeded.
        """
        return self._get(self._workspace + path, parameters or {})

    def __str__(self) -> str:
        return f"The API at {self.endpoint.base_url}"

    def _get(self, path: str, parameters: Mapping[str, str | int]) -> Envelope:
        asked = f"{self}, asked for {path},"
        for number in range(1, self._retries.attempts + 1):
            answer = self._attempt(path, parameters)
            if answer.envelope is not None:
                return answer.envelope
            if not answer.retry:
                kind = NotFoundError if answer.status == 404 else PermanentError
                raise kind(f"{asked} {answer.detail}. {answer.remedy}", code=answer.code, detail=answer.detail)
            wait = self._retries.wait(number, answer, self._share())
            if number == self._retries.attempts or wait > MAX_RETRY_AFTER_SECONDS:
                break
            log.warning(
                "%s %s. Attempt %s of %s follows in %.1f s.",
                asked,
                answer.detail,
                number + 1,
                self._retries.attempts,
                wait,
            )
            self._sleep(wait)
        silence = f", and asks for {wait:.0f} s of silence" if wait > MAX_RETRY_AFTER_SECONDS else ""
        raise TransientError(
            f"{asked} {answer.detail}{silence}; this was attempt {number} of {self._retries.attempts}. The task's next try "
            "goes on from here. "
            + (
                "Others use the same quota: see who, or lower requests_per_minute in the connection's extra."
                if answer.throttled
                else answer.remedy
            ),
            code=answer.code,
            detail=answer.detail,
        )

    def _attempt(self, path: str, parameters: Mapping[str, str | int]) -> Answer:
        self.budget.take()
        try:
            response = self._session.get(
                self.endpoint.url(path),
                params=dict(parameters),
                auth=self.endpoint.auth,
                headers={"Accept": "application/json"},
                timeout=self._timeout,
                allow_redirects=False,
            )
        except (requests.RequestException, OSError, ValueError) as fault:
            # Judged here, raised elsewhere: an error raised here would carry this one, and its request, along.
            return broken(fault, self.endpoint)
        return answered(response, self.endpoint, now=self._clock())
