"""Rows as records: every type that a driver may hand over, and what cannot be read."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
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
    fetched,
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
        (None, None),
    ],
)
def test_moments(value: Any, text: str | None) -> None:
    assert job(started_at=value).started_at == text


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        *[(value, True) for value in (True, 1, "1", "t", "TRUE", "y", " yes ")],
        *[(value, False) for value in (False, 0, "0", "f", "False", "n", "no", "")],
        (None, None),
    ],
)
def test_truths(value: Any, truth: bool | None) -> None:
    assert (job(is_poll_error=value).is_poll_error, line(mask_data=value).mask_data) == (truth, bool(truth))


@pytest.mark.promise("messages-quote-no-values")
@pytest.mark.parametrize("value", ["maybe", 2, -1, "on", "masked"])
def test_what_could_uncover_a_masked_line_is_not_guessed_at(value: Any) -> None:
    assert fault_of_line(mask_data=value) == (
        BAD_TEXT,
        f"mask_data is neither true nor false, but {described(value)}",
    )


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


def test_a_line_that_is_no_utf_8_says_so() -> None:
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
        """A type of which nobody has heard."""

    unreadable = job({"odd": Odd()})
    assert (unreadable.fault, unreadable.job_id) == (BAD_TEXT, "100")
    assert unreadable.fault_explanation.startswith("odd cannot be written as JSON: ")


class Counting:
    """A cursor that notes how many rows it was asked for at a time."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor
        self.asked: list[int] = []

    def fetchmany(self, size: int) -> list[Any]:
        self.asked.append(size)
        return self._cursor.fetchmany(size)


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


SERIES = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i, {} FROM n"


def test_small_rows_are_fetched_many_at_a_time(database: sqlite3.Connection) -> None:
    cursor = Counting(database.execute(SERIES.format(5_000, "'small'")))
    assert [row[0] for row in fetched(cursor)] == list(range(1, 5_001))
    assert (cursor.asked[0], max(cursor.asked)) == (32, MAX_ROWS_A_FETCH)


def test_large_rows_are_fetched_a_few_megabytes_at_a_time(database: sqlite3.Connection) -> None:
    cursor = Counting(database.execute(SERIES.format(40, "hex(zeroblob(1000000))")))
    assert [(row[0], len(row[1])) for row in fetched(cursor)] == [(number, 2_000_000) for number in range(1, 41)]
    assert max(cursor.asked[1:]) == 4
