"""What becomes of a record under rules: of what they are about nothing is left, of all else every byte."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.redaction.samples import (
    drop,
    hash_of,
    hashed,
    json_texts,
    mask,
    redacted,
    redacted_input,
    redaction,
)
from tests.unit.samples import line, record

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.admin_event import EventRecord
from job_history.redaction import Change

EMAIL, CARD = mask(value="email"), mask(value="card_number")
# As it is written, and not as a parser would write it again.
AS_WRITTEN = r'{"big":123456789012345678901234567890,"exp":1E+2,"zero":-0,"dec":0.10,"esc":"\u00e9\/\ud83d","é":"ü"}'


# By path


@pytest.mark.parametrize(
    ("rule", "given_", "left"),
    [
        (mask(path="lines[*].input.a"), '{"a":1,"b":{"a":2}}', '{"a":"***","b":{"a":2}}'),
        (mask(path="lines[*].input..a"), '{"a":1,"b":[{"a":2}]}', '{"a":"***","b":[{"a":"***"}]}'),
        (mask(path="lines[*].input.*.a"), '{"a":1,"b":{"a":2},"c":[{"a":3}]}', '{"a":1,"b":{"a":"***"},"c":[{"a":3}]}'),
        (mask(path="lines[*].input.c[*].a"), '{"c":[{"a":3},[{"a":4}]]}', '{"c":[{"a":"***"},[{"a":4}]]}'),
        (mask(path="lines[*].input['a','c']"), '{"a":1,"b":2,"c":3}', '{"a":"***","b":2,"c":"***"}'),
        (
            mask(path="lines[*].input.rows.*"),
            '{"rows":[1,"x",null,{"a":1},[2]]}',
            '{"rows":["***","***",null,"***","***"]}',
        ),
        (mask(path="lines[*].input"), '{"a":1}', '"***"'),
        (mask(path="lines[*].*"), '{"a":1}', '"***"'),
        (mask(path="$..a"), '{"b":{"a":[1]}}', '{"b":{"a":"***"}}'),
        (mask(path="lines[*].output.a"), '{"a":1}', '{"a":1}'),
        (mask(path="lines[*].input.A"), '{"a":1}', '{"a":1}'),
        (mask(path="details.a"), '{"a":1}', '{"a":1}'),
        (drop(path="lines[*].input.a"), '{"a":1,"b":2}', '{"b":2}'),
        (drop(path="lines[*].input.b"), '{"a":1,"b":2}', '{"a":1}'),
        (drop(path="lines[*].input.*"), '{"a":1,"b":[2,{"c":3}]}', "{}"),
        (
            drop(path="lines[*].input[*][*].a"),
            '[[{"a":1},{"b":",","a":1,"c":"},"},{"a":1}]]',
            '[[{},{"b":",","c":"},"},{}]]',
        ),
        (drop(path="lines[*].input.rows[*]"), '{"rows":[1,[2],{"a":3}],"b":4}', '{"rows":[],"b":4}'),
        (hashed(path="lines[*].input.a"), '{"a":"abc"}', f'{{"a":"{hash_of("abc")}"}}'),
    ],
)
def test_values_at_a_path(rule: dict[str, Any], given_: str, left: str) -> None:
    assert redacted_input(given_, rule) == left


def test_rule_changes_its_place_and_nothing_else() -> None:
    job = record(
        title="Ada", error="Ada", error_type="Ada", report='{"name":"Ada"}', extra={"name": '"Ada"'},
        lines=[line(input='{"name":"Ada"}', output='{"name":"Ada"}', error="Ada", extra={"name": '"Ada"'})] * 2,
    )  # fmt: skip
    assert redacted(job, mask(path="title")).title == "***"
    assert redacted(
        job, drop(path="title"), drop(path="error"), drop(path="error_type"), drop(path="report")
    ) == record(title=None, error=None, error_type=None, report=None, extra=job.extra, lines=job.lines)
    assert (
        redacted(job, drop(path="lines[*].error"), hashed(path="lines[*].output.name")).lines
        == [line(input='{"name":"Ada"}', output=f'{{"name":"{hash_of("Ada")}"}}', extra={"name": '"Ada"'})] * 2
    )
    gone = redacted(job, drop(path="lines[*].*")).lines
    assert gone == [type(line())(recipe_line_number=0, adapter_name="clock", adapter_operation="timer")] * 2


@pytest.mark.promise("redaction-is-complete")
def test_fields_that_only_this_source_has() -> None:
    job = record(
        extra={"api_token": '"x"', "note": '"a@b.co"', "n": "1.0"}, lines=[line(extra={"token": '{"a":1}', "m": "2"})]
    )
    changed = redacted(job, drop(field="*token*"), EMAIL)
    assert (changed.extra, changed.lines) == ({"note": '"***"', "n": "1.0"}, [line(extra={"m": "2"})])


def test_admin_events() -> None:
    event = EventRecord(
        5234, 1, "user_login", "2018-05-21T00:00:00Z", details='{"ip":"10.0.0.1","n":1}', user='{"id":1,"email":"a@b.co"}',  # noqa: E501
        team='{"name":"T"}', resource=None, extra={"agent": '"curl"'},
    )  # fmt: skip
    changed = redaction(
        drop(path="details.ip"), hashed(path="user.email"), mask(path="team"), drop(field="agent"), EMAIL
    )
    assert changed.record(event) == EventRecord(
        5234, 1, "user_login", "2018-05-21T00:00:00Z", details='{"n":1}', user=f'{{"id":1,"email":"{hash_of("a@b.co")}"}}',  # noqa: E501
        team='"***"', resource=None,
    )  # fmt: skip


# By name


@pytest.mark.parametrize(
    ("given_", "left"),
    [
        ('{"password":"x"}', '{"password":"***"}'),
        ('{"UserPassWord1":{"deep":["x"]},"b":1}', '{"UserPassWord1":"***","b":1}'),
        ('[[{"a":{"db_password":7}}]]', '[[{"a":{"db_password":"***"}}]]'),
        (r'{"pass\u0077ord":"x","p\/password":"y"}', r'{"pass\u0077ord":"***","p\/password":"***"}'),
        ('{"password":"x","password":"y"}', '{"password":"***","password":"***"}'),
        ('{"a":{"password":"x"},"a":{}}', '{"a":{"password":"***"},"a":{}}'),
        ('{"password":null}', '{"password":null}'),
        ('{"a":"password"}', '{"a":"password"}'),
        ('{"a":":","password":"x"}', '{"a":":","password":"***"}'),
        ('{":password":"x"}', '{":password":"***"}'),
        ('{"a\\"b password":"x"}', '{"a\\"b password":"***"}'),
    ],
)
def test_values_under_a_name_at_any_depth(given_: str, left: str) -> None:
    assert redacted_input(given_, mask(field="*PASSWORD*")) == left


def test_a_name_with_a_quotation_mark_in_it_is_matched_as_a_whole() -> None:
    assert redacted_input(r'{"api\"key":"x"}', mask(field="api*key")) == r'{"api\"key":"***"}'
    assert (
        redacted_input(r'{"t":"{\"api\\\"key\":\"x\"}"}', mask(field="api*key")) == r'{"t":"{\"api\\\"key\":\"***\"}"}'
    )


def test_brackets_in_a_field_pattern_are_no_more_than_brackets() -> None:
    assert redacted_input('{"a[1]":1,"a1":2,"ab":3}', mask(field="a[1]")) == '{"a[1]":"***","a1":2,"ab":3}'
    assert redacted_input('{"a1":2,"ab":3,"abc":4}', mask(field="a?")) == '{"a1":"***","ab":"***","abc":4}'


# JSON inside texts


@pytest.mark.promise("redaction-is-complete")
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_json_inside_a_text_is_entered_however_often_it_was_written_into_another(depth: int) -> None:
    text = before = '{"password":"hunter2","n":[1.0,1E+2]}'
    after = '{"password":"***","n":[1.0,1E+2]}'
    for _ in range(depth):
        before, after = json.dumps(before), json.dumps(after)
    assert redacted_input(f'{{"body":{before}}}', mask(field="password")) == f'{{"body":{after}}}'
    assert redacted_input(f'{{"body":{before}}}', mask(path="lines[*].input.body.password")) == f'{{"body":{after}}}'
    assert redacted_input(f'{{"body":{before}}}', mask(field="other")) == f'{{"body":{before}}}'
    assert text not in after


def test_title_and_errors_that_are_json_are_entered() -> None:
    job = record(title='{"password": "x"}', error='  [{"password":"x"}]', lines=[line(error='"{\\"password\\":1}"')])
    changed = redacted(job, mask(field="password"))
    assert changed == record(
        title='{"password": "***"}', error='  [{"password":"***"}]', lines=[line(error='"{\\"password\\":\\"***\\"}"')]
    )


@pytest.mark.promise("redaction-is-complete")
@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('400: {"password": "x", "n": 1} was sent', '400: {"password": "***", "n": 1} was sent'),
        ('{"user":"ana","password":"hunt', '{"user":"ana","password":"***"'),
        ('cut {"password":{"old":"a}b', 'cut {"password":"***"'),
        ('{"password"=>"x", "password" => [1, {"a"=>2}], "n"=>1}', '{"password"=>"***", "password" => "***", "n"=>1}'),
        ('"say "password": x y"', '"say "password": "***" y"'),
        ('"password": , "password":', '"password": , "password":'),
        ('it was "password" and no more', 'it was "password" and no more'),
    ],
)
def test_json_amid_other_words_or_cut_short(text: str, left: str) -> None:
    assert redacted(record(error=text), mask(field="password")).error == left
    assert redacted_input(json.dumps({"log": text}), mask(field="password")) == json.dumps(
        {"log": left}, separators=(",", ":")
    )


def test_a_name_is_left_out_with_its_value_amid_other_words() -> None:
    assert redacted(record(error='sent {"n": 1, "password": "x"}'), drop(field="password")).error == 'sent {"n": 1, }'


# By looks


@pytest.mark.promise("redaction-is-complete")
@pytest.mark.parametrize(
    ("given_", "left"),
    [
        ('{"to":"Ana <ana@example.com>, b@c.de"}', '{"to":"Ana <***>, ***"}'),
        (r'{"to":"\nana@example.com\\bob@example.com"}', r'{"to":"\n***\\***"}'),
        (r'{"to":"ana\u0040example.com"}', '{"to":"***"}'),
        (r'{"to":"{\"a\":\"ana@example.com\"}","cc":"x"}', r'{"to":"{\"a\":\"***\"}","cc":"x"}'),
        ('{"card":"4111 1111 1111 1111 12/29","n":4111111111111111}', '{"card":"*** 12/29","n":"***"}'),
        (
            r'{"card":"\u00344111111111111111","b":"\u20304111111111111111"}',
            r'{"card":"\u00344111111111111111","b":"\u2030***"}',
        ),
        ('{"n":4111111111111112,"m":1526860810000}', '{"n":4111111111111112,"m":1526860810000}'),
        ('["ana@example.com"]', '["***"]'),
        ('"ana@example.com"', '"***"'),
        ('{"both":"4111111111111111@example.com"}', '{"both":"***"}'),
    ],
)
def test_values_by_their_looks(given_: str, left: str) -> None:
    assert redacted_input(given_, EMAIL, CARD) == left


def test_a_name_that_is_a_value_is_redacted_and_stays_one_of_its_own() -> None:
    text = '{"a@b.co":1,"c@d.co":{"e@f.co":2},"a@b.co":3}'
    assert redacted_input(text, EMAIL) == '{"***":1,"*** 2":{"***":2},"*** 3":3}'
    assert redacted_input('[{"a@b.co":1},{"a@b.co":2}]', hashed(value="email")) == (
        f'[{{"{hash_of("a@b.co")}":1}},{{"{hash_of("a@b.co")}":2}}]'
    )
    assert redacted_input('{"a@b.co":1,"b":2}', EMAIL, drop(path="lines[*].input['a@b.co']")) == '{"b":2}'


def test_what_looks_so_in_error_texts() -> None:
    job = record(title="for a@b.co", error="no 4111-1111-1111-1111", lines=[line(error="a%40b.co failed")])
    changed = redacted(job, EMAIL, CARD)
    assert changed == record(title="for ***", error="no ***", lines=[line(error="*** failed")])


# Hashes


@pytest.mark.promise("redaction-hashes")
@pytest.mark.parametrize(
    ("value", "canonical"),
    [
        ('"abc"', "abc"),
        (r'"\u0061\u0062c"', "abc"),
        ('"é"', "é"),
        ('""', ""),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1.50", "1.50"),
        ('"1.50"', "1.50"),
        ("true", "true"),
        ('{"b":[1.0,"x"],"a":null}', '{"a":null,"b":[1.0,"x"]}'),
        ('{"a":null,"b":[1.0,"\\u0078"]}', '{"a":null,"b":[1.0,"x"]}'),
        ('{"a":1,"a":2}', '{"a":1,"a":2}'),
    ],
)
def test_hash_is_of_the_value_however_it_is_written_and_in_any_place(value: str, canonical: str) -> None:
    left = f'{{"a":"{hash_of(canonical)}"}}'
    assert redacted_input(f'{{"a":{value}}}', hashed(field="a")) == left
    nested = json.dumps(f'{{"a":{value}}}', ensure_ascii=False)
    assert redacted_input(f'{{"t":{nested}}}', hashed(field="a")) == f'{{"t":{json.dumps(left)}}}'


def test_a_null_has_nothing_to_hide_and_can_be_left_out() -> None:
    job = record(error=None, report="null", lines=[line(input=None, output="null")])
    for rules in ([mask(field="*")], [hashed(field="*")]):
        changed = redacted(job, mask(path="report"), mask(path="error"), *rules)
        assert (changed.error, changed.report) == (None, "null")
        assert changed.lines is not None
        assert (changed.lines[0].input, changed.lines[0].output) == ("null", "null")
    assert redacted_input('{"a":null,"b":1}', drop(path="lines[*].input.a")) == '{"b":1}'


# Which rule counts


def test_of_rules_for_one_value_the_first_counts_and_an_outer_value_before_an_inner_one() -> None:
    both = [hashed(path="lines[*].input.a"), mask(field="a")]
    assert redacted_input('{"a":"x"}', *both) == f'{{"a":"{hash_of("x")}"}}'
    assert redacted_input('{"a":"x"}', *both[::-1]) == '{"a":"***"}'
    assert redacted_input('{"a":{"b":1}}', hashed(path="lines[*].input.a.b"), drop(path="lines[*].input.a")) == "{}"
    assert redacted_input('{"a":"x@y.zz"}', EMAIL, hashed(field="a")) == f'{{"a":"{hash_of("x@y.zz")}"}}'


# What must not happen


def test_a_masked_line_is_left_to_the_masking_but_for_what_that_leaves() -> None:
    masked = line(mask_data=True, input='{"password":1}', extra={"password": "1", "n": "2"})
    assert redacted(record(lines=[masked]), drop(field="password")).lines == [
        line(mask_data=True, input='{"password":1}', extra={"n": "2"})
    ]


@pytest.mark.parametrize("text", ['{"password":', '{"password":NaN}', '["password",]', '{"password":"\x01"}'])
def test_invalid_json_is_a_bad_record(text: str) -> None:
    with pytest.raises(BadRecordError) as refused:
        redacted_input(text, mask(field="password"))
    assert (refused.value.reason, refused.value.explanation[:15]) == (QuarantineReason.BAD_JSON, "lines[0].input ")


def test_what_cannot_be_redacted_for_its_depth_is_refused_without_a_word_of_what_it_holds() -> None:
    deep = "[" * 5_000 + '{"password":"hunter2"}' + "]" * 5_000
    with pytest.raises(BadRecordError) as refused:
        redacted_input(json.dumps({"t": deep}), mask(field="password"))
    assert str(refused.value) == (
        "redaction: lines[0].input.t holds JSON in a text that is nested too deeply to be redacted"
    )


def test_deep_nesting_is_no_matter_where_the_parser_takes_it() -> None:
    text = '{"a":' * 800 + '{"password":"x"}' + "}" * 800
    assert redacted_input(text, mask(field="password")) == text.replace('"x"', '"***"')


def test_a_record_that_its_source_could_not_read_stays_what_it_is() -> None:
    broken = record(fault=QuarantineReason.BAD_TEXT, report='{"password":1')
    assert redacted(broken, mask(field="password")) is broken


def test_objects_of_one_array_are_redacted_apart() -> None:
    text = (
        '{"rows":[{"a@b.co":1,"n":"},{"},{"password":"x","c@d.co":2,"e@f.co":3},{"password":1},{"n":2,"password":3}]}'
    )
    shown = text.replace(',"password":3', "").replace('"password":1', "").replace('"password":"x",', "")
    for address, name in (("a@b.co", "***"), ("c@d.co", "***"), ("e@f.co", "*** 2")):
        shown = shown.replace(address, name)
    assert redacted_input(text, drop(field="password"), EMAIL) == shown


def test_half_a_surrogate_pair_in_a_name_is_one_character() -> None:
    body = json.dumps({"pass\ud800word": "x", "n": "y" * 100}, ensure_ascii=False)
    text = f'{{"body":{json.dumps(body)}}}'
    assert redacted_input(text, mask(field="pass?word")) == text.replace('\\"x\\"', '\\"***\\"')


def test_a_long_array_of_texts_takes_linear_time() -> None:
    text = json.dumps({"password": 1, "a": ["x"] * 100_000})
    started = time.process_time()
    redacted_input(text, mask(field="*password*"))
    assert time.process_time() - started < 5


# Whatever the JSON

NAMES = st.sampled_from(["a", "b", "password", "My\"Password'", "päss:word", "x@y.zz", "", ","])
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["a@b.co", "4111 1111 1111 1111", '{"password":"a@b.co"}', 'x "password": 1, y', "[", '"', "\\", "\n"]
    ),
)
ANY_JSON = json_texts(NAMES, TEXTS)
POLICY = [
    mask(path="lines[*].input..b"), drop(path="lines[*].input.a.*"), hashed(field="*p?ssw*"), EMAIL, hashed(value="card_number"),  # noqa: E501
]  # fmt: skip


@pytest.mark.promise("redaction-is-exact")
@given(ANY_JSON)
def test_rules_about_nothing_that_is_there_leave_every_byte(text: str) -> None:
    absent = [mask(field="*secret*"), drop(path="lines[*].input.missing.*"), hashed(path="report..missing")]
    assert redacted_input(text, *absent) == text
    assert redacted_input(text, *absent, on_change=lambda _: None) == text


@pytest.mark.promise("redaction-is-exact")
@given(ANY_JSON, ANY_JSON)
def test_what_stands_beside_a_redacted_value_keeps_every_byte(before: str, after: str) -> None:
    text = f'{{"x":{before},"secret":{{"y":[1]}},"z":{after}}}'
    assert redacted_input(text, mask(field="secret")) == f'{{"x":{before},"secret":"***","z":{after}}}'
    assert redacted_input(text, drop(field="secret")) == f'{{"x":{before},"z":{after}}}'


@given(ANY_JSON)
def test_quick_way_and_the_one_that_reports_each_change_give_the_same(text: str) -> None:
    changes: list[Change] = []
    slowly = redacted_input(text, *POLICY, on_change=changes.append)
    assert redacted_input(text, *POLICY) == slowly
    assert bool(changes) or slowly == text


class _Members(list[tuple[str, Any]]):
    """An object as it is, also with a name that is there twice."""


def secrets_left(value: Any) -> list[Any]:
    """Look for what POLICY's field rule forbids, in a way of its own: whole trees, JSON in texts parsed."""
    if isinstance(value, str):
        try:
            inner = json.loads(value, object_pairs_hook=_Members)
        except ValueError:
            return []
        return secrets_left(inner) if isinstance(inner, list | str) else []
    if isinstance(value, _Members):
        return [
            left
            for name, member in value
            for left in ([member] if "pässw" in name.lower() or "passw" in name.lower() else secrets_left(member))
        ]
    return [left for element in value for left in secrets_left(element)] if isinstance(value, list) else []


@pytest.mark.promise("redaction-is-complete")
@given(ANY_JSON)
def test_nothing_is_left_under_a_name_however_deep(text: str) -> None:
    left = secrets_left(json.loads(redacted_input(text, *POLICY), object_pairs_hook=_Members))
    assert [value for value in left if value is not None and not (isinstance(value, str) and len(value) == 64)] == []


@given(ANY_JSON)
def test_redacting_what_is_redacted_changes_nothing(text: str) -> None:
    once = redacted_input(text, *POLICY[:2], EMAIL)
    if once is not None:
        assert redacted_input(once, *POLICY[:2], EMAIL) == once


def test_what_is_not_touched_stays_as_it_was_written() -> None:
    text = f'{{"before":{AS_WRITTEN},"password":"x","after":{AS_WRITTEN}}}'
    assert redacted_input(text, mask(field="password"), EMAIL) == text.replace('"x"', '"***"')
