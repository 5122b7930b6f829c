"""Why a request got no whole answer, and the part of an answer that a message may quote."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum, auto

import requests
import urllib3

from job_history.errors.masking import Masker

_MAX_QUOTED = 300

# What `Session.send` can raise. urllib3's own errors pass through `requests` in places.
REQUEST_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError)


class Cause(Enum):
    """The kinds of failure that clients distinguish."""

    CERTIFICATE = auto()
    NO_ADDRESS = auto()
    NO_CONNECTION = auto()
    NO_ANSWER = auto()
    UNUSABLE = auto()


@dataclass(frozen=True)
class Failure:
    """`detail`: in words that follow the client's name.

    `may_have_arrived`: the server may have received the request.
    """

    cause: Cause
    detail: str
    may_have_arrived: bool = False

    @property
    def retry(self) -> bool:
        return self.cause not in {Cause.CERTIFICATE, Cause.UNUSABLE}


# The first line that fits counts.
_FAILURES: tuple[tuple[tuple[type[BaseException], ...], Failure], ...] = (
    (
        (ssl.SSLCertVerificationError,),
        Failure(Cause.CERTIFICATE, "could not be trusted: its TLS certificate does not verify"),
    ),
    (
        (urllib3.exceptions.ProxyError,),
        Failure(Cause.NO_CONNECTION, "could not be reached: the proxy refused, or could not be reached"),
    ),
    ((socket.gaierror,), Failure(Cause.NO_ADDRESS, "could not be reached: no address is known for {host} (DNS)")),
    (
        (ssl.SSLError,),
        Failure(Cause.NO_CONNECTION, "could not be reached, or broke the connection: an error of TLS", True),
    ),
    ((requests.ConnectTimeout,), Failure(Cause.NO_CONNECTION, "could not be reached: no connection in time")),
    ((urllib3.exceptions.NewConnectionError,), Failure(Cause.NO_CONNECTION, "could not be reached: no connection")),
    ((requests.Timeout,), Failure(Cause.NO_ANSWER, "did not answer in time", True)),
    (
        (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError),
        Failure(Cause.NO_ANSWER, "broke the connection before its answer was whole", True),
    ),
)


def failure_of(error: Exception, host: str) -> Failure:
    """Sort one of `REQUEST_ERRORS`. The error's own words are not used: they hold the URL."""
    if isinstance(error, requests.exceptions.InvalidProxyURL):
        return Failure(Cause.UNUSABLE, "could not be sent a request: the proxy's URL is not valid")
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return Failure(Cause.UNUSABLE, "could not be sent a request: its proxy needs the package `requests[socks]`")
    causes = list(_causes(error))
    for kinds, failure in _FAILURES:
        if any(isinstance(cause, kinds) for cause in causes):
            return replace(failure, detail=failure.detail.format(host=host))
    return Failure(Cause.UNUSABLE, f"could not be sent a request ({type(error).__name__})")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that it was caused by; the HTTP libraries hold causes in several ways."""
    pending: list[object] = [error]
    seen: set[int] = set()
    while pending:
        cause = pending.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        pending += [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]


def excerpt(text: str, mask: Masker) -> str:
    """Return the beginning of an answer's text on one line, without secrets."""
    printable = "".join(character if character.isprintable() else " " for character in mask(text))
    line = " ".join(printable.split())
    return line if len(line) <= _MAX_QUOTED else line[:_MAX_QUOTED] + "..."
