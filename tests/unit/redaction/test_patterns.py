"""Values that are known by their looks: which are found, to the character, and which are not."""

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_history.redaction.card_numbers import places_of_candidates
from job_history.redaction.patterns import PATTERNS

# ruff: noqa: RUF001 - addresses of many scripts

# The card schemes' own test numbers.
CARDS = {
    "Visa": "4111111111111111",
    "Visa of 13 digits": "4222222222222",
    "Visa of 19 digits": "4000000000000000006",
    "Mastercard": "5555555555554444",
    "Mastercard, 2 series": "2223003122003222",
    "American Express": "378282246310005",
    "Discover": "6011111111111117",
    "Diners Club": "30569309025904",
    "JCB": "3530111333300000",
    "UnionPay": "6240008631401148",
    "Maestro": "6759649826438453",
}


def found(name: str, text: str) -> list[str]:
    return [text[start:end] for start, end in PATTERNS[name].find(text)]  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("a@b.co", ["a@b.co"]),
        ("Mail <ana.d'souza+crm@mail.example.co.uk>, or call.", ["ana.d'souza+crm@mail.example.co.uk"]),
        ("mailto:x_1@example.com?subject=hi", ["x_1@example.com"]),
        ("jürgen@müller.example", ["jürgen@müller.example"]),
        ("?user=ana%40example.com&x=1", ["ana%40example.com"]),
        ("100%ana@example.com", ["100%ana@example.com"]),
        ("a@b.co,c@d.co;e@f.co", ["a@b.co", "c@d.co", "e@f.co"]),
        ("a@b@c.co", ["b@c.co"]),
        ("to a@b.co. Then", ["a@b.co"]),
        ("ana@localhost", []),
        ("@example.com", []),
        ("ana@", []),
        ("at 5 @ 3.50", []),
        ("e\u0301va@exa\u0308mple.com", ["e\u0301va@exa\u0308mple.com"]),
        ("हिन्दी@उदाहरण.भारत", ["हिन्दी@उदाहरण.भारत"]),
        ("<ผู้ใช้@ตัวอย่าง.ไทย>", ["ผู้ใช้@ตัวอย่าง.ไทย"]),
        ("தமிழ்@உதாரணம்.இந்தியா", ["தமிழ்@உதாரணம்.இந்தியா"]),
        ("می\u200cخواهم@example.com", ["می\u200cخواهم@example.com"]),
        ('to "ada lovelace"@example.com', ['"ada lovelace"@example.com']),
        ('"a\\"b@c"@example.com', ['"a\\"b@c"@example.com']),
        ('"a@b.co c"@example.com', ['"a@b.co c"@example.com']),
        ('x"@example.com', []),
        ("ada!x@example.com", ["ada!x@example.com"]),
        ("a&b#c$d*e^f`g{h|i}j~k@example.com", ["a&b#c$d*e^f`g{h|i}j~k@example.com"]),
        ("a" * 1_000 + "@example.com", ["a" * 1_000 + "@example.com"]),
        ("prvs=1234=ada@example.com", ["1234=ada@example.com"]),
        ("?a=1&m=ana@example.com", ["ana@example.com"]),
        ("/users/ana@example.com/x", ["ana@example.com"]),
        ("{ana@example.com}", ["ana@example.com"]),
        ("a%40b%40example.com", ["a%40b%40example.com"]),
        ("ana＠example。com", ["ana＠example。com"]),
        ("ana@[IPv6:2001:db8::1]", ["ana@[IPv6:2001:db8::1]"]),
        ("ana\U0001f600@example.com", ["ana\U0001f600@example.com"]),
        ("\U0001f4e7ana@example.com\U0001f44d", ["ana@example.com"]),
        ("to \U0001f44d\U0001f3fd@example.com", ["\U0001f44d\U0001f3fd@example.com"]),
        ("ana@i\u2764\ufe0f.ws, ok", ["ana@i\u2764\ufe0f.ws"]),
        ("ana\u20ac@example.com", ["ana\u20ac@example.com"]),
        ("\ufeffa\u00adna@ex\u200bample.com\u200b", ["a\u00adna@ex\u200bample.com"]),
        ("\u2018o\u2019neil@example.com\u2019", ["o\u2019neil@example.com"]),
        ("x\u2192ana@example.com\u2502y", ["ana@example.com"]),
        ("ana@例え・テスト.jp", ["ana@例え・テスト.jp"]),
        ("ana@col·legi.cat", ["ana@col·legi.cat"]),
    ],
)
def test_addresses(text: str, addresses: list[str]) -> None:
    assert found("email", text) == addresses


@pytest.mark.parametrize("number", CARDS.values(), ids=CARDS)
def test_a_card_number_with_its_check_digit_in_whatever_grouping(number: str) -> None:
    grouped = " ".join(number[place : place + 4] for place in range(0, len(number), 4))
    for written in (number, grouped, grouped.replace(" ", "-")):
        assert found("card_number", f"PAN{written}, valid 12/29") == [written]
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert found("card_number", f"PAN {wrong}") == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("order 77 4111 1111 1111 1111 12 29", ["4111 1111 1111 1111"]),
        ("4111111111111111 4111111111111111", ["4111111111111111"] * 2),
        ("4 1 1 1-1 1 1 1 1 1 1 1 1 1 1 1", ["4 1 1 1-1 1 1 1 1 1 1 1 1 1 1 1"]),
        ("41 11111111111111 x", ["41 11111111111111"]),
        ("4111  1111  1111  1111", []),
        ("1526860810000", []),  # a time in milliseconds
        ("41111111111111110", []),  # one digit more
        ("00000000000000000000", []),
        ("é٤١١١١١١١١١١١١١١١", []),  # digits, but not of a card
        ("zł 4111111111111111 🚀 5555555555554444", ["4111111111111111", "5555555555554444"]),
    ],
)
def test_numbers_among_others(text: str, numbers: list[str]) -> None:
    assert found("card_number", text) == numbers


@given(st.text(), st.sampled_from(sorted(PATTERNS)))
def test_what_is_found_lies_in_the_text_in_order_and_apart(text: str, name: str) -> None:
    places = [place for span in PATTERNS[name].find(text) for place in span]  # type: ignore[index]
    assert places == sorted(places)
    assert all(0 <= place <= len(text) for place in places)


@pytest.mark.parametrize(
    "unit",
    ["a", "a@", "%41", "1 ", "4", "@b.", "a.b@", "-1", "%40a", "4 ", '\\"@', '"@', "&=", "a=&", "4-4111 ", "\u0301@"],
)
def test_a_text_that_is_made_to_be_slow_is_not(unit: str) -> None:
    """An expression that goes back over so many characters would be at it for hours, and time the test out."""
    text = unit * (200_000 // len(unit))
    for pattern in PATTERNS.values():
        pattern.find(text)


@given(
    st.lists(st.sampled_from([*CARDS.values(), "4 1", "1", "-", " ", "x", "é", "12", "411111"]), max_size=12),
    st.randoms(),
)
def test_the_scan_for_card_numbers_finds_a_place_in_each(parts: list[str], random: Random) -> None:
    text = "".join(part if random.random() < 0.5 else " ".join(part) for part in parts)
    spans = [
        (len(text[:start].encode()), len(text[:end].encode())) for start, end in PATTERNS["card_number"].find(text)
    ]
    places = [*places_of_candidates(text.encode())]
    # One place stands for a stretch of digits with single spaces and hyphens.
    stretches = [found.span() for found in re.finditer(rb"[0-9](?:[ -]?[0-9])*", text.encode())]
    for start, end in spans:
        first, last = next(each for each in stretches if each[0] <= start and end <= each[1])
        assert any(first <= place <= last for place in places)
