"""The scan that skips texts: it finds a literal in every text that holds it, however it is written."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job_history.redaction.prefilter import FOLDED_TO_ASCII, Prefilter, literal_of

# ruff: noqa: RUF001
LITERALS = [
    "password",
    "ssn",
    "s",
    "ff",
    "office",
    "token",
    "ss",
    "fflush",
    "kiss",
    "i",
    "n",
    "straße",
    "пароль",
    "pass word",
]


@pytest.mark.parametrize("literal", LITERALS)
@settings(max_examples=25)
@given(
    before=st.text("sſßfﬁﬀktnŉ x", max_size=3),
    picks=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    after=st.text("sſßfﬃﬀktnẖ x", max_size=3),
)
def test_a_text_that_holds_a_literal_when_it_is_casefolded_is_never_skipped(
    literal: str, before: str, picks: list[int], after: str
) -> None:
    literal = literal.casefold()
    text = (
        before
        + "".join(character.upper() if pick else character for character, pick in zip(literal, picks, strict=False))
        + after
    )
    for character, folded in FOLDED_TO_ASCII.items():
        for each in (text, text.lower().replace(folded, character), before + literal[1:] + after):
            if literal in each.casefold():
                assert Prefilter([literal], []).may_find(each)


def test_all_characters_that_casefold_to_ascii_are_known() -> None:
    prefilters = {letter: Prefilter([letter], []) for letter in "abcdefghijklmnopqrstuvwxyz"}
    for character in map(chr, range(128, sys.maxunicode + 1)):
        folded = character.casefold()
        letters = [letter for letter in folded if letter in prefilters]
        if letters and len(folded) > 1:
            assert character in FOLDED_TO_ASCII
        assert all(prefilters[letter].may_find(character) for letter in letters)


@pytest.mark.parametrize("text", [r"\u0070assword", r"{\"a\":\"\\\\u0070\"}", r"\U0070"])
def test_a_text_with_escapes_of_four_digits_is_never_skipped(text: str) -> None:
    assert Prefilter(["password"], []).may_find(text)


def test_a_text_without_the_literal_is_skipped() -> None:
    assert not Prefilter(["password", "ssn"], ["@"]).may_find('{"name":"Größe","n":[1,2],"pass":"word","t":"\\"\\n"}')


@pytest.mark.parametrize(
    ("pieces", "literal"),
    [(["a", "bcd"], "bcd"), (['ab"cde\\f'], "cde"), (["", '"'], None), (["x" * 20], "x" * 10), ([], None)],
)
def test_the_literal_of_a_name_has_no_character_that_a_short_escape_may_write(pieces: list[str], literal: str) -> None:
    assert literal_of(pieces) == literal
