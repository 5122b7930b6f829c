"""Which names the pass over a text has to visit: the others make no difference to any rule."""

from __future__ import annotations

import re
from collections.abc import Iterable

from job_history.redaction import card_numbers
from job_history.redaction.canonical import text_of
from job_history.redaction.edit import text_of_utf8
from job_history.redaction.path import Segment
from job_history.redaction.prefilter import Prefilter, is_written_as_it_is
from job_history.redaction.tokens import OPENING, names_in

_MAX_NAMES = 30  # with more, to look for them takes longer than to visit all
_MAX_VERDICTS = 4_096
_MIN_TEXT = 100  # bytes
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


class Skipping:
    """Made for one location, from the steps that lead on from there to what rules are about.

    `expressions` find what value rules may be about.
    """

    def __init__(self, routes: Iterable[tuple[Segment, ...]], expressions: Iterable[str]) -> None:
        routes = [*routes]
        segments = [segment for route in routes for segment in route]
        self._patterns = [segment for segment in segments if segment.is_pattern]
        names = {name for segment in segments for name in segment.names or ()}
        self._names = frozenset(map(str.encode, names))
        self._named = [segment for segment in segments if segment.names is not None]
        wild = [_literals(route) for route in routes if route[-1].names is None]
        # A rule about whatever is in an object or array makes a difference to each member.
        self._always_all = None in wild
        literals_of_wild = [literal for each in wild for literal in each or ()]
        self._wild = Prefilter(literals_of_wild, ()) if wild else None
        known = all(segment.literals for segment in self._patterns) and all(map(is_written_as_it_is, names))
        literals = [literal for segment in self._patterns for literal in segment.literals or ()]
        literals += literals_of_wild
        self._wild_or_pattern = Prefilter(literals, ()) if known else None
        self._finds_cards = card_numbers.EXPRESSION in expressions
        # One scan for both. No card number covers the beginning of such a literal.
        together = known and self._finds_cards and all(map(_is_apart_from_cards, literals))
        self._together = Prefilter(literals, [card_numbers.EXPRESSION]) if together else None
        self._verdicts: dict[bytes, bool] = {}

    def scan(self, text: bytes) -> tuple[frozenset[bytes] | None, list[int]]:
        """Return `names` of a text, and a place in each stretch of it that may hold a card number."""
        # RE2 wants UTF-8.
        valid = _SURROGATE.sub(b"???", text) if b"\xed" in text else text
        places: list[int] = []
        done = 0
        if self._together is not None and self._can_skip(text):
            while found := self._together.search(valid, done):
                if not card_numbers.has_enough_digits(found[0]):
                    break
                done = card_numbers.place_in(found)
                places.append(done)
            else:
                return self._names, places
        if self._finds_cards:
            places += card_numbers.places_of_candidates(valid, done)
        return self.names(text), places

    def names(self, text: bytes) -> frozenset[bytes] | None:
        """Return the names that rules ask for, as they are written; None if all tokens are to be visited."""
        if not self._can_skip(text):
            return None
        if self._wild_or_pattern is not None and not self._wild_or_pattern.may_find(text):
            return self._names
        if self._wild is not None and self._wild.may_find(text):
            return None
        names = frozenset(filter(self._makes_a_difference, names_in(text)))
        return names if len(names) <= _MAX_NAMES else None

    def _can_skip(self, text: bytes) -> bool:
        return len(text) >= _MIN_TEXT and not self._always_all and text.startswith(OPENING)

    def _makes_a_difference(self, written: bytes) -> bool:
        verdict = self._verdicts.get(written)
        if verdict is None:
            if len(self._verdicts) >= _MAX_VERDICTS:
                self._verdicts.clear()
            name = text_of(f'"{text_of_utf8(written)}"')
            verdict = self._verdicts[written] = any(segment.matches(name) for segment in self._named)
        return verdict


def _is_apart_from_cards(literal: str) -> bool:
    return literal.isascii() and literal[0] not in "0123456789 -"


def _literals(route: tuple[Segment, ...]) -> frozenset[str] | None:
    return next((segment.literals for segment in reversed(route) if segment.literals is not None), None)
