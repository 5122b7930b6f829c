"""A client of one HTTP source: one connection, one request in flight, and no message that shows the URL."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests

from job_history.destinations.messages.attempts import Attempt
from job_history.destinations.sumo_logic.attempts import CODES, attempt_of
from job_history.destinations.sumo_logic.endpoint import Endpoint, target_of
from job_history.http.failures import REQUEST_ERRORS, failure_of
from job_history.http.retry import Retries, RetryLoop

log = logging.getLogger(__name__)

CLIENT = "airflow-job-history-replication"
CONNECT_SECONDS = 10.0
# The source gives up on a request after 30 s and answers 408; a client that stops waiting earlier sends too often.
READ_SECONDS = 60.0
# At most 123 s of waits, or 360 s if each attempt is throttled.
RETRIES = Retries(attempts=8, first_throttled=20.0)


class HttpSource:
    """Sends requests to an HTTP source. `unknown_outcomes` counts attempts that may or may not have been stored."""

    def __init__(
        self,
        endpoint: Endpoint,
        session: requests.Session,
        *,
        headers: Mapping[str, str] | None = None,
        retries: Retries = RETRIES,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`headers` are sent with every request; `timeout` is for connecting and for the answer, in seconds."""
        self.endpoint = endpoint
        self.headers = dict(headers or {})
        self.unknown_outcomes = 0
        self._session = session
        self._loop = RetryLoop(retries, sleep, jitter)
        self._timeout = timeout
        self._clock = clock

    def send(self, body: bytes, key: str = "") -> None:  # noqa: ARG002 - a source has no use for it
        """Post one request, gzip-compressed, until the source acknowledges it.

        Raises:
            PermanentError: another attempt cannot help.
            TransientError: none of several attempts succeeded.
        """
        attempt = self._loop.run(lambda: self._counted(self.send_once(body)), str(self))
        if attempt.warning:
            log.warning("%s accepted a request with a warning: %s", self, attempt.warning)

    def send_once(self, body: bytes) -> Attempt:
        """Post one request, gzip-compressed, without a retry; raises nothing."""
        headers = {**self.headers, **self.endpoint.headers, "X-Sumo-Client": CLIENT, "Content-Encoding": "gzip"}
        try:
            with self.endpoint.masked_in_logs():
                response = self._session.post(self.endpoint.url, data=body, headers=headers, timeout=self._timeout)
        except REQUEST_ERRORS as error:
            # The loop raises an error of its own: one raised here would carry this one, and the URL in it, along.
            return CODES.failed(failure_of(error, self.endpoint.host))
        return attempt_of(response, self.endpoint, now=self._clock())

    def description(self) -> dict[str, Any]:
        target = target_of(self.endpoint, self.headers)
        return {"type": "sumo_logic", "endpoint": self.endpoint.shown, **self.headers, "target": target}

    def __str__(self) -> str:
        return f"The Sumo Logic source {self.endpoint.shown}"

    def _counted(self, attempt: Attempt) -> Attempt:
        self.unknown_outcomes += attempt.unknown
        return attempt
