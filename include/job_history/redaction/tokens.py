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
BEFORE, NAME, VALUE, TEXT = 0, 1, 2, 3
OPENING, CLOSING = (b"{", b"["), (b"}", b"]")

# What may end a name inside a text: what follows may be written with escapes, beyond ASCII there are spaces, and there
# may be a comment.
NAME_END = rb'\\"[\s\x80-\xff]*+[:=\\/#]'
# A text without these is passed over: what may end a name inside it, an escape that writes any character, the sign of
# an address, or a mark. A backslash that means itself may begin an escape of a deeper level.
_REST_OF_PLAIN = rb'[^"\\@%\0]*+(?:\\(?:[bfnrt/]|\\(?!u)|"(?![\s\x80-\xff]*+[:=\\/#]))[^"\\@%\0]*+)*+"'
_NO_TEXT = rb'[^"{}\[\]\0]*+'
# Between two objects of one array nothing changes; the texts of a batch have no comma between them.
_NEXT_OBJECT = b"},{"
_NUMBER = b"+-.0123456789eE"
_NAMES = re.compile(rb'(?:[^"]++|%b(?!\s*+:))*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|\Z)' % _STRING, re.DOTALL)
_ANY_STRING = re.compile(_STRING, re.DOTALL)

Token = tuple[bytes, bytes, bytes, bytes]
"""BEFORE, NAME, VALUE and a text that is apart.

Together, all parts of all tokens are the text but for spaces at its end.
"""


def tokens_of(text: bytes) -> list[Token]:
    """Return the tokens of valid JSON."""
    return _TOKEN.findall(text)


def places_of(signs: Iterable[bytes], data: bytes) -> Iterator[int]:
    """Stream where signs are."""
    for sign in signs:
        place = data.find(sign)
        while place >= 0:
            yield place
            place = data.find(sign, place + 1)


def marked(text: bytes, marks: Iterable[int]) -> bytes:
    """Write a zero byte, which no valid JSON has, into the text at each mark, or at the start of the number there."""
    marked = bytearray(text)
    for mark in marks:
        while mark and marked[mark - 1] in _NUMBER and marked[mark] in _NUMBER:
            mark -= 1  # noqa: PLW2901
        marked[mark] = 0
    return bytes(marked)


def names_in(text: bytes) -> set[bytes]:
    """Return the names in valid JSON, without their quotation marks, and perhaps an empty one."""
    return {*_NAMES.findall(text)}


def tokens_with_names(marked_text: bytes, names: frozenset[bytes]) -> list[Token]:
    """Return tokens of objects and arrays: brackets, the members of some names, what is marked, and the texts apart.

    All else is in BEFORE, also an array inside another value that has none of these, and the brackets between two
    objects of an array. So a value without NAME may be a member of another name.
    """
    return _skipping(names).findall(marked_text)


@lru_cache(maxsize=1_000)
def _skipping(names: frozenset[bytes]) -> re.Pattern[bytes]:
    unnamed = b'(?!(?:%b)"\\s*+:)' % b"|".join(map(re.escape, sorted(names))) if names else b""
    text = b'"' + unnamed + _REST_OF_PLAIN + _NO_TEXT
    array = rb"(?<=[:,\[])\[%b(?:%b)*+\]" % (_NO_TEXT, text)
    # Most texts begin otherwise than all names, and have no escape: they need no closer look.
    beginnings = re.escape(bytes({name[0] for name in names if name}))
    usual = rb'"[^"\\@%%\0%b][^"\\@%%\0]*+"%b' % (beginnings, _NO_TEXT)
    before = b"%b(?:%b|%b|(?:%b|%b)%b)*+" % (_NO_TEXT, usual, text, _NEXT_OBJECT, array, _NO_TEXT)
    return re.compile(
        rb'(%b)(%b\s*+:\s*+)?(?:([{}\[\]]|[^\s",:\[\]{}]++)|(%b))' % (before, _STRING, _STRING), re.DOTALL
    )


def is_first_member(before: bytes) -> bool:
    """Whether BEFORE ends at the beginning of a further object."""
    return before.rstrip().endswith(_NEXT_OBJECT)


def is_in_another_object(tokens: list[Token], index: int, floor: int) -> bool:
    """Whether the member at token `index` is in another object of the array than an earlier token of its level."""
    depth = 0
    for number in range(index, floor, -1):
        before, _, value, _ = tokens[number]
        if number != index:
            depth += (value in CLOSING) - (value in OPENING)
        if not depth and _NEXT_OBJECT in before and _NEXT_OBJECT in _ANY_STRING.sub(b"", before):
            return True
    return False


def last_token_of_value(following: Iterator[tuple[int, Token]]) -> int:
    """Take the tokens of an object or array after its opening bracket, and return the index of the last one."""
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
