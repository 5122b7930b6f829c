"""Card numbers in a text: 13 to 19 digits with a beginning and a length in use, and the right check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

import re2

from job_history.redaction.span import Span

MIN_DIGITS, MAX_DIGITS = 13, 19
# Digits in groups, with single spaces or hyphens between groups; a card number begins and ends with a group.
EXPRESSION = r"(?:^|[^0-9])[2-6](?:[ -]?[0-9]){12,18}(?:$|[^0-9])"
_CANDIDATE = re.compile(r"(?<![0-9])[2-6](?:[ -]?[0-9]){12,18}(?![0-9])")
# The same again, many times as fast.
_CANDIDATE_IN_BYTES = re2.compile(EXPRESSION).search
_DIGIT = re.compile(rb"[0-9]")
_RUN = re.compile(r"[0-9]++(?:[ -][0-9]++)*+")
_GROUP = re.compile(r"[0-9]++")
# ISO/IEC 7812, as the card schemes publish it: Visa, Mastercard, American Express, Diners Club, Discover, JCB,
# UnionPay, Maestro.
_CARD = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}"
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}|35\d{14,17}|62\d{14,17}|(?:50|5[6-9]|6\d)\d{11,17}"
)
_BEGINNING_DIGITS = 4
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def places_of_candidates(text: bytes, done: int = 0) -> Iterator[int]:
    """Stream a place in each stretch of a text, in UTF-8, that may hold a card number."""
    while candidate := _CANDIDATE_IN_BYTES(text, done):
        done = place_in(candidate)
        yield done


def place_in(candidate: re.Match[bytes]) -> int:
    """Return a place in a stretch that EXPRESSION found: too close to its end for its digits to be found again."""
    return candidate.end() - MIN_DIGITS + 1


def has_enough_digits(text: bytes) -> bool:
    """Whether a text may be one that EXPRESSION found."""
    return len(_DIGIT.findall(text)) >= MIN_DIGITS


def find_cards(text: str) -> list[Span]:
    """Return where card numbers are, in order and apart. The time is linear in the length of the text."""
    spans: list[Span] = []
    done = 0
    while candidate := _CANDIDATE.search(text, done):
        run = _RUN.match(text, candidate.start())
        if run is None:
            break
        spans += _cards_in_run(text, run)
        done = run.end()
    return spans


def _cards_in_run(text: str, run: re.Match[str]) -> Iterator[Span]:
    groups = [group.span() for group in _GROUP.finditer(text, *run.span())]
    digits = run[0].replace(" ", "").replace("-", "")
    values = [int(digit) for digit in digits]
    # Luhn's sum (ISO/IEC 7812-1, annex B) of any part is a difference of two of these, with every other digit doubled.
    sums = tuple(
        [0, *accumulate(_DOUBLED[value] if place % 2 == odd else value for place, value in enumerate(values))]
        for odd in (0, 1)
    )
    ends: dict[int, int] = {}
    starts: list[int] = []
    count = 0
    for number, (start, end) in enumerate(groups):
        starts.append(count)
        count += end - start
        ends[count] = number
    following = 0
    for first, start in enumerate(starts):
        if first < following:
            continue
        for length in _lengths(digits[start : start + _BEGINNING_DIGITS]):
            last = ends.get(start + length)
            if last is not None:
                sum_ = sums[(start + length) % 2]
                if not (sum_[start + length] - sum_[start]) % 10:
                    following = last + 1
                    yield groups[first][0], groups[last][1]
                    break


@lru_cache(maxsize=10_000)
def _lengths(beginning: str) -> tuple[int, ...]:
    """Return the lengths in use of numbers that begin so, the longest first."""
    lengths = range(MAX_DIGITS, MIN_DIGITS - 1, -1)
    return tuple(length for length in lengths if _CARD.fullmatch(beginning.ljust(length, "0")))
