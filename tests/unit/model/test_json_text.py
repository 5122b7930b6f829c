"""JSON text passes through with each token as it was, and whatever is no JSON does not pass."""

import json
import re
from typing import Never

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden_messages import CheckMessage

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.json_text import compact_json

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')

escapes = st.sampled_from(
    [r"\n", r"\"", r"\\", r"\/", r"\u00e9", r"\u0020", r"\ud83d\ude00", r"\ud83d", r"\uDE00", r"\\ud83d"]
)
plain = st.characters(exclude_categories=["Cs"], min_codepoint=32).filter(lambda character: character not in '"\\')
strings = st.lists(escapes | plain, max_size=8).map(lambda parts: f'"{"".join(parts)}"')
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
space = st.sampled_from(["", "", " ", "\n", "\t \r\n"])


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    inside = ",".join(draw(space) + value + draw(space) for value in draw(st.lists(values, max_size=4)))
    return f"[{inside or draw(space)}]"


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    members = draw(st.lists(st.tuples(strings, values), max_size=4))
    inside = ",".join(f"{draw(space)}{name}{draw(space)}:{draw(space)}{value}{draw(space)}" for name, value in members)
    return f"{{{inside or draw(space)}}}"


texts = st.recursive(
    st.sampled_from(["true", "false", "null"]) | numbers | strings,
    lambda values: arrays(values) | objects(values),
    max_leaves=12,
)


def is_json(text: str) -> bool:
    def refused(constant: str) -> Never:
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refused)
    except ValueError:
        return False
    return True


def passes(text: str) -> bool:
    try:
        compact_json("report", text)
    except BadRecordError as fault:
        assert fault.reason is QuarantineReason.BAD_JSON
        return False
    return True


@given(texts, space, space)
def test_only_the_space_between_tokens_goes(text: str, before: str, after: str) -> None:
    assert bytes(compact_json("report", before + text + after)).decode() == "".join(TOKEN.findall(text))


@given(st.text(alphabet='{}[]:,"\\/u0dDe8c1 .-+trfalsn\n\té😀', max_size=14) | texts.map(lambda text: text[:-1]))
def test_what_passes_is_just_what_the_standard_library_reads_as_json(text: str) -> None:
    assert passes(text) == is_json(text)


@given(texts, st.data())
def test_json_that_was_damaged_in_one_place_passes_only_if_it_still_is_json(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    damaged = text[:place] + data.draw(st.sampled_from(list('{}[]:,"\\u0.x\x00\x1f'))) + text[place + 1 :]
    assert passes(damaged) == is_json(damaged)


@pytest.mark.parametrize(
    "text",
    [
        r'"\ud83d"',
        r'"\udc00"',
        r'"\ud83d\u0041"',
        r'"\ud83d\ud83d\ude00 \\ud83d \\\ud83d"',
        r'{"\uDBFF":["\udfff",{"a":"\ud800x"}]}',
    ],
)
def test_half_a_surrogate_pair_passes_untouched(text: str) -> None:
    assert bytes(compact_json("report", text)).decode() == text
    assert json.loads(bytes(compact_json("report", text))) == json.loads(text)


@pytest.mark.parametrize(
    "text", [r'"\ud83d" x', r'["\ud83d",]', r'{"a":"\ud83d"', r'"\ud83"', r'"\ud83d', r'"\ud83d\x"', "\\ud83d"]
)
def test_half_a_surrogate_pair_does_not_hide_what_else_is_wrong(text: str) -> None:
    assert not passes(text)


def test_nothing_is_null() -> None:
    assert bytes(compact_json("report", None)) == b"null"


def test_nesting_passes_as_deep_as_any_reader_can_follow() -> None:
    deep = "[" * 800 + "]" * 800
    assert bytes(compact_json("report", deep)).decode() == deep


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"name":"Xavier D',
        '{"ratio":NaN}',
        "{} {}",
        "hello",
        "[" * 100_000 + "]" * 100_000,
        '"\udcff"',
    ],
)
def test_invalid_json_is_refused_with_place_and_reason(text: str, check_message: CheckMessage) -> None:
    with pytest.raises(BadRecordError) as refused:
        compact_json("output", text)
    assert refused.value.reason is QuarantineReason.BAD_JSON
    check_message(refused.value.explanation)
