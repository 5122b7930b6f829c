"""Rows of a database as records: every type that a driver may hand over, made one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from job_history.errors import BadRecordError, QuarantineReason
from job_history.job import MOST_ID_DIGITS, Id, JobRecord, LineRecord
from job_history.timestamp import format_time

Row = tuple[Any, ...]

# A batch of rows is asked for by its likely size, which is that of those before it: jobs of 40 MB one by one. Never many
# at once, because a line of 1 MB may come after thousands of 1 kB.
FETCH_BYTES = 8_000_000
MOST_ROWS_A_FETCH = 100
FIRST_FETCH_ROWS = 32

JOB_COLUMNS = (
    "user_id",
    "recipe_id",
    "job_id",
    "parent_id",
    "calling_job_id",
    "status",
    "started_at",
    "completed_at",
    "error_type",
    "error",
    "title",
    "is_poll_error",
    "report",
)
LINE_COLUMNS = (
    "recipe_line_number",
    "adapter_name",
    "adapter_operation",
    "input",
    "output",
    "error",
    "mask_data",
)
IDENTIFYING = ("user_id", "recipe_id", "job_id", "status", "started_at", "completed_at")

_TRUE = {"1", "t", "true", "y", "yes"}
_FALSE = {"0", "f", "false", "n", "no", ""}


class ExtraColumns(NamedTuple):
    """The columns that only this store has. `are_json`: the database gives each value as JSON text already."""

    names: list[str]
    are_json: bool


def fetched(cursor: Any) -> Iterator[Row]:
    """Stream the rows of a cursor, holding a few megabytes of them at a time."""
    size = FIRST_FETCH_ROWS
    while rows := cursor.fetchmany(size):
        largest = 1
        for row in rows:
            largest = max(largest, sum(len(value) for value in row if type(value) is str))
            yield row
        size = max(1, min(MOST_ROWS_A_FETCH, FETCH_BYTES // largest, 4 * size))


def job_record(row: Row, extra: ExtraColumns) -> JobRecord:
    """Make the record of a job row, in the order of JOB_COLUMNS; what cannot be read is told as the record's fault."""
    try:
        return _job_record(row, extra)
    except BadRecordError as fault:
        return _unreadable(row, fault)


def _job_record(row: Row, extra: ExtraColumns) -> JobRecord:
    columns = dict(zip(JOB_COLUMNS, row, strict=False))
    return JobRecord(
        user_id=_id("user_id", columns["user_id"]),
        recipe_id=_id("recipe_id", columns["recipe_id"]),
        job_id=_id("job_id", columns["job_id"]),
        status=_text("status", columns["status"]),
        started_at=_moment("started_at", columns["started_at"]),
        completed_at=_moment("completed_at", columns["completed_at"]),
        parent_id=_id("parent_id", columns["parent_id"]),
        calling_job_id=_id("calling_job_id", columns["calling_job_id"]),
        error_type=_text("error_type", columns["error_type"]),
        error=_text("error", columns["error"]),
        title=_text("title", columns["title"]),
        is_poll_error=_truth("is_poll_error", columns["is_poll_error"]),
        report=_json("report", columns["report"]),
        extra=_extra(row[len(JOB_COLUMNS) :], extra),
    )


def line_record(row: Row, extra: ExtraColumns) -> LineRecord:
    """Make the record of a line row, in the order of LINE_COLUMNS. Raises BadRecordError where it cannot be read."""
    number, adapter_name, adapter_operation, input_, output, error, mask_data = row[: len(LINE_COLUMNS)]
    return LineRecord(
        recipe_line_number=_whole("recipe_line_number", number),
        adapter_name=_text("adapter_name", adapter_name),
        adapter_operation=_text("adapter_operation", adapter_operation),
        input=_json("input", input_),
        output=_json("output", output),
        error=_text("error", error),
        mask_data=bool(_truth("mask_data", mask_data)),
        extra=_extra(row[len(LINE_COLUMNS) :], extra),
    )


def _unreadable(row: Row, fault: BadRecordError) -> JobRecord:
    """Keep what identifies the job, in ASCII, so that whoever mends the source can find it there."""
    columns = dict(zip(JOB_COLUMNS, row, strict=False))
    known: dict[str, Any] = {
        name: None if (value := columns[name]) is None else ascii(str(value))[1:-1] for name in IDENTIFYING
    }
    return JobRecord(**known, fault=fault.reason, fault_explanation=fault.explanation)


def _id(field: str, value: Any) -> Id | None:
    if value is None or type(value) is int:
        return value
    if isinstance(value, Decimal):
        return _whole_id(field, value, MOST_ID_DIGITS)
    if isinstance(value, float):
        # A column of ids that once had gaps: pandas, for one, writes it as floating point.
        return _whole_id(field, Decimal(value), sys.float_info.dig)
    return _text(field, value)


def _whole_id(field: str, number: Decimal, most_digits: int) -> int:
    """Keep out NaN and infinity, whose names would pass for handles, and digits that the type cannot hold."""
    if not number.is_finite() or number != number.to_integral_value():
        raise BadRecordError(QuarantineReason.BAD_ID, f"{field} {number:.25g} is not a whole number")
    if number.adjusted() >= most_digits:
        raise BadRecordError(QuarantineReason.BAD_ID, f"{field} {number:.25g} has more than {most_digits} digits")
    return int(number)


def _text(field: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return _decoded(field, bytes(value))
    text = value if isinstance(value, str) else str(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as fault:
            raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} is not valid UTF-8: {fault}") from fault
    return text


def _decoded(field: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as fault:
        raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} is not valid UTF-8: {fault}") from fault


def _moment(field: str, value: Any) -> str | None:
    return format_time(value) if isinstance(value, datetime) and value.tzinfo else _text(field, value)


def _truth(field: str, value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    # A guess could uncover what mask_data hides.
    raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} {value!r} is neither true nor false")


def _whole(field: str, value: Any) -> int | None:
    if value is None or type(value) is int:
        return value
    try:
        return int(str(value))
    except ValueError as fault:
        raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} {value!r} is not a whole number") from fault


def _json(field: str, value: Any) -> str | None:
    """Take JSON as the text it is; a driver that has parsed it already is asked for its values instead."""
    if value is None or isinstance(value, str | bytes | bytearray | memoryview):
        return _text(field, value)
    return _encoded(field, value)


def _extra(values: Row, columns: ExtraColumns) -> dict[str, str]:
    # zip stops where there are none, which is nearly always.
    return {
        name: value if columns.are_json else _encoded(name, value)
        for name, value in zip(columns.names, values, strict=True)
        if value is not None
    }


def _encoded(field: str, value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError) as fault:
        raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} cannot be written as JSON: {fault}") from fault
