"""The path language: the names and wildcards of JSONPath (RFC 9535), parsed by a library that knows all of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from job_history.redaction.prefilter import literal_of

TEXT_FIELDS = ("title", "error", "error_type")
EVENT_FIELDS = ("details", "user", "team", "resource")
LINE_DATA = ("input", "output")
LINE_FIELDS = (*LINE_DATA, "error")
ROOTS = (*TEXT_FIELDS, "report", "lines", *EVENT_FIELDS)


@dataclass(frozen=True)
class Segment:
    """One step down. `names` None: whatever the name or place. `anywhere_below`: also any number of steps further down.

    `literals`: every name that matches holds one of them, casefolded; None: nothing is known of the names.
    """

    names: frozenset[str] | None
    anywhere_below: bool
    matches: Callable[[str], bool]
    literals: frozenset[str] | None
    is_pattern: bool = False


def _named(names: frozenset[str] | None, *, anywhere_below: bool) -> Segment:
    if names is None:
        return Segment(None, anywhere_below, _always, None)
    return Segment(names, anywhere_below, names.__contains__, _literals(names))


def _literals(names: frozenset[str]) -> frozenset[str] | None:
    literals = {literal_of([name.casefold()]) for name in names}
    return frozenset(literal for literal in literals if literal) if None not in literals else None


def _always(_: str) -> bool:
    return True


@lru_cache
def segments_of(path: str) -> tuple[Segment, ...]:
    """Parse a path; `$.` in front may be left out. Raises ValueError if it cannot be followed, or leads nowhere."""
    # Only accounts with such rules pay for the import.
    from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError  # noqa: PLC0415
    from jsonpath.segments import JSONPathRecursiveDescentSegment  # noqa: PLC0415
    from jsonpath.selectors import NameSelector, WildcardSelector  # noqa: PLC0415

    try:
        parsed = JSONPathEnvironment(strict=True).compile(path if path.startswith("$") else f"$.{path}")
    except JSONPathError as fault:
        raise ValueError(f"{path!r} is no JSONPath (RFC 9535): {fault.args[0]}") from None
    segments = []
    for each in parsed.segments if isinstance(parsed, JSONPath) else ():
        names: frozenset[str] | None = frozenset(
            selector.name for selector in each.selectors if isinstance(selector, NameSelector)
        )
        anything = any(isinstance(selector, WildcardSelector) for selector in each.selectors)
        if not all(isinstance(selector, NameSelector | WildcardSelector) for selector in each.selectors):
            raise ValueError(f"{path!r} has a filter, an index or a slice; a rule takes names, * and .. only")
        names = None if anything else names
        segments.append(_named(names, anywhere_below=isinstance(each, JSONPathRecursiveDescentSegment)))
    _check_that_it_leads_somewhere(path, segments)
    return tuple(segments)


def segment_of_field(pattern: str) -> Segment:
    """Return the step that a field rule stands for: to a name like this, anywhere below; case does not matter."""
    pattern = pattern.casefold()
    literal = literal_of(re.split(r"[*?]", pattern))
    return Segment(
        frozenset(),
        anywhere_below=True,
        matches=_like(pattern),
        literals=frozenset([literal]) if literal else None,
        is_pattern=True,
    )


def _like(pattern: str) -> Callable[[str], bool]:
    # Only * and ? are special, not the brackets of file names.
    matches = re.compile(translate(pattern.replace("[", "[[]"))).match
    return lambda name: matches(name.casefold()) is not None


def _check_that_it_leads_somewhere(path: str, segments: list[Segment]) -> None:
    first = segments[0] if segments else None
    if first is None or (first.names is None and not first.anywhere_below):
        raise ValueError(f"{path!r} names everything; begin with one of {', '.join(ROOTS)}, or with $..")
    if first.anywhere_below:
        if len(segments) == 1 and first.names is None:
            raise ValueError(f"{path!r} names everything; begin with one of {', '.join(ROOTS)}")
        return
    if unknown := sorted((first.names or frozenset()) - {*ROOTS}):
        raise ValueError(f"{path!r} begins with {unknown[0]!r}; there are {', '.join(ROOTS)} (or $.. for any depth)")
    if first.names and "lines" in first.names:
        _check_lines(path, segments[1:])


def _check_lines(path: str, below: list[Segment]) -> None:
    """A line's own shape stays; a rule is about what is in its fields."""
    if below and below[0].anywhere_below and below[0].names is not None:
        return
    field = below[1] if len(below) > 1 and below[0].names is None and not below[0].anywhere_below else None
    if field is None:
        raise ValueError(f"{path!r} names lines as a whole; go on as in lines[*].input, lines[*].* or lines..password")
    if field.anywhere_below:
        return
    if unknown := sorted((field.names or frozenset()) - {*LINE_FIELDS}):
        raise ValueError(f"{path!r} names {unknown[0]!r} of a line; there are {', '.join(LINE_FIELDS)} (or * for all)")
