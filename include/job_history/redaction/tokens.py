"""The tokens of JSON text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

# What is before a value (a comma, spaces), its name with the colon if it has one, and the value: a number, a word, one
# bracket, or a text. A text with an escape or the sign of an address is apart, because something may be in it.
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PLAIN = r'"[^"\\@%]*+"|[{}\[\]]|[^\s",:\[\]{}]++'
_TOKEN = re.compile(rf"([,\s]*+)({_STRING}\s*+:\s*+)?(?:({_PLAIN})|({_STRING}))", re.DOTALL)
BEFORE, NAME, VALUE = 0, 1, 2
PARTS = 4
BRACKET = "["
"""All brackets are greater than this or equal to it, and no text or number is."""
_OPENING, _CLOSING = ("{", "["), ("}", "]")

# In masked text, control characters replace the escapes that could be mistaken for something else, so that a quotation mark
# is one. No valid JSON has them.
_NUMBER = "+-.0123456789eE"
_NAMES = re.compile(r'(?:[^"]++|"[^"]*+"(?!\s*+:))*+"([^"]*+)"')

Token = tuple[str, str, str, str]
"""BEFORE, NAME, VALUE and a text that is apart. Together, all parts of all tokens are the text but for spaces at its end."""


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of valid JSON."""
    return _TOKEN.findall(text)


def masked(text: str, marks: Iterable[int] = ()) -> str:
    """Replace the escapes of valid JSON by control characters, one for one: \\1 for a backslash that means itself, else \\0.

    Escapes that write neither a quotation mark nor any character stay. The number or text at each mark gets a \\0, too.
    """
    if "\\" in text:
        text = text.replace("\\\\", "\1\1").replace('\\"', "\0\0")
        # A backslash that means itself may begin an escape of a deeper level.
        text = text.replace("\\u", "\0u").replace("\1u", "\0u")
    for mark in marks:
        while text[mark - 1] in _NUMBER and text[mark] in _NUMBER:
            mark -= 1  # noqa: PLW2901
        text = f"{text[:mark]}\0{text[mark + 1 :]}"
    return text


def is_masked(part: str) -> bool:
    """Whether a part of a token is written otherwise than in the text."""
    return "\0" in part or "\1" in part


def names_in(masked_text: str) -> set[str]:
    """Return the names in masked JSON, without their quotation marks."""
    return {*_NAMES.findall(masked_text)}


def tokens_with_names(masked_text: str, names: frozenset[str]) -> list[Token]:
    """Return tokens of masked JSON, an object or array: all brackets, the members of some names, and the texts apart.

    All else is in BEFORE. So a value without NAME may be a member of another name.
    """
    return _skipping(names).findall(masked_text)


@lru_cache(maxsize=1_000)
def _skipping(names: frozenset[str]) -> re.Pattern[str]:
    unnamed = f'(?!(?:{"|".join(map(re.escape, sorted(names)))})"\\s*+:)' if names else ""
    return re.compile(
        rf'((?:[^"{{}}\[\]\0]++|"{unnamed}[^"@%\0]*+")*+)("[^"]*+"\s*+:\s*+)?(?:([{{}}\[\]]|[^\s",:\[\]{{}}]++)|("[^"]*+"))'
    )


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
