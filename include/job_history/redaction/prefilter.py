"""One scan by which a text is skipped that no rule can be about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import re2

# What an escape may write otherwise than it means. Every other escape has `\u`, which the scan looks for.
_WRITTEN_OTHERWISE = '"\\/\b\f\n\r\t'
# The characters that `str.casefold` makes ASCII letters of, but for those that RE2 finds itself in any case. So *pass*
# is also about a name with a sharp s.
FOLDED_TO_ASCII = {character: character.casefold() for character in "ßẞİŉǰẖẗẘẙẚﬀﬁﬂﬃﬄﬅﬆ"}


MAX_LITERAL = 10  # characters; more would hardly skip more texts


def literal_of(pieces: Iterable[str]) -> str | None:
    """Return the longest run of characters in the pieces that is written as it is, or with an escape of four digits.

    Of a long run it is the beginning. Returns None if there is no such character.
    """
    for character in _WRITTEN_OTHERWISE:
        pieces = [part for piece in pieces for part in piece.split(character)]
    return max(pieces, key=len, default="")[:MAX_LITERAL] or None


def is_written_as_it_is(name: str) -> bool:
    """Whether no short escape can write a character of a name."""
    return name.isprintable() and not any(character in name for character in _WRITTEN_OTHERWISE)


class Prefilter:
    """Decides whether a text may hold one of some literals, in any case, or what an expression finds.

    `literals` are parts of names, casefolded; `expressions` are of RE2. The answer holds for JSON in the text, too,
    however often it was written into another text: an escape that can write any character counts as a find.
    """

    def __init__(self, literals: Iterable[str], expressions: Iterable[str]) -> None:
        literals = sorted({*literals})
        self._folds = not all(map(str.isascii, literals))
        written = literals if self._folds else [each for literal in literals for each in ways_to_write(literal)]
        options = re2.Options()
        options.log_errors = False
        self.search = re2.compile("(?i)" + "|".join([r"\\u", *map(re2.escape, written), *expressions]), options).search

    def may_find(self, text: str | bytes) -> bool:
        """Return False only if there is nothing to find. Bytes are UTF-8."""
        if self._folds:
            text = (text if isinstance(text, str) else text.decode(errors="replace")).casefold()
        return self.search(text if isinstance(text, bytes) else text.encode(errors="replace")) is not None


@lru_cache(maxsize=1_000)
def ways_to_write(literal: str) -> list[str]:
    """Return what a text holds, in any case, if its casefolded text holds an ASCII literal."""
    first_parts = ((way, character) for character, folded in FOLDED_TO_ASCII.items() for way in _endings(folded))
    ways = {
        character + rest
        for way, character in first_parts
        if literal.startswith(way)
        for rest in _ways(literal[len(way) :])
    }
    inside = {character for character, folded in FOLDED_TO_ASCII.items() if literal in folded}
    return sorted({*_ways(literal), *ways, *inside})


def _ways(literal: str) -> Iterator[str]:
    if not literal:
        yield ""
        return
    for rest in _ways(literal[1:]):
        yield literal[0] + rest
    for character, folded in FOLDED_TO_ASCII.items():
        if literal.startswith(folded):
            for rest in _ways(literal[len(folded) :]):
                yield character + rest
        elif folded.startswith(literal):
            yield character


def _endings(folded: str) -> Iterator[str]:
    for place in range(1, len(folded)):
        yield folded[place:]
