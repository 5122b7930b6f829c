"""Names and values in a text that is not JSON as a whole: JSON amid other words, or cut short, as in many an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from job_history.redaction.canonical import text_of
from job_history.redaction.location import Location, Rule
from job_history.redaction.tokens import end_of_value, tokens_of

# `=>` is how Ruby shows an object. The last group is where the value begins.
_NAME = re.compile(r'"(?=([^"\\]{1,200}+)"\s*+(?::|=>)\s*+())')
_WORD = re.compile(r'[^\s,"\[\]{}]++')
_NO_VALUE = ("", ",", "}", "]")


class NamedValue(NamedTuple):
    """A value that a rule is about, by its name; `text` is without its quotation marks."""

    rule: Rule
    name: str
    text: str
    name_start: int
    start: int
    end: int


def named_values(text: str, location: Location) -> Iterator[NamedValue]:
    """Stream the values under names that a rule would be about if they were members of what is at the location."""
    behind = 0
    for found in _NAME.finditer(text):
        rule = location.members[f'"{found[1]}"'].rule
        start = found.start(2)
        if rule is None or found.start() < behind or text[start : start + 1] in _NO_VALUE:
            continue
        behind = _end(text, start)
        yield NamedValue(rule, found[1], _plain(text[start:behind]), found.start(), start, behind)


def _end(text: str, start: int) -> int:
    word = _WORD.match(text, start)
    if word is not None:
        return word.end()
    tokens = tokens_of(text, start)
    return end_of_value(next(tokens), tokens)


def _plain(written: str) -> str:
    try:
        return text_of(written) if written.startswith('"') and written.endswith('"') else written
    except ValueError:
        return written
