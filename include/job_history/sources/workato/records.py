"""Jobs of the API as records.

Documented: the fields of the list's and of the job's own answer. Inferred: a status where there is none (until 2020),
`error_type` from `error_parts`, and that a job is the repeat of its `master_job_id` where that is another job.
"""

from __future__ import annotations

import msgspec

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.ids import Id
from job_history.model.job import JobRecord, LineRecord
from job_history.sources.workato.fields import (
    Fields,
    bool_field,
    id_field,
    json_field,
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
    """Make the record of a job, without its lines; what cannot be read is told as the record's fault."""
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
    """Give a listed job what the job's own answer has beyond it: its lines, and further fields.

    A swept job has no lines any more; the API shows an empty list, which would read as if it had run nothing.
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
    """Say of a listed job that the platform no longer has it: what the list said of it is all there is."""
    return msgspec.structs.replace(record, extra={**record.extra, **ERASED})


def status_of(fields: Fields) -> str:
    """Return an ended job's status. Raises BadRecordError where it cannot be read."""
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


def _lines(fields: Fields) -> list[LineRecord] | None:
    if bytes(fields.get("lines", b""))[:1] != b"[":
        return None
    try:
        lines = msgspec.json.decode(fields["lines"], type=list[Fields])
    except msgspec.DecodeError as fault:
        raise BadRecordError(QuarantineReason.BAD_JSON, f"lines are no list of objects: {fault}") from fault
    return [_line(line) for line in lines]


def _line(fields: Fields) -> LineRecord:
    """`input` and `output` are not in the public API (documented); where a server has them, they are taken."""
    return LineRecord(
        recipe_line_number=number_field(fields, "recipe_line_number"),
        adapter_name=text_field(fields, "adapter_name"),
        adapter_operation=text_field(fields, "adapter_operation"),
        input=_where_there(fields, "input"),
        output=_where_there(fields, "output"),
        error=text_field(fields, "error"),
        mask_data=bool(bool_field(fields, "mask_data")),
        extra=other_fields(fields, _IN_EVERY_LINE),
    )


def _where_there(fields: Fields, name: str) -> str | msgspec.UnsetType:
    text = json_field(fields, name)
    return msgspec.UNSET if text is None else text
