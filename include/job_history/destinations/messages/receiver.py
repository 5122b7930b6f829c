"""A client of a receiver of messages by HTTP POST: one connection, one request in flight, no secret in a message."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
import requests

from job_history.destinations.messages.answers import Answers, AnySuccess
from job_history.destinations.messages.attempts import Attempt, Codes
from job_history.errors.code import Code
from job_history.errors.masking import mask_secrets
from job_history.http.failures import REQUEST_ERRORS, Cause, excerpt, failure_of
from job_history.http.retry import Retries, RetryLoop
from job_history.http.session import http_session

CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
# At most 123 s of waits, or 360 s if each attempt is throttled.
RETRIES = Retries(attempts=8, first_throttled=20.0)
SIGNATURE_HEADER = "X-Job-History-Signature"
IDEMPOTENCY_HEADER = "Idempotency-Key"

CODES = Codes(
    of_status={
        400: Code.RECEIVER_BAD_REQUEST,
        401: Code.RECEIVER_UNAUTHORIZED,
        403: Code.RECEIVER_UNAUTHORIZED,
        404: Code.RECEIVER_NOT_FOUND,
        413: Code.RECEIVER_TOO_LARGE,
        429: Code.RECEIVER_THROTTLED,
    },
    of_failure={
        Cause.CERTIFICATE: Code.RECEIVER_CERTIFICATE,
        Cause.NO_ADDRESS: Code.RECEIVER_NO_ADDRESS,
        Cause.NO_CONNECTION: Code.RECEIVER_UNREACHABLE,
        Cause.NO_ANSWER: Code.RECEIVER_NO_ANSWER,
        Cause.UNUSABLE: Code.RECEIVER_URL_UNUSABLE,
    },
    busy=Code.RECEIVER_BUSY,
    refused=Code.RECEIVER_REFUSED,
    refused_for_now=frozenset({425, 429, 503}),
)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where requests go, what each carries, and which answers acknowledge it.

    `type` and `settings` describe the destination in receipts. `headers` may hold secrets; `secrets` are masked in what
    the receiver answers. With `idempotent` each request has the header Idempotency-Key, which ends with `key_suffix`;
    with `signing_key` one with the HMAC-SHA-256 of its body as it is sent. `verify`: the certificate authorities to
    trust, as in `http_session`.
    """

    name: str
    type: str
    url: str
    conn_id: str
    headers: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    compressed: bool = True
    idempotent: bool = False
    key_suffix: str = ""
    signing_key: str = field(default="", repr=False)
    verify: object = None
    answers: Answers = field(default_factory=AnySuccess)

    @property
    def target(self) -> str:
        """Name where, by which connection and under which settings, documents go: the same for the same.

        Nothing of it depends on a secret: a new token is no new place, and receipts must not help to guess one.
        """
        place = msgspec.json.encode([self.url, self.conn_id, dict(self.settings)], order="deterministic")
        return hashlib.sha256(place).hexdigest()[:16]

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""


class HttpReceiver:
    """Posts requests to an address. `unknown_outcomes` counts attempts that may or may not have been stored."""

    def __init__(
        self,
        address: Address,
        session: requests.Session,
        *,
        retries: Retries = RETRIES,
        timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`timeout`: for connecting and for the answer, in seconds."""
        self.address = address
        self.unknown_outcomes = 0
        self._session = session
        self._loop = RetryLoop(retries, sleep, jitter)
        self._timeout = timeout
        self._clock = clock

    @classmethod
    def at(cls, address: Address) -> Self:
        """Return a client with a connection of its own. Raises PermanentError if the authorities cannot be used."""
        return cls(address, http_session(verify=address.verify))

    def send(self, body: bytes, key: str) -> None:
        """Post one request until the receiver acknowledges it. `body`: compressed with gzip; `key`: of this request.

        Raises PermanentError if another attempt cannot help, TransientError if none of several succeeded.
        """
        self._loop.run(lambda: self._counted(self.send_once(body, key)), self.address.name)

    def send_once(self, body: bytes, key: str) -> Attempt:
        """Post one request without a retry; raises nothing."""
        sent = body if self.address.compressed else gzip.decompress(body)
        headers = {"Content-Type": "application/json", **self.address.headers}
        if self.address.compressed:
            headers["Content-Encoding"] = "gzip"
        if self.address.idempotent:
            headers[IDEMPOTENCY_HEADER] = key + self.address.key_suffix
        if self.address.signing_key:
            signature = hmac.new(self.address.signing_key.encode(), sent, hashlib.sha256).hexdigest()
            headers[SIGNATURE_HEADER] = f"sha256={signature}"
        try:
            response = self._session.post(self.address.url, data=sent, headers=headers, timeout=self._timeout)
        except REQUEST_ERRORS as error:
            # The loop raises an error of its own: one raised here would carry this one, and its words, along.
            return CODES.failed(failure_of(error, self.address.host))
        return self._sorted(response)

    def description(self) -> dict[str, Any]:
        parts = urlsplit(self.address.url)
        endpoint = f"{parts.scheme}://{parts.netloc}{parts.path}"
        return {
            "type": self.address.type,
            "endpoint": endpoint,
            **self.address.settings,
            "target": self.address.target,
        }

    def _sorted(self, response: requests.Response) -> Attempt:
        """Sort an answer by its status and the beginning of its body."""
        status, answer, answers = response.status_code, response.content, self.address.answers
        if 300 <= status < 400:
            return Attempt(detail=f"answered {status}, a redirect", code=Code.RECEIVER_REDIRECT, status=status)
        words = excerpt(answer.decode(errors="replace"), lambda text: mask_secrets(text, self.address.secrets))
        if not 200 <= status < 300:
            attempt = CODES.refusal(response, words, now=self._clock())
            return replace(attempt, unknown=attempt.unknown or answers.may_hold_a_part(status, answer))
        detail = f"answered {status}"
        if answers.acknowledges(status, answer):
            return Attempt(detail=detail, status=status, accepted=True)
        detail += f" ({words})" if words else " with no body"
        return Attempt(detail=detail, code=Code.RECEIVER_NOT_ACKNOWLEDGED, status=status, unknown=True)

    def _counted(self, attempt: Attempt) -> Attempt:
        self.unknown_outcomes += attempt.unknown
        return attempt
