"""Where a value is, as far as rules care: all paths and field patterns, followed at once, one dictionary look-up a step."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]

from job_history.redaction.path import Segment
from job_history.redaction.rules import Action

MAX_NAMES_REMEMBERED = 4_096
# A quotation mark may begin a name as well as end a text before it, so each one is tried. JSON in a text has more
# backslashes, and perhaps spaces; `=>` is how Ruby shows an object.
_NAMES = re.compile(r'"(?=((?:[^"\\]++|\\++[^"\\])*+)\\*+"(?:\s|\\++[nrt])*+(?::|=>))')


@dataclass(frozen=True, order=True)
class Rule:
    """What is done with a value. `number` counts the rules of the account's list from 1; the first one that fits, counts."""

    number: int
    action: Action


@dataclass(frozen=True)
class Route:
    """The steps from the document to the values that a rule is about."""

    rule: Rule
    segments: tuple[Segment, ...]


Position = tuple[Route, int]
"""A route, and how many of its steps are behind us."""

Key = tuple[Rule | None, frozenset[Position]]


class Location:
    """A place in the document: the rule for the value there, if any, and where its members and elements are."""

    def __init__(self, rule: Rule | None, positions: frozenset[Position], known: dict[Key, Location]) -> None:
        self.rule = rule
        self.members = _Members(self)
        self._positions = positions
        self._known = known
        self._element: Location | None = None
        self._any_name_will_do = any(
            all(segment.names is None for segment in route.segments[done:]) for route, done in positions
        )
        self._no_news: set[str] = set()

    @property
    def element(self) -> Location:
        """Where each element of the array is that is here."""
        if self._element is None:
            self._element = self._below(None)
        return self._element

    def member(self, name: str) -> Location:
        """Where the member of that name is of the object that is here."""
        return self._below(name)

    def may_lead_on(self, text: str) -> bool:
        """Say whether a rule may be about something inside this JSON text, by the names in it; False is certain."""
        if not self._positions:
            return False
        if self._any_name_will_do:
            return True
        new = {*_NAMES.findall(text)} - self._no_news
        if any(self._is_news(name) for name in new):
            return True
        if len(self._no_news) > MAX_NAMES_REMEMBERED:
            self._no_news.clear()
        self._no_news |= new
        return False

    def _is_news(self, name: str) -> bool:
        return "\\" in name or any(
            segment.names is not None and segment.may_end(name)
            for route, done in self._positions
            for segment in route.segments[done:]
        )

    def _below(self, name: str | None) -> Location:
        """Take one step: to a member, or with None to any element."""
        positions: set[Position] = set()
        arrived: list[Rule] = []
        for route, done in self._positions:
            segment = route.segments[done]
            if segment.anywhere_below:
                positions.add((route, done))
            if segment.names is None if name is None else segment.matches(name):
                if done + 1 == len(route.segments):
                    arrived.append(route.rule)
                else:
                    positions.add((route, done + 1))
        return _location(min(arrived, default=None), frozenset(positions), self._known)


class _Members(dict[str, Location]):
    """The members met so far, by name as it is written: in quotation marks, with its escapes."""

    def __init__(self, location: Location) -> None:
        self._location = location

    def __missing__(self, written: str) -> Location:
        if len(self) >= MAX_NAMES_REMEMBERED:
            # Names may be values, such as ids, of which there is no end.
            self.clear()
        name: str = scanstring(written, 1, False)[0]
        self[written] = found = self._location.member(name)
        return found


def document_root(routes: Iterable[Route]) -> Location:
    """Return the document itself, from where all routes begin."""
    return _location(None, frozenset((route, 0) for route in routes), {})


def _location(rule: Rule | None, positions: frozenset[Position], known: dict[Key, Location]) -> Location:
    """Return the one location that is so, for what was learnt of it."""
    key = rule, positions
    if key not in known:
        known[key] = Location(rule, positions, known)
    return known[key]
