"""What the API remembers of the requests that came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from datetime import datetime

import msgspec

_MAX_REQUESTS = 100_000


class ReceivedRequest(msgspec.Struct, frozen=True):
    """One request below `/api`.

    `received_at` counts in seconds of the clock that the quota goes by, `simulated_at` is the simulated time. `holder`
    is whose token it came with (`workspace 5234`, `partner 1`), empty if that was none. `path` has the query in it.
    `status` is None if the connection was broken instead.
    """

    number: int
    received_at: float
    simulated_at: datetime
    holder: str
    path: str
    status: int | None
    note: str
    user_agent: str


class RequestLog:
    """The last 100,000 requests, in the order of their arrival; safe to read while requests come in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: deque[ReceivedRequest] = deque(maxlen=_MAX_REQUESTS)

    def add(self, request: ReceivedRequest) -> None:
        with self._lock:
            self._requests.append(request)

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()

    def all(self) -> list[ReceivedRequest]:
        with self._lock:
            return list(self._requests)


def busiest(requests: Iterable[ReceivedRequest], *, seconds: float) -> int:
    """The most requests that came within any window of so many seconds, those that were refused included."""
    window: deque[float] = deque()
    most = 0
    for moment in sorted(request.received_at for request in requests):
        window.append(moment)
        while window[0] <= moment - seconds:
            window.popleft()
        most = max(most, len(window))
    return most
