"""What arrived at a source, within bounds, and its counts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from operator import attrgetter

import msgspec

from .records import Kind, Message, ReceivedRequest

_MAX_REQUESTS = 100_000


class Totals(msgspec.Struct):
    """Counts since the start or the last reset; they include what has been forgotten since. Bytes are decompressed."""

    requests: int = 0
    messages: int = 0
    message_bytes: int = 0
    forgotten: int = 0


class Store:
    """What arrived, in order: requests as they came in, messages as they were stored. Safe to read meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything, counts included."""
        with self._lock:
            self.totals = Totals()
            self._requests: deque[ReceivedRequest] = deque(maxlen=_MAX_REQUESTS)
            self._messages: deque[Message] = deque()
            self._stored_bytes = 0

    def add(
        self, request: ReceivedRequest, *, size: int = 0, messages: Sequence[Message] = (), max_bytes: int = 0
    ) -> None:
        """Record a request, the size of what was stored of it, and its messages (none in a run that only counts).

        The oldest messages go once all together have more than `max_bytes`.
        """
        with self._lock:
            self._requests.append(request)
            self.totals.requests += 1
            if request.kind is Kind.LOGS:
                self.totals.messages += request.stored
                self.totals.message_bytes += size
            self._messages.extend(messages)
            self._stored_bytes += sum(message.size for message in messages)
            while messages and self._stored_bytes > max_bytes:
                self._stored_bytes -= self._messages.popleft().size
                self.totals.forgotten += 1

    def messages(self) -> list[Message]:
        """The messages that are still kept, in the order in which they were stored."""
        with self._lock:
            return list(self._messages)

    def requests(self) -> list[ReceivedRequest]:
        """The last 100,000 requests, in the order of arrival: one with a slow body is recorded after later ones."""
        with self._lock:
            return sorted(self._requests, key=attrgetter("number"))
