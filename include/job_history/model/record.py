"""A record: one job or admin event from a source. Both have an `id`, a `moment`, and perhaps a `fault`."""

from __future__ import annotations

from job_history.errors.quoting import MAX_QUOTED_LENGTH, on_one_line
from job_history.model.admin_event import EventRecord
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord, final_status

Record = JobRecord | EventRecord

RECORD_TYPES: dict[EventKind, type[JobRecord | EventRecord]] = {
    EventKind.JOBS: JobRecord,
    EventKind.ADMIN_EVENTS: EventRecord,
}


def status_without_a_file(record: Record) -> str | None:
    """Return the status of a job that ended, but neither succeeded nor failed; None for all that give a document.

    It enters logs and receipts, so it is cut, and has no control characters.
    """
    if isinstance(record, EventRecord) or record.fault is not None or final_status(record.status) is not None:
        return None
    return on_one_line((record.status or "none")[:MAX_QUOTED_LENGTH])
