"""The tokens of JSON text."""

from __future__ import annotations

import re
from collections.abc import Iterator

# What is before a value (a comma, spaces), its name with the colon if it has one, and the value: a number, a word, one
# bracket, or a text. A text with an escape or the sign of an address is apart, because something may be in it.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PLAIN = r'"[^"\\@%]*+"|[{}\[\]]|[^\s",:\[\]{}]++'
_TOKEN = re.compile(rf"([,\s]*+)({_STRING}\s*+:\s*+)?(?:({_PLAIN})|({_STRING}))", re.DOTALL)
BEFORE, NAME, VALUE = 0, 1, 2
PARTS = 4
_OPENING, _CLOSING = ("{", "["), ("}", "]")
BRACKET = "["
"""All brackets are greater than this or equal to it, and no text or number is."""

Token = tuple[str, str, str, str]
"""BEFORE, NAME, VALUE and a text that is apart. Together, all parts of all tokens are the text but for spaces at its end."""


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of valid JSON."""
    return _TOKEN.findall(text)


def last_token_of_value(first: str, index: int, following: Iterator[tuple[int, Token]]) -> int:
    """Return the index of the last token of the value that begins with token `index`, and take the tokens up to it."""
    if first not in _OPENING:
        return index
    depth = 1
    for number, (_, _, value, _) in following:
        if value in _OPENING:
            depth += 1
        elif value in _CLOSING:
            depth -= 1
            if not depth:
                return number
    raise ValueError("an object or array without its end")


def name_of(part: str) -> str:
    """Return a name as it is written, without its quotation marks, from a NAME part."""
    return part[1 : part.rindex('"')]


def indexes_above(tokens: list[Token], index: int) -> list[int]:
    """Return the tokens below the outermost one in which token `index` lies, from the outside, and itself."""
    found = [index]
    depth = 0
    for number in range(index - 1, -1, -1):
        value = tokens[number][VALUE]
        if value in _CLOSING:
            depth += 1
        elif value in _OPENING:
            if depth:
                depth -= 1
            else:
                found.append(number)
    return found[-2::-1]
