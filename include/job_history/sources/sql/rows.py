"""Rows of a database as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from job_history.errors import BadRecordError
from job_history.model.admin_event import EventRecord
from job_history.model.job import JobRecord, LineRecord
from job_history.sources.sql.time_forms import TimeForm
from job_history.sources.sql.values import (
    ExtraColumns,
    Row,
    bool_value,
    extra_values,
    id_value,
    is_masked,
    is_truth,
    json_value,
    moment_value,
    text_size,
    text_value,
    whole_value,
)

# A batch of rows is fetched by its likely size, which is that of the rows before it: jobs of 40 MB one by one. Never
# many at once, because a line of 1 MB may come after thousands of 1 kB.
FETCH_BYTES = 8_000_000
MAX_ROWS_A_FETCH = 100
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
EVENT_COLUMNS = (
    "user_id",
    "event_id",
    "event",
    "details",
    "actor",
    "team",
    "resource",
    "occurred_at",
)
_ISO: dict[str, TimeForm | None] = {}
IDENTIFYING = ("user_id", "recipe_id", "job_id", "status", "started_at", "completed_at")
IDENTIFYING_AN_EVENT = ("user_id", "event_id", "event", "occurred_at")


def fetch_size(rows: list[Row] | None = None, size: int = FIRST_FETCH_ROWS) -> int:
    """Return how many rows to fetch next, after `size` were asked for and these came."""
    if rows is None:
        return size
    largest = max(1, *map(text_size, rows))
    return max(1, min(MAX_ROWS_A_FETCH, FETCH_BYTES // largest, 4 * size))


Forms = Mapping[str, TimeForm | None]
"""The form of each column of times; None: the database gives ISO 8601."""


def job_record(row: Row, extra: ExtraColumns, forms: Forms = _ISO) -> JobRecord:
    """Make the record of a job row, in the order of JOB_COLUMNS; if it cannot be read, the record's `fault` is the
    reason.
    """
    try:
        return _job_record(row, extra, forms)
    except BadRecordError as fault:
        return _unreadable(row, fault)


def _job_record(row: Row, extra: ExtraColumns, forms: Forms) -> JobRecord:
    columns = dict(zip(JOB_COLUMNS, row, strict=False))
    return JobRecord(
        user_id=id_value("user_id", columns["user_id"]),
        recipe_id=id_value("recipe_id", columns["recipe_id"]),
        job_id=id_value("job_id", columns["job_id"]),
        status=text_value("status", columns["status"]),
        started_at=moment_value("started_at", columns["started_at"], forms.get("started_at")),
        completed_at=moment_value("completed_at", columns["completed_at"], forms.get("completed_at")),
        parent_id=id_value("parent_id", columns["parent_id"]),
        calling_job_id=id_value("calling_job_id", columns["calling_job_id"]),
        error_type=text_value("error_type", columns["error_type"]),
        error=text_value("error", columns["error"]),
        title=text_value("title", columns["title"]),
        is_poll_error=bool_value("is_poll_error", columns["is_poll_error"]),
        report=json_value("report", columns["report"]),
        extra=extra_values(row[len(JOB_COLUMNS) :], extra),
    )


def line_record(row: Row, extra: ExtraColumns) -> LineRecord:
    """Make the record of a line row, in the order of LINE_COLUMNS. Raises BadRecordError if it cannot be read.

    A line is masked unless `mask_data` is false by rule: what is missing or no truth value could uncover it.
    """
    number, adapter_name, adapter_operation, input_, output, error, mask_data = row[: len(LINE_COLUMNS)]
    return LineRecord(
        recipe_line_number=whole_value("recipe_line_number", number),
        adapter_name=text_value("adapter_name", adapter_name),
        adapter_operation=text_value("adapter_operation", adapter_operation),
        input=json_value("input", input_),
        output=json_value("output", output),
        error=text_value("error", error),
        mask_data=is_masked(mask_data),
        mask_data_unclear=not is_truth(mask_data),
        extra=extra_values(row[len(LINE_COLUMNS) :], extra),
    )


def event_record(row: Row, extra: ExtraColumns, forms: Forms = _ISO) -> EventRecord:
    """Make the record of an event row, in the order of EVENT_COLUMNS; if it cannot be read, the record's `fault` is
    the reason.
    """
    columns = dict(zip(EVENT_COLUMNS, row, strict=False))
    try:
        return EventRecord(
            user_id=id_value("user_id", columns["user_id"]),
            event_id=id_value("event_id", columns["event_id"]),
            event=text_value("event", columns["event"]),
            occurred_at=moment_value("occurred_at", columns["occurred_at"], forms.get("occurred_at")),
            details=json_value("details", columns["details"]),
            user=json_value("actor", columns["actor"]),
            team=json_value("team", columns["team"]),
            resource=json_value("resource", columns["resource"]),
            extra=extra_values(row[len(EVENT_COLUMNS) :], extra),
        )
    except BadRecordError as fault:
        known = _known(columns, IDENTIFYING_AN_EVENT)
        return EventRecord(**known, fault=fault.reason, fault_explanation=fault.explanation)


def _unreadable(row: Row, fault: BadRecordError) -> JobRecord:
    columns = dict(zip(JOB_COLUMNS, row, strict=False))
    known = _known(columns, IDENTIFYING)
    if columns["job_id"] is not None:
        # As a listing of ids writes it, or the reconciliation would miss the job for ever.
        known["job_id"] = id_text(columns["job_id"])
    return JobRecord(**known, fault=fault.reason, fault_explanation=fault.explanation)


def id_text(value: Any) -> str:
    """Write a job's id as its record would have it, readable or not."""
    try:
        return str(id_value("job_id", value))
    except BadRecordError:
        return ascii(str(value))[1:-1]


def _known(columns: dict[str, Any], identifying: tuple[str, ...]) -> dict[str, Any]:
    """Return what identifies a record, in ASCII, so that it can be found in the source."""
    return {name: None if (value := columns[name]) is None else ascii(str(value))[1:-1] for name in identifying}
