"""Jobs of the API as records: the samples that are public, and what is odd."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from job_history.errors import QuarantineReason
from job_history.model.job import JobRecord, LineRecord
from job_history.sources.workato.fields import Fields
from job_history.sources.workato.records import job_record, with_details, without_details

MOMENTS = {"started_at": "2015-01-02T01:02:03.000Z", "completed_at": "2015-01-02T01:02:04.000Z"}


def fields(**values: Any) -> Fields:
    return msgspec.json.decode(json.dumps(values), type=Fields)


def record(**values: Any) -> JobRecord:
    return job_record(fields(**{**MOMENTS, **values}), user_id=5234, recipe_id=42)


def test_an_item_of_2020() -> None:
    parts = {"adapter": "marketo", "error_type": "Missing required field", "message": "'Filter values' must be present"}
    found = record(
        id=1003,
        flow_run_id=1004,
        title="Callable recipes by Workato: new call for recipe",
        is_poll_error=False,
        error="'Filter values' must be present",
        error_parts=parts,
        is_error=True,
        lines=[],
    )

    assert found == JobRecord(
        user_id=5234,
        recipe_id=42,
        job_id=1003,
        status="failed",
        started_at=MOMENTS["started_at"],
        completed_at=MOMENTS["completed_at"],
        error_type="Missing required field",
        error="'Filter values' must be present",
        title="Callable recipes by Workato: new call for recipe",
        is_poll_error=False,
        extra={"flow_run_id": "1004", "error_parts": json.dumps(parts), "is_error": "true"},
    )


def test_a_single_job_of_today() -> None:
    listed = record(id="j-abc123", status="failed", is_error=True, calling_recipe_id=7, master_job_id="j-abc123")
    single = fields(
        **MOMENTS,
        id="j-abc123",
        handle="j-abc123",
        recipe_id=42,
        status="failed",
        is_error=True,
        error="Connection timeout",
        calling_recipe_id="7",
        is_repeat=False,
        lines=[
            {"recipe_line_number": 1, "adapter_name": "rest", "adapter_operation": "make_request_v2", "line_stat": {"total": 1E-3}},  # noqa: E501
            {"recipe_line_number": 2, "adapter_name": "logger", "adapter_operation": "log_message", "error": "no", "mask_data": True},  # noqa: E501
        ],
    )  # fmt: skip

    assert with_details(listed, single) == JobRecord(
        user_id=5234,
        recipe_id=42,
        job_id="j-abc123",
        status="failed",
        started_at=MOMENTS["started_at"],
        completed_at=MOMENTS["completed_at"],
        error="Connection timeout",
        extra={
            "is_error": "true",
            "calling_recipe_id": '"7"',
            "master_job_id": '"j-abc123"',
            "is_repeat": "false",
        },
        lines=[
            LineRecord(1, "rest", "make_request_v2", extra={"line_stat": '{"total": 0.001}'}),
            LineRecord(2, "logger", "log_message", error="no", mask_data=True),
        ],
    )


def test_a_server_that_does_have_input_and_output_is_believed() -> None:
    line = {"recipe_line_number": 0, "input": {"a": 1}, "output": None}
    found = with_details(record(id=1), fields(**MOMENTS, id=1, lines=[line]))

    assert [(each.input, each.output) for each in found.lines or []] == [('{"a": 1}', "null")]


@pytest.mark.parametrize(
    ("line", "masked", "unclear"),
    [
        ({}, False, False),  # the public API: nothing to mask
        ({"input": {"a": 1}, "mask_data": False}, False, False),
        ({"input": {"a": 1}, "mask_data": True}, True, False),
        ({"input": {"a": 1}}, True, True),
        ({"output": None, "mask_data": None}, True, True),
        ({"mask_data": "yes"}, True, True),
        ({"mask_data": 0}, True, True),
    ],
)
def test_a_line_with_data_is_masked_unless_mask_data_is_false(line: Any, masked: bool, unclear: bool) -> None:
    [found] = with_details(record(id=1), fields(**MOMENTS, id=1, lines=[line])).lines or []

    assert (found.mask_data, found.mask_data_unclear) == (masked, unclear)


def test_lines_that_are_null_are_an_empty_list() -> None:
    assert with_details(record(id=1), fields(**MOMENTS, id=1, lines=None)).lines == []


@pytest.mark.parametrize("lines", ["gone", 0, {}, [1], [[]]])
def test_lines_that_are_no_list_of_objects_are_quarantined(lines: Any) -> None:
    found = with_details(record(id=1), fields(**MOMENTS, id=1, lines=lines))
    assert (found.lines, found.fault) == (None, QuarantineReason.BAD_JSON)


def test_erased_jobs_have_no_lines_and_say_so() -> None:
    swept = with_details(record(id=1), fields(**MOMENTS, id=1, erased=True, lines=[]))

    assert (swept.lines, swept.extra) == (None, {"erased": "true"})
    assert without_details(record(id=1)) == swept


@pytest.mark.parametrize(
    ("odd", "reason", "explanation"),
    [
        ({"id": 1.5}, QuarantineReason.BAD_ID, "id is neither a number nor a handle, but a value of type float"),
        ({"id": {"a": 1}}, QuarantineReason.BAD_ID, "id is neither a number nor a handle, but a value of type dict"),
        (
            {"is_poll_error": "no"},
            QuarantineReason.BAD_TEXT,
            "is_poll_error is neither true nor false, but a text of 2 characters",
        ),
        (
            {"calling_job_id": [1]},
            QuarantineReason.BAD_ID,
            "calling_job_id is neither a number nor a handle, but a value of type list",
        ),
    ],
)
def test_an_odd_field_is_the_fault_of_its_record(odd: Any, reason: QuarantineReason, explanation: str) -> None:
    found = record(**{"id": 1, "status": "failed", **odd})

    assert (found.fault, found.fault_explanation) == (reason, explanation)
    assert (found.status, found.completed_at) == ("failed", MOMENTS["completed_at"])


@pytest.mark.parametrize("name", ["title", "is_repeat"])
def test_text_that_is_no_utf_8_is_the_fault_of_its_record(name: str) -> None:
    raw = msgspec.json.decode(
        b'{"id": 1, "%s": "\xff", "completed_at": "2015-01-02T01:02:04Z"}' % name.encode(), type=Fields
    )
    found = job_record(raw, user_id=5234, recipe_id=42)

    assert (found.job_id, found.fault) == ("1", QuarantineReason.BAD_TEXT)


@pytest.mark.parametrize(
    ("lines", "explanation"),
    [
        ([1], "lines are no list of objects: Expected `object`, got `int` - at `$[0]`"),
        ([{"recipe_line_number": "one"}], "recipe_line_number is not a whole number, but a text of 3 characters"),
    ],
)
def test_an_odd_line_is_the_fault_of_its_job(lines: Any, explanation: str) -> None:
    found = with_details(record(id=1), fields(**MOMENTS, id=1, lines=lines))

    assert (found.job_id, found.fault_explanation) == (1, explanation)


def test_an_error_that_is_no_text_is_given_as_the_json_that_it_is() -> None:
    assert record(id=1, error={"message": "no"}).error == '{"message": "no"}'
