"""Where a message ends (at a line break, as with multiline detection off), and what becomes of one above the size
limit.
"""

from __future__ import annotations

_CONTINUATION_BITS = 0b1100_0000
_CONTINUATION = 0b1000_0000


def split_lines(body: bytes) -> list[bytes]:
    """Return the lines that are not blank, without their line breaks: LF, CR LF and CR, but not U+2028."""
    return [line for line in body.splitlines() if line.strip()]


def slices(message: bytes, max_bytes: int) -> list[bytes]:
    """Cut a line of UTF-8 text into slices of at most `max_bytes`; joined, they are the line again.

    A message within the limit is its own only slice.
    """
    parts: list[bytes] = []
    start = 0
    while len(message) - start > max_bytes:
        end = start + max_bytes
        while message[end] & _CONTINUATION_BITS == _CONTINUATION:
            end -= 1  # a character is never cut in two
        parts.append(message[start:end])
        start = end
    return [*parts, message[start:]]
