"""What one request came to, and what that asks for.

Documented: the statuses 200, 400, 401, 404 and 500 with `{"message": ...}`, and a time limit of 40 s. Not documented: the
body of a 429, whether it has a Retry-After, and every other status; those are judged as HTTP says.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

import msgspec
import requests

from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.http.session import seconds_of
from job_history.sources.workato.endpoint import Endpoint

_MAX_SHOWN = 300
_RETRIED = {408, 425, 429}
_CODES = {
    400: Code.WORKATO_BAD_REQUEST,
    401: Code.WORKATO_UNAUTHORIZED,
    403: Code.WORKATO_FORBIDDEN,
    404: Code.WORKATO_NOT_FOUND,
}

Envelope = dict[str, msgspec.Raw]


@dataclass(frozen=True)
class Answer:
    """`envelope` is the JSON object of a 200; else `said` is what happened, in words that follow "the API".

    `code` is what a preflight calls it.
    """

    detail: str = ""
    code: Code | None = None
    envelope: Envelope | None = None
    status: int | None = None
    retry: bool = False
    retry_after: float | None = None

    @property
    def remedy(self) -> str:
        return fix_of(self.code) if self.code else ""

    @property
    def throttled(self) -> bool:
        return self.status == 429


_decode = msgspec.json.Decoder(Envelope).decode


def answered(response: requests.Response, endpoint: Endpoint, *, now: float) -> Answer:
    """Judge an answer; `now` is in seconds since 1970."""
    status = response.status_code
    if status == 200:
        return _whole(response.content, endpoint)
    if 300 <= status < 400:
        return Answer(f"answered {status}, a redirect", Code.WORKATO_REDIRECT, status=status)
    shown = _shown(response.content, endpoint)
    detail = f"answered {status}" + (f" ({shown})" if shown else "")
    if status in _RETRIED or status >= 500:
        wait = seconds_of(response.headers.get("Retry-After"), now)
        return Answer(detail, Code.WORKATO_BUSY, status=status, retry=True, retry_after=wait)
    return Answer(detail, _CODES.get(status, Code.WORKATO_REFUSED), status=status)


def _whole(content: bytes, endpoint: Endpoint) -> Answer:
    try:
        return Answer(envelope=_decode(content), status=200)
    except (msgspec.DecodeError, RecursionError):
        # An answer that was cut short, or a proxy's page: both may be gone the next time. Of the first nothing is told,
        # because jobs are in it, and no rule of redaction has seen them.
        cut_short = content.lstrip()[:1] in {b"{", b"["}
        shown = f"{len(content):,} bytes, cut short" if cut_short else _shown(content, endpoint)
        detail = f"answered 200 with what is no whole JSON object ({shown})"
        return Answer(detail, Code.WORKATO_UNREACHABLE, status=200, retry=True)


def broken(fault: Exception, endpoint: Endpoint) -> Answer:
    """Judge a request that got no whole answer. Nothing of the fault's own words is used."""
    host = endpoint.base_url
    if _is_caused_by(fault, ssl.SSLCertVerificationError):
        return Answer("could not be trusted: its TLS certificate does not verify", Code.WORKATO_CERTIFICATE)
    if isinstance(fault, requests.ConnectTimeout):
        detail = f"could not be reached in time at {host}"
    elif isinstance(fault, requests.Timeout):
        detail = "did not answer in time"
    elif isinstance(fault, requests.ConnectionError | requests.exceptions.ChunkedEncodingError | OSError):
        detail = f"could not be reached, or broke the connection ({host})"
    else:
        return Answer(f"could not be asked ({type(fault).__name__})", Code.WORKATO_HOST_UNUSABLE)
    return Answer(detail, Code.WORKATO_UNREACHABLE, retry=True)


def _is_caused_by(fault: BaseException, kind: type[BaseException]) -> bool:
    """Go down to what the HTTP client's exceptions are made of; they hold each other in several ways."""
    to_see: list[Any] = [fault]
    seen: set[int] = set()
    while to_see:
        cause = to_see.pop()
        if isinstance(cause, kind):
            return True
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            to_see += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
    return False


def _shown(content: bytes, endpoint: Endpoint) -> str:
    """The beginning of an answer, on one line: the documented `message`, or else its text."""
    text = content.decode(errors="replace")
    try:
        reported = msgspec.json.decode(content)
        text = str(reported["message"]) if isinstance(reported, dict) and "message" in reported else text
    except (msgspec.DecodeError, RecursionError):
        pass
    text = endpoint.without_secrets(text)
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
