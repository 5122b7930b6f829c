"""Named values in a text that is not JSON as a whole: JSON between other words, or cut short, as in many error
messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from job_history.redaction.canonical import text_of
from job_history.redaction.location import Location, Rule

# Comments as JSON5, YAML and settings of editors have them; so long at most that the time stays linear.
_COMMENT = r"/\*(?:[^*]|\*(?!/)){0,200}+\*/|(?://|#[ \t])[^\n]{0,200}+\n"
# The end of a name, and what leads to its value; `=>` is how Ruby writes an object.
_NAME_END = re.compile(rf'"(?:\s++|{_COMMENT})*+(?::|=>)\s*+')
_COMMENTS = re.compile(rf"(?:(?:{_COMMENT})\s*+)++(?![\s,}}\]]|\Z)")
# A quotation mark before a letter or a sign does not end a text: the value holds quotation marks without escapes. A
# text that is cut short goes to the end.
_ENDS = r"""(?=[\s,;:.!?)\]}"'\\<]|\Z)"""
_DOUBLE = re.compile(rf'"(?:[^"\\]++|\\.|"(?!{_ENDS}))*+(?:"|\\?\Z)', re.DOTALL)
_SINGLE = re.compile(rf"'(?:[^'\\]++|\\.|'(?!{_ENDS}))*+(?:'|\\?\Z)", re.DOTALL)
_ESCAPED_QUOTE = re.compile(r"""\\+["']""")
# What some languages write before a text: b'', u'', L"", @"", $"".
_PREFIX = re.compile(r"""[bBuUrRfFL@$]{1,2}(?=["'`])""")
# Quotation marks in which nothing is escaped. The longest is tried first.
_PAIRS = {
    '"""': '"""',
    "'''": "'''",
    "`": "`",
    "\u201c": "\u201d",
    "\u201e": "\u201c\u201d",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    "\u00ab": "\u00bb",
    "\u00bb": "\u00ab",
    "\u2039": "\u203a",
    "\u300c": "\u300d",
    "\u300e": "\u300f",
}
_WORD = re.compile(r"""[^\s,"'\[\]{}(]++""")
_GOES_ON = re.compile(r"""["'}\]](?=\w)""")
_IN_BRACKETS = re.compile(
    r"""("(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|(?<=[\s,:\[{(>=])'(?:[^'\\]++|\\.)*+')|([\[{(])|([\]})])""", re.DOTALL
)
_OPENING, _CLOSING = 2, 3
_MAX_READ = 20  # times that each character of a text is read, on average, to find where values end
_NO_VALUE = ("", ",", "}", "]")


class NamedValue(NamedTuple):
    """A value that a rule is about, by its name; `text` is without its quotation marks, places are in characters."""

    rule: Rule
    name: str
    text: str
    name_start: int
    start: int
    end: int


def may_hold_named_values(text: str) -> bool:
    """Return False only if `named_values` finds nothing."""
    return _NAME_END.search(text) is not None


def named_values(text: str, location: Location) -> Iterator[NamedValue]:
    """Stream the values under names that a rule would be about if they were members of what is at the location.

    Values may overlap: if a text is cut short, what follows may be taken for a part of it. The time is linear in the
    length of the text: after a limit, a value goes to its end.
    """
    name_floor = 0
    left = _MAX_READ * len(text)
    for found in _NAME_END.finditer(text):
        close, start = found.span()
        if text[start : start + 1] in _NO_VALUE or _is_escaped(text, close):
            continue
        for open_ in _openings(text, name_floor, close):
            name = _plain(text[open_ : close + 1])
            rule = location.member(name).rule
            if rule is not None:
                end = _end_of_value(text, start) if left > 0 else len(text)
                yield NamedValue(rule, name, _plain(text[start:end]), open_, start, end)
                if left <= 0:
                    return
                left -= end - start
                break
        name_floor = close + 1


def _openings(text: str, floor: int, close: int) -> Iterator[int]:
    """Stream where a name may begin that ends at a quotation mark: at the one before it, or at the first without
    escape.

    The beginning of the text is one, too: a name may be cut short there.
    """
    nearest = open_ = text.rfind('"', floor, close)
    if nearest < 0:
        if not floor:
            yield 0
        return
    yield nearest
    while open_ >= 0 and _is_escaped(text, open_):
        open_ = text.rfind('"', floor, open_)
    if open_ >= 0 and open_ != nearest:
        yield open_


def _is_escaped(text: str, place: int) -> bool:
    before = place
    while before and text[before - 1] == "\\":
        before -= 1
    return bool((place - before) % 2)


def _end_of_value(text: str, start: int) -> int:
    # A comment goes with the value after it: it may be the value itself, without quotation marks.
    if comments := _COMMENTS.match(text, start):
        start = comments.end()
    first = text[start]
    if first in "{[(":
        return _end_of_brackets(text, start)
    if prefix := _PREFIX.match(text, start):
        start = prefix.end()
    if (end := _end_of_pair(text, start)) is not None:
        return end
    for quoted in (_DOUBLE, _SINGLE):
        if found := quoted.match(text, start):
            return found.end()
    if quote := _ESCAPED_QUOTE.match(text, start):
        end = text.find(quote[0], quote.end())
        return len(text) if end < 0 else end + len(quote[0])
    return _end_of_word(text, start)


def _end_of_pair(text: str, start: int) -> int | None:
    """The end of a text in a pair of quotation marks of some language; that of all text if it is cut short."""
    opening = next((each for each in _PAIRS if text.startswith(each, start)), None)
    if opening is None:
        return None
    if len(opening) > 1:
        end = text.find(_PAIRS[opening], start + len(opening))
        return len(text) if end < 0 else end + len(opening)
    ends = (text.find(closing, start + 1) for closing in _PAIRS[opening])
    return min((end + 1 for end in ends if end > 0), default=len(text))


def _end_of_word(text: str, start: int) -> int:
    """The end of a number, a word, or something like `Decimal('1.5')`."""
    end = start
    while end < len(text):
        if word := _WORD.match(text, end):
            end = word.end()
        elif text[end] in "{[(":
            end = _end_of_brackets(text, end)
        elif _GOES_ON.match(text, end):
            end += 1
        else:
            break
    return max(end, start + 1)


def _end_of_brackets(text: str, start: int) -> int:
    depth = 0
    for part in _IN_BRACKETS.finditer(text, start):
        if part.lastindex == _OPENING:
            depth += 1
        elif part.lastindex == _CLOSING:
            depth -= 1
            if not depth:
                return part.end()
    return len(text)


def _plain(written: str) -> str:
    if len(written) > 1 and written[0] == written[-1] == "'":
        return written[1:-1]
    if not written.endswith('"'):
        return written
    try:
        return text_of(written if written.startswith('"') else f'"{written}')
    except ValueError:
        return written.strip('"')
