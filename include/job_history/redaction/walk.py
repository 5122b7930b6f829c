"""One pass over compact JSON text, from which the edits come that the rules ask for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from job_history.redaction.edit import Edit
from job_history.redaction.location import Location, Rule
from job_history.redaction.tokens import CLOSING, NAME, OPENING, OTHER, Tokens, end_of_value, tokens_of

if TYPE_CHECKING:
    from job_history.redaction.redactor import Patterns, Redactor

_QUOTE = '"'
_NESTED = ('"[', '"{', '" ')

_Frame = tuple[Location, Location, str, int]
"""What is around an object or array: where that is, where the next value in it is, its path; and where one began."""


def walk(redactor: Redactor, text: str, location: Location, patterns: Patterns, path: str) -> list[Edit]:
    """Follow the tokens of what is at the location. `patterns` are those to be looked for, `path` is for messages.

    It keeps its own stack, so that nesting costs no recursion, and sees each member of an object, also those whose name
    is there twice.
    """
    edits: list[Edit] = []
    frames: list[_Frame] = []
    renamed = _Renamed(redactor)
    nested_unescaped = any(sign in text for sign in _NESTED)
    texts_matter = bool(patterns) or nested_unescaped or '\\"' in text or "\\u" in text
    tells_paths = redactor.tells_paths
    container = here = location
    place = path
    tokens = tokens_of(text)
    for token in tokens:
        kind = token.lastindex or OTHER
        if kind == CLOSING:
            container, here, path, _ = frames.pop()
            continue
        name = token[NAME]
        if name is not None:
            here = container.members[name]
            if patterns:
                edits += renamed.edits(name, token.start(), path, of=frames[-1][3])
        if tells_paths and frames:
            place = _place(redactor, path, name)
        if here.rule is not None:
            edits.append(_replaced(redactor, here.rule, token, tokens, place))
        elif kind == OPENING:
            frames.append((container, here, path, token.start()))
            container, path = here, place
            here = container.element
        elif texts_matter and (patterns or nested_unescaped or "\\" in token[kind]) and _matters(token[kind], patterns):
            after = redactor.text_or_number(token[kind], here, place)
            if after is not None:
                edits.append(Edit(*token.span(kind), after))
    return edits


def _replaced(redactor: Redactor, rule: Rule, token: re.Match[str], tokens: Tokens, path: str) -> Edit:
    """Make the edit of a value that a rule is about: what replaces it, or that it is left out with its name."""
    start = token.start(token.lastindex or OTHER)
    end = end_of_value(token, tokens)
    after = redactor.value(rule, token.string[start:end], path)
    return Edit(token.start(), end, None) if after is None else Edit(start, end, after)


class _Renamed:
    """The names of members that had to be changed, by where their object began: in one, no two may come out as one."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._taken: dict[int, set[str]] = {}

    def edits(self, name: str, start: int, path: str, *, of: int) -> list[Edit]:
        redacted = self._redactor.name(name, path)
        if redacted == name:
            return []
        taken = self._taken.setdefault(of, set())
        number = 1
        numbered = redacted
        while numbered in taken:
            number += 1
            numbered = f'{redacted[:-1]} {number}"'
        taken.add(numbered)
        return [Edit(start, start + len(name), numbered)]


def _matters(written: str, patterns: Patterns) -> bool:
    """Say whether there may be something in a text or number: JSON, or what a pattern finds, if perhaps in escapes."""
    return (
        '\\"' in written
        or "\\u" in written
        or written.startswith(_NESTED)
        or any(pattern(written) for _, pattern in patterns)
    )


def _place(redactor: Redactor, path: str, name: str | None) -> str:
    """Write out where a value is; a name that would not leave is not shown either."""
    return f"{path}[*]" if name is None else f"{path}.{redactor.name(name, None).strip(_QUOTE)}"
