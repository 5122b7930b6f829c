"""Errors that the API can be set to answer to its next requests, one by one."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
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


class Script:
    """The faults of the next requests, in order; after the last one, requests succeed again."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def extend(self, faults: Sequence[Fault | int]) -> None:
        """Append faults; a bare number stands for its HTTP status. Raises ValueError for one that makes no sense."""
        checked = [msgspec.convert(msgspec.to_builtins(_fault(fault)), Fault) for fault in faults]
        for fault in checked:
            try:
                re.compile(fault.path)
            except re.error as problem:
                raise ValueError(f"The fault's path {fault.path} is no regular expression: {problem}") from problem
        with self._lock:
            self._faults.extend(checked)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def next(self, path: str) -> Fault:
        """Take the first fault that is meant for this path and query."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if re.search(fault.path, path):
                    return self._faults.pop(index)
            return Fault()

    def __len__(self) -> int:
        return len(self._faults)


def _fault(fault: Fault | int) -> Fault:
    return Fault(status=fault) if isinstance(fault, int) else fault
