"""What one attempt to send a request came to, and what that asks for.

Sources: Sumo Logic's page "Troubleshooting HTTP sources" for 401, 408, 429, 503 and 504; where it is silent (400, 403,
404, 413, 425, 500, 502), what senders of other makers do.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import requests
import urllib3

from job_history.destinations.sumo_logic.endpoint import Endpoint
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.http.session import seconds_of

_MAX_SHOWN = 300
_CODES = {
    400: Code.SUMO_LOGIC_BAD_REQUEST,
    401: Code.SUMO_LOGIC_UNAUTHORIZED,
    403: Code.SUMO_LOGIC_FORBIDDEN,
    404: Code.SUMO_LOGIC_NOT_FOUND,
    413: Code.SUMO_LOGIC_TOO_LARGE,
    429: Code.SUMO_LOGIC_THROTTLED,
}
_REJECTED_FOR_NOW = {425, 429, 503, 504}
_RETRIED = {408, *_REJECTED_FOR_NOW}


@dataclass(frozen=True)
class Attempt:
    """`accepted`: a 200 or 204. `unknown`: nobody can say whether (a part of) the request was stored.

    `detail` is what happened, in words that follow "the source"; `code` is what a preflight calls it, None where nothing is
    wrong; `retry_after` is in seconds.
    """

    detail: str
    code: Code | None = None
    accepted: bool = False
    retry: bool = False
    unknown: bool = False
    throttled: bool = False
    warning: str = ""
    retry_after: float | None = None

    @property
    def remedy(self) -> str:
        return fix_of(self.code) if self.code else ""


# By what an attempt without a whole answer was caused by; the first line that fits counts.
_BROKEN: tuple[tuple[tuple[type[BaseException], ...], Attempt], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        Attempt("could not be trusted: its TLS certificate does not verify", Code.SUMO_LOGIC_CERTIFICATE),
    ),
    (
        (socket.gaierror,),
        Attempt("could not be reached: no address is known for {host} (DNS)", Code.SUMO_LOGIC_NO_ADDRESS, retry=True),
    ),
    (
        (ssl.SSLError,),
        Attempt(
            "could not be reached, or broke off: a fault of TLS", Code.SUMO_LOGIC_UNREACHABLE, retry=True, unknown=True
        ),
    ),
    (
        (requests.ConnectTimeout,),
        Attempt("could not be reached: no connection in time", Code.SUMO_LOGIC_UNREACHABLE, retry=True),
    ),
    (
        (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ProxyError),
        Attempt("could not be reached: no connection", Code.SUMO_LOGIC_UNREACHABLE, retry=True),
    ),
    (
        (requests.Timeout,),
        Attempt("did not answer in time", Code.SUMO_LOGIC_NO_ANSWER, retry=True, unknown=True),
    ),
    (
        (requests.ConnectionError, requests.exceptions.ChunkedEncodingError),
        Attempt(
            "broke the connection before its answer was whole", Code.SUMO_LOGIC_NO_ANSWER, retry=True, unknown=True
        ),
    ),
)


def answered(response: requests.Response, endpoint: Endpoint, *, now: float) -> Attempt:
    """Judge an answer; `now` is in seconds since 1970."""
    status = response.status_code
    body = _shown(response, endpoint)
    if status in {200, 204}:
        return Attempt(f"answered {status}", Code.SUMO_LOGIC_WARNED if body else None, accepted=True, warning=body)
    if 300 <= status < 400:
        return Attempt(_redirect(response), Code.SUMO_LOGIC_REDIRECT)
    detail = f"answered {status}" + (f" ({body})" if body else "")
    if status in _RETRIED or status >= 500:
        return Attempt(
            detail,
            _CODES.get(status, Code.SUMO_LOGIC_BUSY),
            retry=True,
            unknown=status not in _REJECTED_FOR_NOW,
            throttled=status == 429,
            retry_after=seconds_of(response.headers.get("Retry-After"), now),
        )
    return Attempt(detail, _CODES.get(status, Code.SUMO_LOGIC_REFUSED))


def broken(fault: Exception, endpoint: Endpoint) -> Attempt:
    """Judge an attempt that got no whole answer. Of the fault's own words, which hold the URL, none is used."""
    causes = list(_causes(fault))
    for kinds, attempt in _BROKEN:
        if any(isinstance(cause, kinds) for cause in causes):
            return replace(attempt, detail=attempt.detail.format(host=endpoint.host))
    return Attempt(f"could not be asked ({type(fault).__name__})", Code.SUMO_LOGIC_URL_UNUSABLE)


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """Go down to what the HTTP client's exceptions are made of; they hold each other in several ways."""
    to_see: list[object] = [fault]
    seen: set[int] = set()
    while to_see:
        cause = to_see.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        to_see += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def _shown(response: requests.Response, endpoint: Endpoint) -> str:
    """The beginning of an answer's text, on one line."""
    text = endpoint.without_secrets(response.content.decode(errors="replace"))
    text = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."


def _redirect(response: requests.Response) -> str:
    # The path of the other place may well be the secret one.
    try:
        place = urlsplit(response.headers.get("Location", "")).hostname
    except ValueError:
        place = None
    return f"answered {response.status_code}, a redirect" + (f" to {place}" if place else "")
