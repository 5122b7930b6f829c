"""The tokens of JSON text, and where a value ends that begins at one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A value, with its name in an object (of an object or array only its beginning), or the end of an object or array. The
# commas between are passed over; a text that is cut short goes to the end.
_STRING = r'"(?:[^"\\]++|\\.)*+(?:"|\Z)'
_TOKEN = re.compile(rf'(?:({_STRING}):)?(?:({_STRING})|([\[{{])|([^",:\[\]{{}}]++))|([\]}}])', re.DOTALL)
NAME, TEXT, OPENING, OTHER, CLOSING = 1, 2, 3, 4, 5

Tokens = Iterator[re.Match[str]]


def tokens_of(text: str, start: int = 0) -> Tokens:
    """Stream the tokens; the `lastindex` of each is TEXT, OPENING, OTHER or CLOSING, and its group NAME is the name."""
    return _TOKEN.finditer(text, start)


def end_of_value(token: re.Match[str], behind: Tokens) -> int:
    """Return where the value ends that a token is or begins, and take the tokens up to there from those behind it."""
    if token.lastindex != OPENING:
        return token.end()
    depth = 1
    for inner in behind:
        if inner.lastindex == OPENING:
            depth += 1
        elif inner.lastindex == CLOSING:
            depth -= 1
            if not depth:
                return inner.end()
    return len(token.string)
