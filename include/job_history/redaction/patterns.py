"""Values that are known by their looks, wherever they stand in a text. The work grows with the text, never faster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain

from job_history.redaction.rules import PatternName

Span = tuple[int, int]
Pattern = Callable[[str], list[Span]]
"""Where in a text such values are, in order and apart."""

# `%40` is the @ of a URL. The address proper is looked for around it, backwards and forwards: an expression for all of it
# would be tried at every word.
_AT = re.compile("@|%40")
_LOCAL_PART_BACKWARDS = re.compile(r"[\w.+'%-]+")
_DOMAIN = re.compile(r"[\w-]++(?:\.[\w-]++)++")
_MAX_LOCAL_PART = 320

_ASCII_DIGITS_ALIKE = bytes(ord("0") if chr(byte) in "0123456789" else byte for byte in range(256))
# Thirteen digits or more with at most one space or hyphen between them.
_DIGITS = re.compile(rb"0(?:[ -]?0){12,}+")
_GROUP = re.compile(rb"0+")
# The beginnings and lengths in use (ISO/IEC 7812, as the card schemes publish them): Visa, Mastercard, American Express,
# Diners Club, Discover, JCB, UnionPay, Maestro.
_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}"
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}|35\d{14,17}|62\d{14,17}|(?:50|5[6-9]|6\d)\d{11,17}"
)
_MAX_CARD = 19
_FIRST_DIGITS = "23456"
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _emails(text: str) -> list[Span]:
    if "@" not in text and "%40" not in text:
        return []
    spans: list[Span] = []
    behind = 0
    for at in _AT.finditer(text):
        domain = _DOMAIN.match(text, at.end())
        before = text[max(behind, at.start() - _MAX_LOCAL_PART) : at.start()][::-1]
        local_part = _LOCAL_PART_BACKWARDS.match(before)
        if domain and local_part:
            behind = domain.end()
            spans.append((at.start() - local_part.end(), behind))
    return spans


def _cards(text: str) -> list[Span]:
    # A character is a byte here, so that places are the same; memory is searched for one digit instead of for ten.
    alike = text.encode("ascii", "replace").translate(_ASCII_DIGITS_ALIKE)
    return list(chain.from_iterable(_cards_among(text, alike, run) for run in _DIGITS.finditer(alike)))


def _cards_among(text: str, alike: bytes, run: re.Match[bytes]) -> Iterator[Span]:
    """Look at each group of digits, which may be where a number begins or ends."""
    groups = [group.span() for group in _GROUP.finditer(alike, *run.span())]
    first = 0
    while first < len(groups):
        last = _last_group_of_card(text, groups, first)
        if last is None:
            first += 1
        else:
            yield groups[first][0], groups[last][1]
            first = last + 1


def _last_group_of_card(text: str, groups: list[Span], first: int) -> int | None:
    if text[groups[first][0]] not in _FIRST_DIGITS:
        return None
    digits = ""
    last_found = None
    for last in range(first, len(groups)):
        start, end = groups[last]
        if end - start + len(digits) > _MAX_CARD:
            break
        digits += text[start:end]
        if _CARD.fullmatch(digits) and _check_digit_fits(digits):
            last_found = last
    return last_found


def _check_digit_fits(digits: str) -> bool:
    """Luhn's sum, ISO/IEC 7812-1 annex B."""
    return not (sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])) % 10


PATTERNS: dict[PatternName, Pattern] = {"email": _emails, "card_number": _cards}
