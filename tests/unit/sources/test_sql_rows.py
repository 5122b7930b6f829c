"""Rows as records: every type that a driver may hand over, and what cannot be read."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.ids import Id, described
from job_history.model.job import JobRecord, LineRecord
from job_history.sources.sql.rows import (
    JOB_COLUMNS,
    LINE_COLUMNS,
    MAX_ROWS_A_FETCH,
    fetch_size,
    id_text,
    job_record,
    line_record,
)
from job_history.sources.sql.values import ExtraColumns

BAD_ID, BAD_TEXT = QuarantineReason.BAD_ID, QuarantineReason.BAD_TEXT
STARTED, COMPLETED = "2018-05-21T00:00:00Z", "2018-05-21T00:00:10Z"
JOB = dict(
    zip(
        JOB_COLUMNS,
        (5234, 234, 100, None, None, "completed", STARTED, COMPLETED, None, None, "hello", False, "{}"),
        strict=True,
    )
)
LINE = dict(zip(LINE_COLUMNS, (0, "clock", "timer", "{}", "{}", None, False), strict=True))


def job(extra: dict[str, Any] | None = None, **changes: Any) -> JobRecord:
    extra = extra or {}
    return job_record((*(JOB | changes).values(), *extra.values()), ExtraColumns(list(extra), are_json=False))


def line(extra: dict[str, Any] | None = None, **changes: Any) -> LineRecord:
    extra = extra or {}
    return line_record((*(LINE | changes).values(), *extra.values()), ExtraColumns(list(extra), are_json=False))


def fault_of_line(**changes: Any) -> tuple[QuarantineReason, str]:
    with pytest.raises(BadRecordError) as refused:
        line(**changes)
    return refused.value.reason, refused.value.explanation


def test_a_row_of_plain_values() -> None:
    assert job() == JobRecord(
        user_id=5234,
        recipe_id=234,
        job_id=100,
        status="completed",
        started_at=STARTED,
        completed_at=COMPLETED,
        title="hello",
        is_poll_error=False,
        report="{}",
    )
    assert line() == LineRecord(0, "clock", "timer", "{}", "{}", None, mask_data=False)


@pytest.mark.parametrize(
    ("value", "job_id"),
    [
        (100, 100),
        (10**20, 10**20),
        ("100", "100"),
        ("j-KGAKfhsz-GYoLeD", "j-KGAKfhsz-GYoLeD"),
        ("../1", "../1"),
        (Decimal(100), 100),
        (Decimal("100.00"), 100),
        (Decimal("1E+2"), 100),
        (Decimal(123456789012345678901), 123456789012345678901),
        (100.0, 100),
        (-5, -5),
        (None, None),
    ],
)
def test_ids(value: Any, job_id: Id | None) -> None:
    assert job(job_id=value) == msgspec.structs.replace(job(), job_id=job_id)


@pytest.mark.parametrize(
    ("value", "kept", "explanation"),
    [
        (Decimal("1.5"), "1.5", "job_id 1.5 is not a whole number"),
        (Decimal("NaN"), "NaN", "job_id NaN is not a whole number"),
        (Decimal("Infinity"), "Infinity", "job_id Infinity is not a whole number"),
        (Decimal("1E+5000"), "1E+5000", "job_id 1e+5000 has more than 21 digits"),
        (
            Decimal(1234567890123456789012),
            "1234567890123456789012",
            "job_id 1234567890123456789012 has more than 21 digits",
        ),
        (1e15, "1000000000000000.0", "job_id 1000000000000000 has more than 15 digits"),
        (float("inf"), "inf", "job_id Infinity is not a whole number"),
        (0.5, "0.5", "job_id 0.5 is not a whole number"),
    ],
)
def test_a_number_that_is_no_id_is_the_fault_of_its_record(value: Any, kept: str, explanation: str) -> None:
    assert job(job_id=value) == JobRecord(
        user_id="5234",
        recipe_id="234",
        job_id=kept,
        status="completed",
        started_at=STARTED,
        completed_at=COMPLETED,
        fault=BAD_ID,
        fault_explanation=explanation,
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2018, 5, 21, tzinfo=UTC), STARTED),
        (datetime(2018, 5, 20, 17, tzinfo=timezone(timedelta(hours=-7))), STARTED),
        (datetime(2018, 5, 21, 0, 0, 0, 250_000, tzinfo=UTC), "2018-05-21T00:00:00.25Z"),
        (datetime(2018, 5, 21), "2018-05-21 00:00:00"),  # noqa: DTZ001 - as drivers of `timestamp` columns give it
        (date(2018, 5, 21), "2018-05-21"),
        ("yesterday at noon", "yesterday at noon"),
        (b"2018-05-21T00:00:00Z", STARTED),
        (1526860800, "1526860800"),
        (" 2018-05-21T00:00:00Z\r", STARTED),
        (None, None),
    ],
)
def test_moments(value: Any, text: str | None) -> None:
    assert job(started_at=value).started_at == text


TRUE = [True, 1, "1", "t", "TRUE", "y", " yes ", b"\1"]
FALSE = [False, 0, "0", "f", "False", "n", "no", b"\0"]
NEITHER = ["maybe", 2, -1, "on", "masked", 1.5, b"\2"]


@pytest.mark.parametrize(
    ("value", "truth"), [*[(value, True) for value in TRUE], *[(value, False) for value in [*FALSE, ""]], (None, None)]
)
def test_truth_values(value: Any, truth: bool | None) -> None:
    assert job(is_poll_error=value).is_poll_error == truth


@pytest.mark.parametrize("value", NEITHER)
def test_a_value_that_is_neither_true_nor_false_is_bad_text(value: Any) -> None:
    unreadable = job(is_poll_error=value)
    assert (unreadable.fault, unreadable.fault_explanation) == (
        BAD_TEXT,
        f"is_poll_error is neither true nor false, but {described(value)}",
    )


@pytest.mark.promise("mask-data-unclear")
@pytest.mark.parametrize("value", [*TRUE, *NEITHER, None, "", " "])
def test_a_line_is_masked_unless_mask_data_is_false_by_rule(value: Any) -> None:
    assert line(mask_data=value).mask_data is True
    assert [line(mask_data=value).mask_data for value in FALSE] == [False] * len(FALSE)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('{ "b" : 1.50 }', '{ "b" : 1.50 }'),
        (b'{"a":"\xc3\xa9"}', '{"a":"é"}'),
        (memoryview(b"[1]"), "[1]"),
        (bytearray(b"{}"), "{}"),
        ({"b": 1, "a": [None, "é"]}, '{"b":1,"a":[null,"é"]}'),
        ([1, 2], "[1,2]"),
        (12345678901234567890123, "12345678901234567890123"),
        ("", ""),
        (None, None),
    ],
)
def test_json_is_taken_as_text_and_what_a_driver_has_parsed_is_written_again(value: Any, text: str | None) -> None:
    assert (job(report=value).report, line(input=value).input, line(output=value).output) == (text, text, text)


def test_numbers_of_lines() -> None:
    numbers = [line(recipe_line_number=value).recipe_line_number for value in (7, "7", Decimal(7), None)]
    assert numbers == [7, 7, 7, None]
    assert fault_of_line(recipe_line_number="first") == (
        BAD_TEXT,
        "recipe_line_number is not a whole number, but a text of 5 characters",
    )


NO_UTF_8 = b"caf\xe9".decode("utf-8", "surrogateescape")
CANNOT_ENCODE = "'utf-8' codec can't encode character '\\udce9' in position 3: surrogates not allowed"
CANNOT_DECODE = "'utf-8' codec can't decode byte 0xe9 in position 3: unexpected end of data"


@pytest.mark.parametrize(("value", "why"), [(NO_UTF_8, CANNOT_ENCODE), (b"caf\xe9", CANNOT_DECODE)])
@pytest.mark.parametrize("field", ["title", "error", "error_type", "status", "report", "job_id", "started_at"])
def test_text_that_is_no_utf_8_is_the_fault_of_its_record(field: str, value: Any, why: str) -> None:
    unreadable = job(**{field: value})
    assert (unreadable.fault, unreadable.fault_explanation) == (BAD_TEXT, f"{field} is not valid UTF-8: {why}")
    expected_id = ("caf\\udce9" if isinstance(value, str) else "b'caf\\\\xe9'") if field == "job_id" else "100"
    assert (unreadable.job_id, unreadable.user_id, unreadable.recipe_id) == (expected_id, "5234", "234")


@pytest.mark.parametrize("value", [17, 17.0, Decimal("17.000"), "017", "caf\xe9", b"j-17", b"caf\xe9", float("nan")])
def test_a_job_has_one_id_whether_it_can_be_read_or_not(value: Any) -> None:
    # By it the reconciliation knows a job that is in quarantine; else it would be missing every day.
    assert str(job(job_id=value, is_poll_error="perhaps").job_id) == id_text(value)


def test_line_that_is_no_utf_8_is_reported() -> None:
    assert fault_of_line(error=NO_UTF_8) == (BAD_TEXT, f"error is not valid UTF-8: {CANNOT_ENCODE}")


def test_columns_that_only_this_store_has_become_json_and_nulls_are_left_out() -> None:
    extra = {
        "is_repeat": False,
        "action_count": 3,
        "tag": 'a "b"',
        "gone": None,
        "at": datetime(2018, 5, 21, tzinfo=UTC),
        "details": {"a": 1},
    }
    expected = {
        "is_repeat": "false",
        "action_count": "3",
        "tag": '"a \\"b\\""',
        "at": '"2018-05-21T00:00:00Z"',
        "details": '{"a":1}',
    }
    assert (job(extra).extra, line(extra).extra) == (expected, expected)


def test_what_a_database_gives_as_json_is_taken_as_it_is() -> None:
    columns = ExtraColumns(["details", "gone"], are_json=True)
    row = (*JOB.values(), '{ "a" : 1.50 }', None)
    assert job_record(row, columns) == msgspec.structs.replace(job(), extra={"details": '{ "a" : 1.50 }'})


def test_a_column_that_cannot_be_written_as_json_is_the_fault_of_its_record() -> None:
    class Odd:
        """A type that no code knows."""

    unreadable = job({"odd": Odd()})
    assert (unreadable.fault, unreadable.job_id) == (BAD_TEXT, "100")
    assert unreadable.fault_explanation.startswith("odd cannot be written as JSON: ")


def test_small_rows_are_fetched_many_at_a_time() -> None:
    sizes = [fetch_size()]
    for _ in range(5):
        sizes.append(fetch_size([("small",)] * sizes[-1], sizes[-1]))
    assert (sizes[0], sizes[-1]) == (32, MAX_ROWS_A_FETCH)


def test_large_rows_are_fetched_a_few_megabytes_at_a_time() -> None:
    assert fetch_size([("x" * 2_000_000,)], 100) == 4
    assert fetch_size([("x" * 40_000_000,)], 100) == 1
