"""The tokens of JSON text, in UTF-8."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

# What is before a value (a comma, spaces), its name with the colon if it has one, and the value: a number, a word, one
# bracket, or a text. A text with an escape or the sign of an address is apart, because something may be in it.
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_PLAIN = rb'"[^"\\@%]*+"|[{}\[\]]|[^\s",:\[\]{}]++'
_TOKEN = re.compile(rb"([,\s]*+)(%b\s*+:\s*+)?(?:(%b)|(%b))" % (_STRING, _PLAIN, _STRING), re.DOTALL)
BEFORE, NAME, VALUE = 0, 1, 2
PARTS = 4
BRACKET = b"["
"""All brackets are greater than this or equal to it, and no text or number is."""
OPENING, CLOSING = (b"{", b"["), (b"}", b"]")

# In masked text, control characters replace the escapes that could be mistaken for something else, so that a quotation
# mark is one. No valid JSON has them.
_NUMBER = b"+-.0123456789eE"
_NAMES = re.compile(rb'(?:[^"]++|"[^"]*+"(?!\s*+:))*+"([^"]*+)"')

Token = tuple[bytes, bytes, bytes, bytes]
"""BEFORE, NAME, VALUE and a text that is apart.

Together, all parts of all tokens are the text but for spaces at its end.
"""


def tokens_of(text: bytes) -> list[Token]:
    """Return the tokens of valid JSON."""
    return _TOKEN.findall(text)


def masked(text: bytes, marks: Iterable[int] = ()) -> bytes:
    """Replace the escapes of valid JSON by control characters, of the same length: 1 for backslashes, 0 for all else.

    Escapes that write neither a quotation mark nor any character stay. The number or text at each mark gets a 0, too.
    """
    if b"\\" in text:
        text = text.replace(b"\\\\", b"\1\1").replace(b'\\"', b"\0\0")
        # A backslash that means itself may begin an escape of a deeper level.
        text = text.replace(b"\\u", b"\0u").replace(b"\1u", b"\0u")
    marked = bytearray(text)
    for mark in marks:
        while mark and marked[mark - 1] in _NUMBER and marked[mark] in _NUMBER:
            mark -= 1  # noqa: PLW2901
        marked[mark] = 0
    return bytes(marked)


def is_masked(part: bytes) -> bool:
    """Whether a part of a token is written otherwise than in the text."""
    return b"\0" in part or b"\1" in part


def names_in(masked_text: bytes) -> set[bytes]:
    """Return the names in masked JSON, without their quotation marks."""
    return {*_NAMES.findall(masked_text)}


def tokens_with_names(masked_text: bytes, names: frozenset[bytes]) -> list[Token]:
    """Return tokens of masked objects and arrays: all brackets, the members of some names, and the texts apart.

    All else is in BEFORE. So a value without NAME may be a member of another name.
    """
    return _skipping(names).findall(masked_text)


@lru_cache(maxsize=1_000)
def _skipping(names: frozenset[bytes]) -> re.Pattern[bytes]:
    unnamed = b'(?!(?:%b)"\\s*+:)' % b"|".join(map(re.escape, sorted(names))) if names else b""
    return re.compile(
        rb'((?:[^"{}\[\]\0]++|"%b[^"@%%\0]*+")*+)("[^"]*+"\s*+:\s*+)?(?:([{}\[\]]|[^\s",:\[\]{}]++)|("[^"]*+"))'
        % unnamed
    )


def last_token_of_value(first: bytes, index: int, following: Iterator[tuple[int, Token]]) -> int:
    """Return the index of the last token of the value that begins with token `index`, and take the tokens up to it."""
    if first not in OPENING:
        return index
    depth = 1
    for number, (_, _, value, _) in following:
        if value in OPENING:
            depth += 1
        elif value in CLOSING:
            depth -= 1
            if not depth:
                return number
    raise ValueError("an object or array without its end")


def indexes_above(tokens: list[Token], index: int) -> list[int]:
    """Return the tokens of the values in which token `index` lies, from the outermost one, and itself."""
    found = [index]
    depth = 0
    for number in range(index - 1, -1, -1):
        value = tokens[number][VALUE]
        if value in CLOSING:
            depth += 1
        elif value in OPENING:
            if depth:
                depth -= 1
            else:
                found.append(number)
    return found[::-1]
