"""E-mail addresses in a text (RFC 5321, 5322 and 6531), as far as they can be distinguished from what is around
them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from functools import cache
from itertools import chain
from typing import NamedTuple

from job_history.redaction.span import Span

EXPRESSION = "@|%40|[\uff20\ufe6b]"

# `%40` is the @ of a URL; the others are the wide and the small @ of East Asian text.
_AT = re.compile("[@\uff20\ufe6b]|%40")
# A text that is nothing but the most common form of an address.
_COMMON = r"[A-Za-z0-9._+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++"
_WHOLE = re.compile(_COMMON)
# Whether a JSON string, in UTF-8, is one address of the most common form.
is_address = re.compile(f'"{_COMMON}"'.encode()).fullmatch
_SIGNS = "*#$!&=^`{|}~"  # as RFC 5322 allows them, and as text has them before an address
_QUOTED_BACKWARDS = re.compile(r'"(?:["\\]\\|[^"\\\r\n])*+"')
_MAX_QUOTED = 320  # characters; so the time stays linear
_MORE_LETTERS = "\u00b7\u0375\u05f3\u05f4\u2010\u2011\u30fb"  # punctuation that is a part of words and domains
_APOSTROPHE = "\u2019"
# Without arrows, lines of tables and shapes, which stand between words.
_BEYOND_ASCII = (range(0x80, 0x2190), range(0x2200, 0x2500), range(0x2600, 0x20000))
_MORE_MARKS = "\U000e0020-\U000e007f\U000e0100-\U000e01ef"


class _Parts(NamedTuple):
    local_backwards: re.Pattern[str]
    before_address: re.Pattern[str]
    domain: re.Pattern[str]


def find_emails(text: str) -> list[Span]:
    """Return where addresses are, in order and apart. The time is linear in the length of the text."""
    if _WHOLE.fullmatch(text):
        return [(0, len(text))]
    spans: list[Span] = []
    done = 0
    # Where the characters of a local part begin that go on to `done`, after a %40 that may be one of them.
    run: int | None = None
    local_backwards, _, domain_after = _parts()
    for at in _AT.finditer(text):
        backwards = text[done : at.start()][::-1]
        local = local_backwards.match(backwards)
        start = at.start() - (local.end() if local else 0)
        if start == done and run is not None:
            start = run
        domain = domain_after.match(text, at.end())
        address = _address_start(text, start, at.start()) if domain else None
        if domain and address is not None:
            done, run = domain.end(), None
            while spans and spans[-1][1] > address:
                spans.pop()  # it is in a quoted local part
            spans.append((address, done))
        else:
            done, run = at.end(), start if at[0] == "%40" else None
    return spans


def _address_start(text: str, start: int, end: int) -> int | None:
    if start == end:
        quoted = _QUOTED_BACKWARDS.match(text[max(0, end - _MAX_QUOTED) : end][::-1])
        return end - quoted.end() if quoted else None
    before = _parts().before_address.match(text, start, end)
    start = before.end() if before else start
    return start if start < end else None


@cache
def _parts() -> _Parts:
    """Build the expressions. `re` has no class for marks, which Hindi, Thai, Tamil and decomposed accents need, nor for
    symbols, which RFC 6531 allows: emoji are in use.
    """
    of_category = _characters_by_category()
    letters = rf"\w\-{_MORE_LETTERS}" + "".join(of_category[category] for category in ("Mn", "Mc", "Me")) + _MORE_MARKS
    invisible = of_category["Cf"]
    symbols = invisible + "".join(of_category[category] for category in ("Sc", "Sk", "So"))
    at_beginning = symbols + _APOSTROPHE
    dot = r"[.\u3002\uff0e\uff61]"
    return _Parts(
        re.compile(rf"[{letters}{at_beginning}.!#$%&'*+/=?^`{{|}}~]+"),
        # In a URL an address is a whole step of the path, or the value of a name. Symbols do not belong to it at its
        # beginning, unless there is nothing else.
        re.compile(
            r"(?s:.*[/?])?(?:(?s:.*&)?[A-Za-z_][\w.-]*+=)?"
            rf"(?:[{at_beginning}{_SIGNS}]*+(?!\Z)|[{_SIGNS}]*+)"
        ),
        # No top-level domain has symbols, so at the end they do not belong to it.
        re.compile(
            rf"(?:[{letters}{symbols}]++{dot})+[{letters}{invisible}]*[{letters}]|\[(?:IPv6:)?[0-9A-Fa-f:.]{{2,45}}\]"
        ),
    )


def _characters_by_category() -> dict[str, str]:
    """Return the characters beyond ASCII of each category of Unicode, as they are written in a class."""
    ranges: dict[str, list[list[int]]] = defaultdict(list)
    for point in chain.from_iterable(_BEYOND_ASCII):
        of_category = ranges[unicodedata.category(chr(point))]
        if of_category and of_category[-1][1] == point - 1:
            of_category[-1][1] = point
        else:
            of_category.append([point, point])
    return {category: "".join(f"{chr(first)}-{chr(last)}" for first, last in each) for category, each in ranges.items()}
