"""Jobs of the API as records.

Documented: the fields of the list's and of the job's own answer. Inferred: a status that is missing (until 2020),
`error_type` from `error_parts`, and that a job is the repeat of its `master_job_id` if that is another job.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.ids import Id
from job_history.model.job import JobRecord, LineRecord, final_status
from job_history.model.timestamp import format_time, parse_time
from job_history.sources.workato.fields import (
    Fields,
    bool_field,
    id_field,
    json_field,
    moment_field,
    number_field,
    other_fields,
    readable,
    text_field,
)

_IN_EVERY_DOCUMENT = frozenset(
    {
        *(
            "id",
            "handle",
            "recipe_id",
            "flow_id",
            "parent_id",
            "calling_job_id",
            "status",
            "started_at",
            "completed_at",
        ),
        *("error_type", "error", "title", "is_poll_error", "report", "lines"),
    }
)
_IN_EVERY_LINE = frozenset(
    {"recipe_line_number", "adapter_name", "adapter_operation", "input", "output", "error", "mask_data"}
)
_IDENTIFYING = ("id", "status", "started_at", "completed_at")
ERASED = {"erased": "true"}


def job_record(fields: Fields, *, user_id: int, recipe_id: int) -> JobRecord:
    """Make the record of a job, without its lines. A field that cannot be read becomes the record's fault."""
    try:
        return _job_record(fields, user_id, recipe_id)
    except BadRecordError as fault:
        known = readable(fields, _IDENTIFYING)
        return JobRecord(
            user_id=user_id,
            recipe_id=recipe_id,
            job_id=known["id"],
            status=known["status"],
            started_at=known["started_at"],
            completed_at=known["completed_at"],
            fault=fault.reason,
            fault_explanation=fault.explanation,
        )


def _job_record(fields: Fields, user_id: int, recipe_id: int) -> JobRecord:
    job_id = id_field(fields, "id", "handle")
    return JobRecord(
        user_id=user_id,
        recipe_id=recipe_id,
        job_id=job_id,
        status=status_of(fields),
        started_at=text_field(fields, "started_at"),
        completed_at=text_field(fields, "completed_at"),
        parent_id=_parent_id(fields, job_id),
        calling_job_id=id_field(fields, "calling_job_id", "calling_job_handle"),
        error_type=text_field(fields, "error_type") or _error_type(fields),
        error=text_field(fields, "error"),
        title=text_field(fields, "title"),
        is_poll_error=bool_field(fields, "is_poll_error"),
        report=json_field(fields, "report"),
        extra=other_fields(fields, _IN_EVERY_DOCUMENT),
    )


def with_details(record: JobRecord, fields: Fields) -> JobRecord:
    """Add to a listed job what the job's own answer has beyond it: its lines, and further fields.

    A swept job has no lines any more; the API shows an empty list, which would look as if it had run nothing.
    """
    if record.fault is not None:
        return record
    try:
        detailed = _job_record(fields, int(record.user_id or 0), int(record.recipe_id or 0))
        lines = None if "erased" in {**record.extra, **detailed.extra} else _lines(fields)
    except BadRecordError as fault:
        return msgspec.structs.replace(record, fault=fault.reason, fault_explanation=fault.explanation)
    gained = {
        name: getattr(detailed, name)
        for name in ("parent_id", "calling_job_id", "error_type", "error", "title", "is_poll_error", "report")
        if getattr(record, name) is None
    }
    return msgspec.structs.replace(record, **gained, lines=lines, extra={**record.extra, **detailed.extra})


def without_details(record: JobRecord) -> JobRecord:
    """Mark a listed job as one that the platform no longer has: only the list's own fields are left."""
    return msgspec.structs.replace(record, extra={**record.extra, **ERASED})


def mismatch(record: JobRecord, fields: Fields) -> str | None:
    """Return how the answer for a single job contradicts the listed job; None if it is that job, ended as it was
    listed.

    Only ids, times and statuses are compared and quoted.
    """
    try:
        known = {str(value) for name in ("id", "handle") if (value := id_field(fields, name)) is not None}
        recipe_id, status = id_field(fields, "recipe_id"), text_field(fields, "status")
    except BadRecordError as error:
        return error.explanation
    if str(record.job_id) not in known:
        return f"it is job {min(known)}" if known else "it has no id"
    if recipe_id is not None and str(recipe_id) != str(record.recipe_id):
        return f"it is of recipe {recipe_id}"
    if "lines" not in fields and "erased" not in fields:
        return "it has no lines"  # documented: a list or null
    return _other_end(record, status, fields)


def _other_end(record: JobRecord, status: str | None, fields: Fields) -> str | None:
    if status is not None and final_status(status) != final_status(record.status):
        return f"its status is {status!r:.40}, and was listed as {record.status!r:.40}"
    listed, ended = _moment(record.completed_at), moment_field(fields, "completed_at")
    if listed is not None and bytes(fields.get("completed_at", b"")) == b"null":
        return "it has not ended"
    if listed is not None and ended is not None and abs(listed - ended) >= timedelta(seconds=1):
        return f"it ended at {format_time(ended)}, and was listed with {record.completed_at}"
    return None


def status_of(fields: Fields) -> str:
    """Return an ended job's status. Raises BadRecordError if it cannot be read."""
    if (status := text_field(fields, "status")) is not None:
        return status
    return "failed" if bool_field(fields, "is_error") else "succeeded"


def _parent_id(fields: Fields, job_id: Id | None) -> Id | None:
    if (parent_id := id_field(fields, "parent_id")) is not None:
        return parent_id
    # Observed: a job that was repeated is its own master.
    master = id_field(fields, "master_job_id")
    return None if str(master) == str(job_id) else master


def _error_type(fields: Fields) -> str | None:
    if bytes(fields.get("error_parts", b""))[:1] != b"{":
        return None
    return text_field(msgspec.json.decode(fields["error_parts"], type=Fields), "error_type")


def _lines(fields: Fields) -> list[LineRecord]:
    """Documented: a list of objects, or null, which is a job without lines."""
    if bytes(fields.get("lines", b"null")) == b"null":
        return []
    try:
        lines = msgspec.json.decode(fields["lines"], type=list[Fields])
    except msgspec.DecodeError as fault:
        raise BadRecordError(QuarantineReason.BAD_JSON, f"lines are no list of objects: {fault}") from fault
    return [_line(line) for line in lines]


def _line(fields: Fields) -> LineRecord:
    """`input` and `output` are not in the public API (documented); if a server has them, they are used.

    Then the line is masked unless its `mask_data` is false, as lines of a job store are.
    """
    mask_data = _boolean(fields, "mask_data")
    is_unclear = mask_data is None and not fields.keys().isdisjoint({"input", "output", "mask_data"})
    return LineRecord(
        recipe_line_number=number_field(fields, "recipe_line_number"),
        adapter_name=text_field(fields, "adapter_name"),
        adapter_operation=text_field(fields, "adapter_operation"),
        input=_where_there(fields, "input"),
        output=_where_there(fields, "output"),
        error=text_field(fields, "error"),
        mask_data=bool(mask_data) or is_unclear,
        mask_data_unclear=is_unclear,
        extra=other_fields(fields, _IN_EVERY_LINE),
    )


def _boolean(fields: Fields, name: str) -> bool | None:
    try:
        return bool_field(fields, name)
    except BadRecordError:
        return None


def _where_there(fields: Fields, name: str) -> str | msgspec.UnsetType:
    text = json_field(fields, name)
    return msgspec.UNSET if text is None else text


def _moment(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_time(text)
    except ValueError:
        return None
