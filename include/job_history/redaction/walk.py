"""One pass over compact JSON text, from which the edits come that the rules ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.redaction.edit import Edit
from job_history.redaction.location import Location
from job_history.redaction.tokens import CLOSING, NAME, OPENING, OTHER, TEXT, end_of_value, tokens_of

if TYPE_CHECKING:
    from job_history.redaction.redactor import Patterns, Redactor

_QUOTE = '"'
# What there is somewhere in JSON with a text in it that is JSON itself.
_SIGNS_OF_NESTED = ('\\"', "\\u", '"[', '"{')
_NESTED = "[{"

_Frame = tuple[Location, Location, str]
"""The object or array around one, where the next value in it is, and its path."""


def walk(redactor: Redactor, text: str, location: Location, patterns: Patterns, path: str) -> list[Edit]:
    """Follow the tokens of what is at the location. `patterns` are those to be looked for, `path` is for messages.

    It keeps its own stack, so that nesting costs no recursion, and sees each member of an object, also those whose name
    is there twice.
    """
    edits: list[Edit] = []
    frames: list[_Frame] = []
    names_taken: dict[int, set[str]] = {}
    texts_matter = bool(patterns) or any(sign in text for sign in _SIGNS_OF_NESTED)
    tells_paths = redactor.tells_paths
    container = here = location
    place = path
    tokens = tokens_of(text)
    for token in tokens:
        kind = token.lastindex
        if kind == CLOSING:
            names_taken.pop(len(frames), None)
            container, here, path = frames.pop()
            continue
        name = token[NAME]
        if name is not None:
            here = container.members[name]
        if tells_paths:
            place = _place(redactor, path, name) if frames else path
        if patterns and name is not None and (redacted := redactor.name(name, path)) != name:
            # By its object: two members must not come out with one name.
            taken = names_taken.setdefault(len(frames), set())
            edits.append(Edit(token.start(), token.end(NAME), _not_taken(redacted, taken)))
        if here.rule is not None:
            start, end = token.start(kind), end_of_value(token, tokens)
            after = redactor.value(here.rule, text[start:end], place)
            if after is not None:
                edits.append(Edit(start, end, after))
                continue
            if edits and edits[-1].start == token.start():
                edits.pop()
            edits.append(Edit(token.start(), end, None))
        elif kind == OPENING:
            frames.append((container, here, path))
            container, path = here, place
            if token[OPENING] == "[":
                here = container.element
        elif kind == TEXT:
            if (
                texts_matter
                and _matters(token[TEXT], patterns)
                and (after := redactor.written_text(token[TEXT], here, place)) is not None
            ):
                edits.append(Edit(*token.span(TEXT), after))
        elif patterns and (after := redactor.number(token[OTHER], place)) is not None:
            edits.append(Edit(*token.span(OTHER), after))
    return edits


def _matters(written: str, patterns: Patterns) -> bool:
    """Say whether there may be something in a text: JSON, or what a pattern finds, if perhaps in escapes."""
    return (
        '\\"' in written
        or "\\u" in written
        or written[1] in _NESTED
        or any(pattern(written) for _, pattern in patterns)
    )


def _place(redactor: Redactor, path: str, name: str | None) -> str:
    """Write out where a value is; a name that would not leave is not shown either."""
    return f"{path}[*]" if name is None else f"{path}.{redactor.name(name, None).strip(_QUOTE)}"


def _not_taken(name: str, taken: set[str]) -> str:
    number = 1
    numbered = name
    while numbered in taken:
        number += 1
        numbered = f'{name[:-1]} {number}"'
    taken.add(numbered)
    return numbered
