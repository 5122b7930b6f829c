"""One retry loop for all HTTP clients: how often a request is tried again, and how long it waits in between."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code

log = logging.getLogger(__name__)

# A server that asks for a longer pause is left to the task's next try, which Airflow starts.
MAX_RETRY_AFTER_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The result of one attempt to send a request.

    `detail`: what happened, in words that follow the name of the client, such as `answered 500`. `code`: its code in
    the catalogue; None if nothing is wrong. `retry`: another attempt may help. `retry_after`: seconds, from the header
    Retry-After. `status`: of HTTP; None if there was no whole answer.
    """

    detail: str = ""
    code: Code | None = None
    status: int | None = None
    accepted: bool = False
    retry: bool = False
    retry_after: float | None = None

    @property
    def throttled(self) -> bool:
        return self.status == 429

    @property
    def remedy(self) -> str:
        return fix_of(self.code) if self.code else ""

    @property
    def known(self) -> str:
        """What is known of the request's effect, as a sentence; empty for requests that only read."""
        return ""

    @property
    def error(self) -> type[PermanentError]:
        """The error to raise if another attempt cannot help."""
        return PermanentError


A = TypeVar("A", bound=Attempt)


@dataclass(frozen=True)
class Retries:
    """Number of attempts, and the waits between them in seconds.

    Each wait is twice the one before, up to `longest`, less a random part of up to a half, so that clients which were
    refused together do not come back together. After a 429 the waits begin at `first_throttled`, because rate limits
    count by the minute. Retry-After can make a wait longer, never shorter; attempts end if it would be longer than
    `longest_asked`.
    """

    attempts: int
    first_throttled: float
    first: float = 1.0
    longest: float = 60.0
    longest_asked: float = MAX_RETRY_AFTER_SECONDS

    def wait(self, number: int, attempt: Attempt, jitter: float) -> float:
        """Return the seconds to wait after attempt `number` (from 1); `jitter` is a random number from 0 to 1."""
        base = self.first_throttled if attempt.throttled else self.first
        backoff = min(base * 2.0 ** (number - 1), self.longest) * (1 - jitter / 2)
        return backoff if attempt.retry_after is None else max(backoff, attempt.retry_after + jitter)


@dataclass(frozen=True)
class RetryLoop:
    """`sleep` takes seconds; `jitter` gives random numbers from 0 to 1."""

    retries: Retries
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def run(self, attempt_once: Callable[[], A], name: str) -> A:
        """Repeat an attempt until it is accepted, and return that attempt. `name` begins each message.

        Raises:
            PermanentError: another attempt cannot help.
            TransientError: none of the attempts was accepted, or the server asks for too long a pause.
        """
        allowed = self.retries.attempts
        for number in range(1, allowed + 1):
            attempt = attempt_once()
            if attempt.accepted:
                return attempt
            if not attempt.retry:
                text = _sentences(f"{name} {attempt.detail}.", attempt.remedy)
                raise attempt.error(text, code=attempt.code, detail=attempt.detail)
            wait = self.retries.wait(number, attempt, self.jitter())
            if number == allowed or wait > self.retries.longest_asked:
                break
            log.warning(
                "%s Attempt %s of %s follows in %.1f s.",
                _sentences(f"{name} {attempt.detail}.", attempt.known),
                number + 1,
                allowed,
                wait,
            )
            self.sleep(wait)
        pause = f", and asks for a pause of {wait:.0f} s" if wait > self.retries.longest_asked else ""
        text = _sentences(
            f"{name} {attempt.detail}{pause}; this was attempt {number} of {allowed}.",
            attempt.known,
            "The task's next try continues from here.",
            attempt.remedy,
        )
        raise TransientError(text, code=attempt.code, detail=attempt.detail)


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Read Retry-After, which has seconds or a date (RFC 9110, 10.2.3); None if it has neither.

    `now`: seconds since 1970.
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(parsedate_to_datetime(header).timestamp() - now, 0.0)
    except ValueError:
        return None


def _sentences(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
