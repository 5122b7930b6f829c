"""Escapes of JSON taken out of a text, with the way back: where each character was written."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

MAX_LEVELS = 16
"""Levels of escapes that are read in a text that is not JSON.

Each level of JSON in a text about doubles its backslashes.
"""

_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([\"\\/bfnrt]))"
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class TooManyLevelsError(ValueError):
    """A text has escapes within escapes beyond MAX_LEVELS."""


class Unescaped:
    """A text without one level of escapes. What is no escape of JSON stays as it is."""

    def __init__(self, written: str) -> None:
        self._ends: list[int] = []
        self._shifts: list[int] = [0]
        pieces: list[str] = []
        done = length = 0
        for escape in _ESCAPE.finditer(written):
            literal = written[done : escape.start()]
            pieces += (literal, _character(escape))
            length += len(literal) + 1
            done = escape.end()
            self._ends.append(length)
            self._shifts.append(done - length)
        pieces.append(written[done:])
        self.text = "".join(pieces)

    def __bool__(self) -> bool:
        """Whether there was an escape."""
        return bool(self._ends)

    def origin(self, place: int) -> int:
        """Return the place in the written text of a place between two characters of this text."""
        return place + self._shifts[bisect_right(self._ends, place)]


class Level:
    """A text read with some levels of escapes taken out."""

    def __init__(self, text: str, steps: tuple[Unescaped, ...]) -> None:
        self.text = text
        self._steps = steps

    @property
    def depth(self) -> int:
        return len(self._steps)

    def origin(self, place: int) -> int:
        """Return the place in the text as it is written."""
        for step in reversed(self._steps):
            place = step.origin(place)
        return place


def levels_of(text: str) -> Iterator[Level]:
    """Stream the text as it is written, then without one level of escapes after the other, while there are any.

    Raises TooManyLevelsError.
    """
    steps: tuple[Unescaped, ...] = ()
    yield Level(text, steps)
    while "\\" in text and (deeper := Unescaped(text)):
        if len(steps) == MAX_LEVELS:
            raise TooManyLevelsError
        steps = (*steps, deeper)
        text = deeper.text
        yield Level(text, steps)


def _character(escape: re.Match[str]) -> str:
    high, low, unit, short = escape.groups()
    if short is not None:
        return _SHORT.get(short, short)
    if unit is not None:
        return chr(int(unit, 16))
    return chr(0x10000 + (int(high, 16) - 0xD800 << 10) + int(low, 16) - 0xDC00)
