"""A client of one HTTP source: one connection, one request in flight, retries that never give the URL away.

The retries are our own because urllib3's write the URL, which is a credential, into the log.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

from job_history.destinations.sumo_logic.attempts import Attempt, answered, broken
from job_history.destinations.sumo_logic.endpoint import Endpoint
from job_history.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

CLIENT = "airflow-job-history-replication"
CONNECT_SECONDS = 10.0
# The source gives up on a request after 30 s and says so (408); whoever stops listening before that sends too often.
READ_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 300.0


@dataclass(frozen=True)
class Retries:
    """How often and how slowly a request is tried again; seconds.

    Each wait is twice the one before, up to `longest`, and then cut by a random part of up to a half, so that clients
    which were refused together do not come back together.
    """

    attempts: int = 8
    first: float = 1.0
    first_throttled: float = 20.0
    longest: float = 60.0

    def wait(self, number: int, attempt: Attempt, share: float) -> float:
        """Return how long to wait behind attempt `number` (from 1); `share` is a random number from 0 to 1."""
        base = self.first_throttled if attempt.throttled else self.first
        wait = min(base * 2.0 ** (number - 1), self.longest) * (1 - share / 2)
        return max(wait, attempt.retry_after or 0.0)


class HttpSource:
    """Sends requests to an HTTP source; `unknown_outcomes` counts attempts of which nobody can say what was stored."""

    def __init__(
        self,
        endpoint: Endpoint,
        session: requests.Session,
        *,
        headers: Mapping[str, str] | None = None,
        retries: Retries = Retries(),
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        share: Callable[[], float] = random.random,
    ) -> None:
        """`headers` are those of every message; `timeout` is for connecting and for the answer, in seconds."""
        self.endpoint = endpoint
        self.headers = dict(headers or {})
        self.unknown_outcomes = 0
        self._session = session
        self._retries = retries
        self._timeout = timeout
        self._sleep = sleep
        self._clock = clock
        self._share = share

    def send(self, body: bytes) -> None:
        """Post one request, gzip-compressed, until the source acknowledges it.

        Raises PermanentError where another attempt cannot help, TransientError where none of several succeeded.
        """
        for number in range(1, self._retries.attempts + 1):
            attempt = self._attempt(body)
            self.unknown_outcomes += attempt.unknown
            if attempt.accepted:
                if attempt.warning:
                    log.warning("%s took a request, but says: %s", self, attempt.warning)
                return
            if not attempt.retry:
                raise PermanentError(f"{self} {attempt.detail}. {attempt.remedy}")
            wait = self._retries.wait(number, attempt, self._share())
            if number == self._retries.attempts or wait > MAX_RETRY_AFTER_SECONDS:
                break
            log.warning(
                "%s %s. %s Attempt %s of %s follows in %.1f s.",
                self,
                attempt.detail,
                _what_is_known(attempt),
                number + 1,
                self._retries.attempts,
                wait,
            )
            self._sleep(wait)
        asked = f", and asks for {wait:.0f} s of silence" if wait > MAX_RETRY_AFTER_SECONDS else ""
        raise TransientError(
            f"{self} {attempt.detail}{asked}; this was attempt {number} of {self._retries.attempts}. "
            f"{_what_is_known(attempt)} The task's next try goes on from this request. " + attempt.remedy
        )

    def send_once(self, body: bytes) -> Attempt:
        """Post one request, gzip-compressed, with no retry, and return what it came to; raises nothing."""
        return self._attempt(body)

    def __str__(self) -> str:
        return f"The Sumo Logic source {self.endpoint.shown}"

    def _attempt(self, body: bytes) -> Attempt:
        headers: dict[str, Any] = {**self.headers, "X-Sumo-Client": CLIENT, "Content-Encoding": "gzip"}
        if self.endpoint.token is not None:
            headers["x-sumo-token"] = self.endpoint.token
        try:
            with self.endpoint.hidden_in_logs():
                response = self._session.post(
                    self.endpoint.url,
                    data=body,
                    headers=headers,
                    timeout=self._timeout,
                    allow_redirects=False,
                )
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
            # Judged here, raised elsewhere: an error raised here would carry this one, and the URL in it, along.
            return broken(fault, self.endpoint)
        return answered(response, self.endpoint, now=self._clock())


def _what_is_known(attempt: Attempt) -> str:
    if attempt.unknown:
        return "Whether it stored the request, or a part, is not known; the same is sent again, under the same delivery_id."
    return "It stored nothing of the request."
