"""Which names the pass over a text has to visit: the others make no difference to any rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from job_history.redaction.canonical import text_of
from job_history.redaction.edit import text_of_utf8
from job_history.redaction.path import Segment
from job_history.redaction.prefilter import Prefilter, is_written_as_it_is
from job_history.redaction.tokens import OPENING, names_in

_MAX_NAMES = 30  # with more, to look for them takes longer than to visit all
_MAX_VERDICTS = 4_096
_MIN_TEXT = 100  # bytes


class Skipping:
    """Made for one location, from the steps that lead on from there to what rules are about."""

    def __init__(self, routes: Iterable[tuple[Segment, ...]], prefilter: Callable[[Iterable[str]], Prefilter]) -> None:
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
        self._wild = prefilter(literals_of_wild) if wild else None
        known = all(segment.literals for segment in self._patterns) and all(map(is_written_as_it_is, names))
        literals = [literal for segment in self._patterns for literal in segment.literals or ()]
        self._wild_or_pattern = prefilter([*literals, *literals_of_wild]) if known else None
        self._verdicts: dict[bytes, bool] = {}

    def names(self, text: bytes) -> frozenset[bytes] | None:
        """Return the names that rules ask for, as they are written; None if all tokens are to be visited."""
        if len(text) < _MIN_TEXT or self._always_all or not text.startswith(OPENING):
            return None
        if self._wild_or_pattern is not None and not self._wild_or_pattern.may_find(text):
            return self._names
        if self._wild is not None and self._wild.may_find(text):
            return None
        names = frozenset(filter(self._makes_a_difference, names_in(text)))
        return names if len(names) <= _MAX_NAMES else None

    def _makes_a_difference(self, written: bytes) -> bool:
        verdict = self._verdicts.get(written)
        if verdict is None:
            if len(self._verdicts) >= _MAX_VERDICTS:
                self._verdicts.clear()
            name = text_of(f'"{text_of_utf8(written)}"')
            verdict = self._verdicts[written] = any(segment.matches(name) for segment in self._named)
        return verdict


def _literals(route: tuple[Segment, ...]) -> frozenset[str] | None:
    return next((segment.literals for segment in reversed(route) if segment.literals is not None), None)
