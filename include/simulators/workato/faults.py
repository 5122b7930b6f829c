"""Errors that the API can be set to answer to its next requests, one by one."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

OK = 200


class Break(StrEnum):
    """How an answer fails to arrive whole."""

    RESET = "reset"
    CUT = "cut"
    TRUNCATED = "truncated"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to one request: the next one whose path and query `path`, an expression, is found in.

    `body` None means the real answer for 200, and for any other status the body that the service has for it. `delay`
    counts in seconds, before the answer; the request's time limit holds for it, too.
    """

    status: Annotated[int, Meta(ge=200, le=599)] = OK
    body: str | None = None
    headers: dict[str, str] = {}
    delay: Annotated[float, Meta(ge=0)] = 0.0
    breaks: Break | None = None
    path: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a path that is no regular expression."""
        try:
            re.compile(self.path)
        except re.error as problem:
            raise ValueError(f"The fault's path {self.path} is no regular expression: {problem}") from problem


def slow(seconds: float, *, path: str = "") -> Fault:
    """The real answer, but it takes its time."""
    return Fault(delay=seconds, path=path)


def throttled(*, retry_after: str | None = None, path: str = "") -> Fault:
    """429; `retry_after` is the value of that header (seconds or an HTTP date), None leaves it out."""
    return Fault(status=429, headers={} if retry_after is None else {"Retry-After": retry_after}, path=path)


def reset(*, path: str = "") -> Fault:
    """The connection is reset instead of an answer."""
    return Fault(breaks=Break.RESET, path=path)


def cut_answer(*, path: str = "") -> Fault:
    """The connection closes in the middle of the answer."""
    return Fault(breaks=Break.CUT, path=path)


def truncated(*, path: str = "") -> Fault:
    """200, whole as HTTP goes, with half of the JSON text."""
    return Fault(breaks=Break.TRUNCATED, path=path)
