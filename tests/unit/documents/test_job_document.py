"""Documents: the exact bytes of a job."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import EXAMPLE_KEY, line, record

from job_history.documents.job_document import Document, DocumentRules, document_of
from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.job import JobRecord, LineRecord, final_status

VECTORS = Path(__file__).parents[2] / "vectors"
SITUATIONS = sorted(folder.name for folder in VECTORS.iterdir())
RULES = DocumentRules(user_id=5234, prefix="", line_details=True, max_document_bytes=40_000_000)
WITHOUT_LINES = DocumentRules(user_id=5234, prefix="", line_details=False, max_document_bytes=40_000_000)

JOB_FIELDS = [
    *("id", "flow_id", "parent_id", "calling_job_id", "status", "started_at", "completed_at", "error_type", "error"),
    *("title", "is_poll_error", "report", "lines"),
]
LINE_FIELDS = ["recipe_line_number", "adapter_name", "adapter_operation", "input", "output", "mask_data"]


def document(job: JobRecord, rules: DocumentRules = RULES) -> Document:
    return document_of(job, final_status(job.status) or "failed", rules)


def limited(limit: int) -> DocumentRules:
    return DocumentRules(user_id=5234, prefix="", line_details=True, max_document_bytes=limit)


def refusal(job: JobRecord) -> tuple[QuarantineReason, str]:
    with pytest.raises(BadRecordError) as refused:
        document(job)
    return refused.value.reason, refused.value.explanation


# Golden vectors


def test_there_are_vectors_and_each_is_whole() -> None:
    contents = {folder.name: sorted(file.name for file in folder.iterdir()) for folder in VECTORS.iterdir()}
    assert len(contents) >= 12
    assert set(map(tuple, contents.values())) == {("document.json", "key.txt", "record.json")}


@pytest.mark.promise("job-key")
@pytest.mark.parametrize("situation", SITUATIONS)
def test_golden_vector(situation: str) -> None:
    folder = VECTORS / situation
    reported: dict[str, Any] = json.loads((folder / "record.json").read_text())
    job = JobRecord(**reported["job"], lines=[LineRecord(**fields) for fields in reported["lines"]])
    user_id = int(reported["job"]["user_id"])
    made = document(job, DocumentRules(user_id, "", reported["line_details"], 40_000_000))
    fields = json.loads((folder / "document.json").read_text())
    expected = Document(
        key=(folder / "key.txt").read_text().removesuffix("\n"),
        body=(folder / "document.json").read_bytes(),
        job_id=fields["id"],
        completed_at=fields["completed_at"],
        oversize=False,
        recipe_id=fields["flow_id"],
        status=final_status(fields["status"]),
        started_at=fields["started_at"],
    )
    assert made == expected


# What goes in comes out

json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=8,
).map(lambda value: json.dumps(value, indent=2))
texts = st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
lines = st.builds(
    LineRecord,
    recipe_line_number=st.none() | st.integers(0, 10**6),
    adapter_name=texts,
    adapter_operation=texts,
    input=st.none() | json_texts,
    output=st.none() | json_texts,
    error=texts,
    mask_data=st.booleans(),
    extra=st.dictionaries(st.sampled_from(["zeta", "alpha", "line_stat"]), json_texts),
)
records = st.builds(
    JobRecord,
    user_id=st.sampled_from([5234, "5234"]),
    recipe_id=st.integers(0, 10**21 - 1),
    job_id=st.integers(0, 10**21 - 1) | st.just("j-KGAKfhsz-GYoLeD"),
    status=st.sampled_from(["completed", "succeeded", "failed"]),
    started_at=st.just("2018-05-20T17:00:00-07:00"),
    completed_at=st.just("2018-05-21T00:00:10.500Z"),
    parent_id=st.none() | st.integers(0, 10**6),
    calling_job_id=st.none() | st.just("j-caller"),
    error_type=texts,
    error=texts,
    title=texts,
    is_poll_error=st.none() | st.booleans(),
    report=st.none() | json_texts,
    extra=st.dictionaries(st.sampled_from(["is_repeat", "action_count", "Zoë"]), json_texts),
    lines=st.lists(lines, max_size=3),
)


def value_of(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def expected_line(reported: LineRecord) -> dict[str, Any]:
    hidden = {"data": "masked"}
    fields = {
        "recipe_line_number": reported.recipe_line_number,
        "adapter_name": reported.adapter_name,
        "adapter_operation": reported.adapter_operation,
        "input": hidden if reported.mask_data else value_of(reported.input),
        "output": hidden if reported.mask_data else value_of(reported.output),
        "mask_data": reported.mask_data,
    }
    if reported.error is not None:
        fields["error"] = hidden if reported.mask_data else reported.error
    return {**fields, **{name: value_of(reported.extra[name]) for name in sorted(reported.extra)}}


@given(records)
def test_document_has_the_values_of_its_record_in_the_order_of_the_feature_page(job: JobRecord) -> None:
    body = document(job).body
    expected = {
        "id": job.job_id,
        "flow_id": job.recipe_id,
        "parent_id": job.parent_id,
        "calling_job_id": job.calling_job_id,
        "status": job.status,
        "started_at": "2018-05-21T00:00:00Z",
        "completed_at": "2018-05-21T00:00:10.5Z",
        "error_type": job.error_type,
        "error": job.error,
        "title": job.title,
        "is_poll_error": job.is_poll_error,
        "report": value_of(job.report),
        "lines": [expected_line(each) for each in job.lines or []],
        **{name: value_of(job.extra[name]) for name in sorted(job.extra)},
    }
    reported = json.loads(body, object_pairs_hook=lambda pairs: pairs)
    assert reported == json.loads(json.dumps(expected), object_pairs_hook=lambda pairs: pairs)


@pytest.mark.promise("document-format")
@given(records)
def test_a_document_is_one_line_without_a_space_between_tokens(job: JobRecord) -> None:
    body = document(job).body
    assert (body.count(b"\n"), body[-1:]) == (1, b"\n")
    between = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", body[:-1])
    assert re.search(rb"\s", between) is None


@pytest.mark.promise("document-format")
@given(records)
def test_the_same_record_gives_the_same_bytes_and_is_left_as_it_was(job: JobRecord) -> None:
    before = repr(job)
    assert document(job) == document(job)
    assert repr(job) == before


@pytest.mark.promise("line-details-off")
@given(records)
def test_without_line_details_there_is_no_key_named_lines(job: JobRecord) -> None:
    with_lines, without = json.loads(document(job).body), json.loads(document(job, WITHOUT_LINES).body)
    del with_lines["lines"]
    assert list(without.items()) == list(with_lines.items())


@pytest.mark.promise("field-order")
def test_the_thirteen_fields_come_first_and_a_lines_error_after_its_own() -> None:
    extra = {"action_count": "3", "is_repeat": "false"}
    reported = json.loads(document(record(lines=[line(error="no", extra={"line_stat": "{}"})], extra=extra)).body)
    assert list(reported) == [*JOB_FIELDS, "action_count", "is_repeat"]
    assert list(reported["lines"][0]) == [*LINE_FIELDS, "error", "line_stat"]


@pytest.mark.promise("json-unchanged")
def test_everything_inside_json_columns_stays_token_for_token() -> None:
    token = r'{"z":1E+2,"a":-0,"big":12345678901234567890123,"dec":0.10000000000000000555,"s":"\/\u00e9\ud83d","a":[]}'
    body = document(record(report=token, lines=[line(input=token, output=token)], extra={"x": token})).body
    assert body.count(token.encode()) == 4


@pytest.mark.promise("error-is-a-string")
def test_an_error_is_a_string_whatever_it_holds() -> None:
    reported = json.loads(document(record(status="failed", error='{"a":1}', lines=[line(error="[1]")])).body)
    assert (reported["error"], reported["lines"][0]["error"]) == ('{"a":1}', "[1]")


def test_a_prefix_and_a_handle_and_a_caller_given_as_text() -> None:
    rules = DocumentRules(user_id=5234, prefix="audit/eu", line_details=False, max_document_bytes=40_000_000)
    made = document(record(job_id="0100", parent_id="99", calling_job_id="j-1", user_id="5234"), rules)
    reported = json.loads(made.body)
    assert (made.key, made.job_id) == (f"audit/eu/{EXAMPLE_KEY}", 100)
    assert [reported[name] for name in ("id", "parent_id", "calling_job_id")] == [100, 99, "j-1"]


# Masked


@pytest.mark.promise("masked-lines")
def test_a_masked_line_shows_nothing_of_what_it_holds() -> None:
    secret = '{"ssn":"078-05-1120"}'
    body = document(record(lines=[line(mask_data=True, input=secret, output=secret, error="078-05-1120")])).body
    assert json.loads(body)["lines"] == [
        {
            "recipe_line_number": 0,
            "adapter_name": "clock",
            "adapter_operation": "timer",
            "input": {"data": "masked"},
            "output": {"data": "masked"},
            "mask_data": True,
            "error": {"data": "masked"},
        }
    ]
    assert b"078-05-1120" not in body


def test_masking_does_not_hide_that_a_source_is_broken() -> None:
    assert refusal(record(lines=[line(), line(mask_data=True, output='{"ssn":"078')])) == (
        QuarantineReason.BAD_JSON,
        "lines[1].output is not valid JSON: Input data was truncated",
    )


# Too large


@pytest.mark.promise("oversize")
def test_a_document_of_just_the_limit_is_whole_and_one_byte_more_loses_its_lines() -> None:
    job = record(lines=[line(output='{"data":"' + "é" * 500 + '"}')], extra={"is_repeat": "false"})
    whole = document(job)
    size = len(whole.body)
    assert document(job, limited(size)) == whole
    cut = document(job, limited(size - 1))
    without_lines = {**json.loads(whole.body), "lines": "Log lines exceed size limit"}
    assert (cut.oversize, cut.key, list(json.loads(cut.body).items())) == (
        True,
        whole.key,
        list(without_lines.items()),
    )


def test_lines_that_the_source_left_out_for_their_size_make_an_oversize_document() -> None:
    made = document(record(lines=[], lines_left_out=True))
    assert (made.oversize, json.loads(made.body)["lines"]) == (True, "Log lines exceed size limit")


def test_where_lines_are_not_wanted_nothing_is_oversize() -> None:
    small = DocumentRules(user_id=5234, prefix="", line_details=False, max_document_bytes=10)
    made = document(record(lines=None, lines_left_out=True), small)
    assert (made.oversize, "lines" in json.loads(made.body)) == (False, False)


# Bad records

BAD_ID, BAD_TIME, BAD_JSON = QuarantineReason.BAD_ID, QuarantineReason.BAD_TIME, QuarantineReason.BAD_JSON


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        (record(user_id=None), BAD_ID),
        (record(user_id="../5"), BAD_ID),
        (record(user_id=5235), QuarantineReason.WRONG_ACCOUNT),
        (record(job_id=None), BAD_ID),
        (record(recipe_id="r/1"), BAD_ID),
        (record(started_at=None), BAD_TIME),
        (record(completed_at=None), BAD_TIME),
        (record(started_at="noon"), BAD_TIME),
        (record(started_at="2018-05-21T00:00:10.000001Z"), BAD_TIME),
        (record(report="{"), BAD_JSON),
        (record(lines=[line(), line(input="NaN")]), BAD_JSON),
        (record(extra={"is_repeat": "maybe"}), BAD_JSON),
        (
            record(fault=QuarantineReason.BAD_TEXT, fault_explanation="title is not valid UTF-8", job_id=None),
            QuarantineReason.BAD_TEXT,
        ),
    ],
)
def test_record_that_cannot_become_a_document_has_a_reason(
    job: JobRecord, reason: QuarantineReason, check_message: CheckMessage
) -> None:
    found, explanation = refusal(job)

    assert found is reason
    check_message(explanation)


def test_a_job_that_takes_no_time_is_no_fault() -> None:
    assert document(record(completed_at="2018-05-21T00:00:00Z")).key == EXAMPLE_KEY
