"""Edits of a text: what lies between them stays as it is."""

from __future__ import annotations

from collections.abc import Iterable

Edit = tuple[int, int, str]
"""A start, an end, both in characters, and what replaces the text between."""

EditOfBytes = tuple[int, int, bytes]
"""The same in bytes of UTF-8."""


def edited(text: str, edits: Iterable[Edit]) -> str:
    """Apply edits, which are in the order of the text and do not overlap."""
    pieces: list[str] = []
    done = 0
    for start, end, replacement in edits:
        pieces += (text[done:start], replacement)
        done = end
    pieces.append(text[done:])
    return "".join(pieces)


def edited_utf8(data: bytes, edits: Iterable[EditOfBytes], done: int = 0, end_of_data: int | None = None) -> bytes:
    """Apply edits, as above, to UTF-8 or a part of it."""
    pieces: list[bytes] = []
    for start, end, replacement in edits:
        pieces += (data[done:start], replacement)
        done = end
    pieces.append(data[done:end_of_data])
    return b"".join(pieces)


def utf8(text: str) -> bytes:
    """Return the bytes of a text, also of halves of surrogate pairs, which UTF-8 itself does not allow."""
    return text.encode("utf-8", "surrogatepass")


def text_of_utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def bytes_before(text: str, place: int) -> int:
    """Return the bytes of a text before a character."""
    return len(utf8(text[:place]))


def in_characters(data: bytes, edits: list[EditOfBytes]) -> list[Edit]:
    """Return edits of bytes as edits of their text."""
    moved = []
    done = characters = 0
    for start, end, replacement in edits:
        first = characters + len(text_of_utf8(data[done:start]))
        done, characters = end, first + len(text_of_utf8(data[start:end]))
        moved.append((first, characters, text_of_utf8(replacement)))
    return moved
