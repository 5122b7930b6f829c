"""What becomes of a message above the size limit: a stream of slices, none of which is whole any more."""

from __future__ import annotations

_CONTINUATION_BITS = 0b1100_0000
_CONTINUATION = 0b1000_0000


def slices(message: bytes, max_bytes: int) -> list[bytes]:
    """Cut a message of UTF-8 text into slices of at most `max_bytes`, after a line break where one is in reach.

    Joined, they are the message again. A message within the limit is its own only slice.
    """
    parts: list[bytes] = []
    start = 0
    while len(message) - start > max_bytes:
        end = _cut(message, start, start + max_bytes)
        parts.append(message[start:end])
        start = end
    parts.append(message[start:])
    return parts


def _cut(message: bytes, start: int, limit: int) -> int:
    line_break = message.rfind(b"\n", start, limit)
    if line_break > start:
        return line_break + 1
    end = limit
    while message[end] & _CONTINUATION_BITS == _CONTINUATION:
        end -= 1  # a character is never cut in two
    return end
