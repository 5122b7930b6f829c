"""The result of one request to the API.

Documented: the statuses 200, 400, 401, 404 and 500 with `{"message": ...}`, and a time limit of 40 s. Not documented:
the body of a 429, whether it has a Retry-After, and every other status; those are treated as HTTP defines them.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import requests

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.http.failures import Cause, Failure, excerpt
from job_history.http.retry import Attempt, retry_after_seconds
from job_history.model.json_text import without_lone_surrogates
from job_history.sources.workato.endpoint import Endpoint

_RETRIED = {408, 425, 429}
_CODES = {
    400: Code.WORKATO_BAD_REQUEST,
    401: Code.WORKATO_UNAUTHORIZED,
    403: Code.WORKATO_FORBIDDEN,
    404: Code.WORKATO_NOT_FOUND,
}
_CODES_OF_FAILURES = {Cause.CERTIFICATE: Code.WORKATO_CERTIFICATE, Cause.UNUSABLE: Code.WORKATO_HOST_UNUSABLE}

Envelope = dict[str, msgspec.Raw]


class NotFoundError(PermanentError):
    """The API has no such resource (404)."""


@dataclass(frozen=True, kw_only=True)
class Answer(Attempt):
    """`envelope` is the JSON object of a 200."""

    envelope: Envelope | None = None

    @property
    def remedy(self) -> str:
        if self.throttled:
            return "Others use the same rate limit: see who, or lower requests_per_minute in the connection's extra."
        return super().remedy

    @property
    def error(self) -> type[PermanentError]:
        return NotFoundError if self.status == 404 else PermanentError


_decode = msgspec.json.Decoder(Envelope).decode


def answer_of(response: requests.Response, endpoint: Endpoint, *, now: float) -> Answer:
    """Sort an answer; `now` is in seconds since 1970."""
    status = response.status_code
    if status == 200:
        return _envelope(response.content, endpoint)
    if 300 <= status < 400:
        return Answer(detail=f"answered {status}, a redirect", code=Code.WORKATO_REDIRECT, status=status)
    shown = _shown(response.content, endpoint)
    detail = f"answered {status}" + (f" ({shown})" if shown else "")
    if status in _RETRIED or status >= 500:
        wait = retry_after_seconds(response.headers.get("Retry-After"), now)
        return Answer(detail=detail, code=Code.WORKATO_BUSY, status=status, retry=True, retry_after=wait)
    return Answer(detail=detail, code=_CODES.get(status, Code.WORKATO_REFUSED), status=status)


def failed_answer(failure: Failure) -> Answer:
    """Sort a request that got no whole answer."""
    code = _CODES_OF_FAILURES.get(failure.cause, Code.WORKATO_UNREACHABLE)
    return Answer(detail=failure.detail, code=code, retry=failure.retry)


def _envelope(content: bytes, endpoint: Endpoint) -> Answer:
    try:
        return Answer(envelope=_decoded(content), accepted=True, status=200)
    except RecursionError:
        detail = f"answered 200 with JSON that is nested too deeply ({len(content):,} bytes)"
        return Answer(detail=detail, code=Code.WORKATO_UNDOCUMENTED, status=200)
    except msgspec.DecodeError as fault:
        # An answer that was cut short, or a proxy's page: both may be gone the next time. The first is not quoted,
        # because it has jobs, which no rule of redaction has seen.
        problem = "cut short" if "truncated" in str(fault) else "no valid JSON"
        is_json = content.lstrip()[:1] in {b"{", b"["}
        shown = f"{len(content):,} bytes, {problem}" if is_json else _shown(content, endpoint)
        detail = f"answered 200 with no whole JSON object ({shown})"
        return Answer(detail=detail, code=Code.WORKATO_UNREACHABLE, status=200, retry=True)


def _decoded(content: bytes) -> Envelope:
    try:
        return _decode(content)
    except msgspec.DecodeError:
        # A title that was cut within an emoji has half a surrogate pair, which JSON allows (RFC 8259, 8.2).
        replaced = without_lone_surrogates(content)
        if replaced == content:
            raise
        return _decode(replaced)


def _shown(content: bytes, endpoint: Endpoint) -> str:
    """Return the documented `message` of an answer, or else the beginning of its text."""
    text = content.decode(errors="replace")
    try:
        decoded = msgspec.json.decode(content)
        text = str(decoded["message"]) if isinstance(decoded, dict) and "message" in decoded else text
    except (msgspec.DecodeError, RecursionError):
        pass
    return excerpt(text, endpoint.without_secrets)
