"""Where a value is, as far as rules care: all paths and field patterns are followed at once, one look-up for each
step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from job_history.redaction.canonical import text_of
from job_history.redaction.edit import text_of_utf8
from job_history.redaction.path import Segment
from job_history.redaction.prefilter import Prefilter
from job_history.redaction.rules import Action
from job_history.redaction.skipping import Skipping

MAX_NAMES_REMEMBERED = 4_096
MAX_NAME_REMEMBERED = 256  # characters


@dataclass(frozen=True, order=True)
class Rule:
    """What is done with a value.

    `number` is the rule's place in the account's list, from 1; the first that fits counts.
    """

    number: int
    action: Action


@dataclass(frozen=True)
class Route:
    """The steps from the document to the values that a rule is about."""

    rule: Rule
    segments: tuple[Segment, ...]


Position = tuple[Route, int]
"""A route, and how many of its steps are done."""


class Location:
    """A place in the document: the rule for the value there, if any, and the locations of its members and elements."""

    def __init__(self, rule: Rule | None, positions: frozenset[Position], all_: _Locations) -> None:
        self.rule = rule
        self.members = Members(self)
        self._positions = positions
        self._all = all_
        self._named: dict[str, Location] = {}
        # Whether a rule may be about something in a value here.
        self.matters = bool(positions or all_.expressions)

    @cached_property
    def any_text_matters(self) -> bool:
        """Whether a rule may be about something in any text here, because it asks for no name."""
        return None in self._literals

    @cached_property
    def skipping(self) -> Skipping:
        routes = (route.segments[done:] for route, done in self._positions)
        return Skipping(routes, self._all.expressions)

    def may_touch(self, text: str) -> bool:
        """Return False only if no rule can be about anything in a text that is here."""
        return self.matters and (self.any_text_matters or self._prefilter.may_find(text))

    def name_matters(self, name: str) -> bool:
        """Return False only if no rule can be about anything in a member's name itself."""
        return '"' in name or "\\" in name or (bool(self._all.expressions) and self._all.expression.may_find(name))

    def member(self, name: str) -> Location:
        """Return the location of the member of that name."""
        found = self._named.get(name)
        if found is None:
            found = self._below(name)
            if len(name) <= MAX_NAME_REMEMBERED:
                if len(self._named) >= MAX_NAMES_REMEMBERED:
                    # Names may be values, such as ids, of which there is no end.
                    self._named.clear()
                self._named[name] = found
        return found

    @cached_property
    def element(self) -> Location:
        """The location of each element of an array."""
        return self._below(None)

    @cached_property
    def _literals(self) -> frozenset[str | None]:
        """Of each route on from here, literals of which one is in every text that it is about; None: it has none."""
        return frozenset().union(*(_literals_of(route.segments[done:]) for route, done in self._positions))

    @cached_property
    def _prefilter(self) -> Prefilter:
        return self._all.prefilter(frozenset(literal for literal in self._literals if literal is not None))

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
        return self._all.at(min(arrived, default=None), frozenset(positions))


class Members(dict[bytes, Location]):
    """The members met so far, by the NAME part of their token; b"" for an element."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self.names_that_matter: set[bytes] = set()

    def __missing__(self, written: bytes) -> Location:
        if not written:
            self[written] = element = self.location.element
            return element
        name = text_of(text_of_utf8(written[: written.rindex(b'"') + 1]))
        if len(self) >= MAX_NAMES_REMEMBERED:
            self.clear()
            self.names_that_matter.clear()
        found = self.location.member(name)
        if len(written) <= MAX_NAME_REMEMBERED:
            self[written] = found
        if self.location.name_matters(name):
            self.names_that_matter.add(written)
        return found


@dataclass
class _Locations:
    """All locations of a policy, each of which exists once, for what was learnt of it."""

    expressions: tuple[str, ...]
    known: dict[tuple[Rule | None, frozenset[Position]], Location] = field(default_factory=dict)
    prefilters: dict[frozenset[str], Prefilter] = field(default_factory=dict)

    @cached_property
    def expression(self) -> Prefilter:
        return self.prefilter(frozenset())

    def at(self, rule: Rule | None, positions: frozenset[Position]) -> Location:
        key = rule, positions
        if key not in self.known:
            self.known[key] = Location(rule, positions, self)
        return self.known[key]

    def prefilter(self, literals: frozenset[str]) -> Prefilter:
        if literals not in self.prefilters:
            self.prefilters[literals] = Prefilter(literals, self.expressions)
        return self.prefilters[literals]


def document_root(routes: Iterable[Route], expressions: Iterable[str]) -> Location:
    """Return the document itself, from which all routes begin. `expressions` find what value rules may be about."""
    return _Locations(tuple(expressions)).at(None, frozenset((route, 0) for route in routes))


def _literals_of(segments: tuple[Segment, ...]) -> frozenset[str | None]:
    for segment in reversed(segments):
        if segment.literals is not None:
            return frozenset(segment.literals)
    return frozenset([None])
