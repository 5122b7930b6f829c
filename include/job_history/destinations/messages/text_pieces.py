"""Cuts JSON text into pieces that fit into a JSON string of limited size, never within a character or an escape."""

import re
from collections.abc import Iterator

_CONTROL_CHARACTER = re.compile(rb"[\x00-\x1f]")


def escaped(text: bytes) -> bytes:
    """`text` as the inside of a JSON string. Compact JSON holds no raw control characters, so two escapes do."""
    return text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def piece_ends(text: bytes, start: int, end: int, room: int) -> Iterator[int]:
    """The end of each piece of `text[start:end]`; each takes at most `room` bytes once escaped.

    Raises:
        ValueError: `text` is not UTF-8, or holds a control character.
    """
    control = _CONTROL_CHARACTER.search(text, start, end)
    if control:
        raise ValueError(f"the document has a control character at byte {control.start()}; documents are compact JSON")
    while start < end:
        start = _piece_end(text, start, end, room)
        yield start


def _piece_end(text: bytes, start: int, end: int, room: int) -> int:
    piece = escaped(text[start : min(start + room, end)])[:room]
    backslashes = len(piece) - len(piece.rstrip(b"\\"))
    if backslashes % 2:  # the last one has lost the character that it escapes
        piece = piece[:-1]
    stop = start + len(piece) - _escapes_in(piece)
    while stop < end and _continues_a_character(text[stop]):
        stop -= 1
    if stop <= start:
        raise ValueError(f"the document is not UTF-8 after byte {start}; documents are UTF-8 JSON")
    return stop


def _escapes_in(piece: bytes) -> int:
    # An escaped backslash counts two here, an escaped quote a backslash and a quote.
    return (piece.count(b"\\") + piece.count(b'"')) // 2


def _continues_a_character(byte: int) -> bool:
    return byte & 0b1100_0000 == 0b1000_0000
