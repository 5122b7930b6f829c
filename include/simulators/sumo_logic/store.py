"""Where a source keeps what arrived, within bounds, and the counts over it."""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence

import msgspec

from .records import Kind, Message, ReceivedRequest

_MAX_REQUESTS = 100_000


class Totals(msgspec.Struct):
    """Counts since the start or the last reset; they include what has been forgotten since. Bytes are decompressed."""

    requests: int = 0
    messages: int = 0
    message_bytes: int = 0
    metrics: int = 0
    forgotten: int = 0


class Store:
    """Messages and requests in the order of their arrival; safe to read while requests come in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything, counts included."""
        with self._lock:
            self.totals = Totals()
            self.messages_by_address: Counter[str] = Counter()
            self.bytes_by_address: Counter[str] = Counter()
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
            if request.kind is Kind.METRICS:
                self.totals.metrics += request.stored
            elif request.stored:
                self.totals.messages += request.stored
                self.totals.message_bytes += size
                self.messages_by_address[request.peer_address] += request.stored
                self.bytes_by_address[request.peer_address] += size
            self._messages.extend(messages)
            self._stored_bytes += sum(message.size for message in messages)
            while messages and self._stored_bytes > max_bytes:
                self._stored_bytes -= self._messages.popleft().size
                self.totals.forgotten += 1

    def messages(self) -> list[Message]:
        """The messages that are still kept, oldest arrival first."""
        with self._lock:
            return list(self._messages)

    def requests(self) -> list[ReceivedRequest]:
        """The last 100,000 requests, oldest first."""
        with self._lock:
            return list(self._requests)

    def count(self, from_time: int, to_time: int, expressions: Mapping[str, str]) -> int:
        """Count stored messages with a time in `[from_time, to_time)` whose metadata match.

        Each expression matches a whole value; an empty one asks only that the field is there. Raises re.error.
        """
        patterns = {name: re.compile(expression) for name, expression in expressions.items()}
        return sum(
            from_time <= message.message_time < to_time and _matches(message, patterns) for message in self.messages()
        )


def _matches(message: Message, patterns: Mapping[str, re.Pattern[str]]) -> bool:
    metadata = message.fields | {
        "_sourceName": message.source_name,
        "_sourceHost": message.source_host,
        "_sourceCategory": message.source_category,
    }
    return all(
        name in metadata and (not pattern.pattern or pattern.fullmatch(metadata[name]) is not None)
        for name, pattern in patterns.items()
    )
