"""Object keys: a pure function of account and record, so that the same job or event always has the same place."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from job_history.model.job import MAX_ID_DIGITS, FinalStatus, Id

_DAY_FOLDER = re.compile(r"(?:.*/)?[0-9]+/(?:jobs/[0-9]+|admin_events)/[0-9]{8}(?=/)")


def formatted_id(record_id: Id) -> str:
    """Write an id as part of a path: a number as 21 digits in pieces of three, a handle unsplit.

    `100` becomes `000/000/000/000/000/000/100`.
    """
    if isinstance(record_id, str):
        return record_id
    padded = f"{record_id:0{MAX_ID_DIGITS}d}"
    return "/".join(padded[piece : piece + 3] for piece in range(0, MAX_ID_DIGITS, 3))


def event_key(*, prefix: str, user_id: int, event_id: Id, occurred_at: datetime, event: str) -> str:
    """Return the key of an admin event's document; date and stamp in UTC. All parts are validated."""
    day, stamp = _day_and_stamp(occurred_at)
    folder = f"{user_id}/admin_events/{day}/{formatted_id(event_id)}"
    return _below(prefix, f"{folder}/{user_id}-{event_id}-{stamp}-{event}.json")


def day_folder(key: str) -> str:
    """Return the part of a document's key that it shares with others of its day: and, where it is a job's, of its recipe."""
    found = _DAY_FOLDER.match(key)
    if found is None:
        raise ValueError(f"{key!r} is not the key of a document")
    return found[0]


def job_key(*, prefix: str, user_id: int, recipe_id: int, job_id: Id, started_at: datetime, status: FinalStatus) -> str:
    """Return the key of a job's document; date and stamp come from `started_at` in UTC. All parts are validated ids."""
    day, stamp = _day_and_stamp(started_at)
    folder = f"{user_id}/jobs/{recipe_id}/{day}/{formatted_id(job_id)}"
    return _below(prefix, f"{folder}/{user_id}-{recipe_id}-{job_id}-{stamp}-{status}.json")


def _day_and_stamp(moment: datetime) -> tuple[str, str]:
    moment = moment.astimezone(UTC)
    # strftime takes five times as long, and does not pad the years before 1000 on every platform.
    day = f"{moment.year:04d}{moment.month:02d}{moment.day:02d}"
    return day, f"{day}{moment.hour:02d}{moment.minute:02d}{moment.second:02d}"


def _below(prefix: str, key: str) -> str:
    return f"{prefix}/{key}" if prefix else key
