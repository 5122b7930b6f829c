"""The forms of docs/redaction.md: each that is reached is replaced as a whole, each that is not stays as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.unit.redaction.samples import drop, hash_of, hashed, mask, redacted, redacted_input
from tests.unit.samples import record

PAGE = Path(__file__).parents[3] / "docs" / "redaction.md"
RULES = (mask(field="*password*"), mask(value="email"), mask(value="card_number"))
PASSWORD = mask(field="*password*")


def table(heading: str) -> list[tuple[str, ...]]:
    """The rows of the table under a heading; of each cell after the first, what is in backticks."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [(form.strip(), *(re.findall("`(.*)`", cell)[0] for cell in cells)) for form, *cells in rows[1:]]


@pytest.mark.promise("redaction-is-complete")
@pytest.mark.parametrize(("form", "before", "after"), table("What is reached"))
def test_forms_that_redaction_reaches(form: str, before: str, after: str) -> None:
    assert redacted_input(before, *RULES) == after, form


@pytest.mark.parametrize(("form", "example"), table("What is not reached"))
def test_forms_that_redaction_does_not_reach(form: str, example: str) -> None:
    assert redacted_input(example, *RULES) == example, form


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            r'400 Bad Request {"request":"{\"password\":\"a b\"}"}',
            r'400 Bad Request {"request":"{\"password\":\"***\"}"}',
        ),
        (r"x {\u0022password\u0022:\u0022a b\u0022}", r"x {\u0022password\u0022:\"***\"}"),
        (r'{\u0022password\u0022 : "a b"} x', r"{\u0022password\u0022 : \"***\"} x"),
        (
            r'400 {"a":"{\"b\":\"{\\\"password\\\":\\\"a b\\\"}\"}"}',
            r'400 {"a":"{\"b\":\"{\\\"password\\\":\\\"***\\\"}\"}"}',
        ),
        (r'400 {"pass\u0077ord":"x"}', r'400 {"pass\u0077ord":"***"}'),
        (r'400 {"password\"2": "x"}', r'400 {"password\"2": "***"}'),
        (r'{\"password": "x"} y', r'{\"password": "***"} y'),
        ("sent the \"password\": 'a b'.", 'sent the "password": "***".'),
        ("\"password\": 'it's me' y", '"password": "***" y'),
        ('"password": "a"b c" , y', '"password": "***" , y'),
        ('"password": hunter"2, y', '"password": "***", y'),
        ('"password": a}b y', '"password": "***" y'),
        ("\"password\": b'a b', 2", '"password": "***", 2'),
        ("{\"password\": Decimal('1 2')}", '{"password": "***"}'),
        ('"password": {"a": [1, "}]"], "b": \'}\'} y', '"password": "***" y'),
        ('"password": """a "b" c""" y', '"password": "***" y'),
        ("\"password\": '''it's me''' y", '"password": "***" y'),
        ('"password": `a b` y', '"password": "***" y'),
        ('"password": \u201ca b\u201d y', '"password": "***" y'),
        ('"password": \u201ea b\u201c y', '"password": "***" y'),
        ('"password": \u00aba b\u00bb y', '"password": "***" y'),
        ('"password": \u300ca b\u300d y', '"password": "***" y'),
        ('"password": @"a b" y', '"password": "***" y'),
        ('"password": "", y "password": `a b', '"password": "***", y "password": "***"'),
        ('cut "password": "x\\', 'cut "password": "***"'),
        ('cut "password": \'x y', 'cut "password": "***"'),
        (r"cut {\"password\": \"a b", r"cut {\"password\": \"***\""),
        ('assword": 1, "password" :\n["x"', 'assword": 1, "password" :\n"***"'),
        ('password": "cut at its beginning"', 'password": "***"'),
        ('x "password": null, "password":', 'x "password": null, "password":'),
    ],
)
def test_named_values_amid_words_are_masked_as_a_whole(text: str, left: str) -> None:
    assert redacted(record(error=text), PASSWORD).error == left


@pytest.mark.parametrize("written", ["hunter2", "'a b'", '"a b"', r"\"a b\"", '{"b": 1}', "[1, 2]", "b'x'"])
@pytest.mark.parametrize("before", ["", "words ", '5" tall ', "it's ", r"c:\new\u ", '{"a": "', "[["])
def test_no_part_of_a_value_is_left_whatever_is_before_it(before: str, written: str) -> None:
    for separator in (":", ": ", " : ", "=>", " => "):
        assert redacted(record(error=f'{before}"password"{separator}{written}'), PASSWORD).error == (
            f'{before}"password"{separator}"***"'
        )


def test_a_value_after_json_that_was_cut_short_is_masked_as_a_whole() -> None:
    text = r"""{{"name":"cut {\"password\":[\"","":"{\"password\" : [ \"x S3C}\", { \"b\":\"x S3C}\" }] }","n":1}"""
    left = redacted(record(error=text), PASSWORD).error
    assert left is not None
    assert "S3C" not in left


def test_many_values_inside_each_other_take_linear_time() -> None:
    for text in ('"password":[' * 5_000, '"password":"' * 5_000, '"password":{"a":' * 5_000 + "]}" * 5_000):
        left = redacted(record(error=text), PASSWORD).error
        assert left is not None
        assert len(left) < len(text)


def test_many_addresses_as_names_take_linear_time() -> None:
    names = 30_000
    left = redacted_input("{" + ",".join(f'"a@b.c{number}":1' for number in range(names)) + "}", mask(value="email"))
    assert left.endswith(f'"*** {names}":1}}')


def test_an_outer_value_amid_words_goes_before_an_inner_one() -> None:
    rules = (hashed(field="token"), PASSWORD, mask(value="email"))
    text = '400 "password": {"token": "x", "m": "a@b.co"}, "token": "a@b.co"'
    assert redacted(record(error=text), *rules).error == f'400 "password": "***", "token": "{hash_of("a@b.co")}"'


def test_a_name_amid_words_is_left_out_with_its_value_at_every_level_of_escapes() -> None:
    rule = drop(field="password")
    assert redacted(record(error=r'x {"a":"{\"password\":\"a b\"}"}'), rule).error == r'x {"a":"{}"}'
    assert redacted(record(error='x {"n": 1, "password": "x"}'), rule).error == 'x {"n": 1, }'


def test_pieces_that_overlap_are_replaced_as_one() -> None:
    text = "4111 1111 1111 1111@example.com"
    assert redacted(record(error=text), *RULES[1:]).error == "***"
    assert redacted(record(error=text), *RULES[:0:-1]).error == "***"
    assert redacted(record(error=r"a@b.co\u002euk"), *RULES).error == "***"


@pytest.mark.promise("redaction-is-exact")
def test_bytes_beside_a_replaced_piece_stay_also_in_texts_of_json() -> None:
    text = r'{"t":"\u00e9\/ \ud83d a@b.co \u000a","n":"{ \"a\" : [1.0, 1E+2 ] ,\u0022password\u0022:\t1 , \"\u00e9\":\"\\u00e9\" } "}'  # noqa: E501
    assert redacted_input(text, *RULES) == text.replace("a@b.co", "***").replace(r"\t1", r"\t\"***\"")


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (r'{"t":"{ \"password\" : 1 , \"b\" : 2 }"}', r'{"t":"{   \"b\" : 2 }"}'),
        (r'{"t":"{ \"b\" : 2 , \"password\" : 1 }"}', r'{"t":"{ \"b\" : 2 }"}'),
        (r'{"t":"{\u0022password\u0022:1\u002c\u0022b\u0022:2}"}', r'{"t":"{\u0022b\u0022:2}"}'),
        (
            r'{"t":"[{\"password\":1},{\"password\":1,\"password\":2,\"b\":{\"password\":3}}]"}',
            r'{"t":"[{},{\"b\":{}}]"}',
        ),
    ],
)
def test_a_member_is_left_out_of_json_in_a_text_with_one_comma(given: str, left: str) -> None:
    assert redacted_input(given, drop(field="password")) == left


def test_escapes_amid_words_beyond_sixteen_levels_are_refused() -> None:
    from job_history.errors import BadRecordError, QuarantineReason

    text = 'x "password": 1 ' + "\\" * 2**17
    with pytest.raises(BadRecordError) as refused:
        redacted(record(error=text), PASSWORD)
    assert refused.value.reason is QuarantineReason.REDACTION
