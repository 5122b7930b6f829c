"""E-mail addresses in a text (RFC 5321, 5322 and 6531), as far as they can be distinguished from what is around
them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import NamedTuple

from job_history.redaction.span import Span

EXPRESSION = "@|%40|[\uff20\ufe6b]"

# `%40` is the @ of a URL; the others are the wide and the small @ of East Asian text.
_AT = re.compile("[@\uff20\ufe6b]|%40")
# A text that is nothing but the most common form of an address.
_WHOLE = re.compile(r"[A-Za-z0-9._+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++")
# In a URL an address is a whole step of the path, or the value of a name.
_BEFORE_ADDRESS = re.compile(r"(?s:.*[/?])?(?:(?s:.*&)?[A-Za-z_][\w.-]*+=)?[*#$!&=^`{|}~]*+")
_QUOTED_BACKWARDS = re.compile(r'"(?:["\\]\\|[^"\\\r\n])*+"')
_MAX_QUOTED = 320  # characters; so the time stays linear
_MARKS_FROM, _MARKS_TO = 0x300, 0x1F000
_MORE_MARKS = "\U000e0100-\U000e01ef"


class _Parts(NamedTuple):
    local_backwards: re.Pattern[str]
    domain: re.Pattern[str]


def find_emails(text: str) -> list[Span]:
    """Return where addresses are, in order and apart. The time is linear in the length of the text."""
    if _WHOLE.fullmatch(text):
        return [(0, len(text))]
    spans: list[Span] = []
    done = 0
    # Where the characters of a local part begin that go on to `done`, after a %40 that may be one of them.
    run: int | None = None
    local_backwards, domain_after = _parts()
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
    before = _BEFORE_ADDRESS.match(text, start, end)
    start = before.end() if before else start
    return start if start < end else None


@cache
def _parts() -> _Parts:
    """Build the expressions. `re` has no class for marks, which Hindi, Thai, Tamil and decomposed accents need."""
    letters = r"\w\u200c\u200d" + _marks() + _MORE_MARKS
    domain = rf"[{letters}-]"
    return _Parts(
        re.compile(rf"[{letters}.!#$%&'*+/=?^`{{|}}~-]+"),
        re.compile(rf"{domain}++(?:[.\u3002\uff0e\uff61]{domain}++)++|\[(?:IPv6:)?[0-9A-Fa-f:.]{{2,45}}\]"),
    )


def _marks() -> str:
    ranges: list[list[int]] = []
    for point in range(_MARKS_FROM, _MARKS_TO):
        if unicodedata.category(chr(point)) in {"Mn", "Mc", "Me"}:
            if ranges and ranges[-1][1] == point - 1:
                ranges[-1][1] = point
            else:
                ranges.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
