"""Object keys, in both directions: from account and record to the key, and from a key to what it was made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import msgspec

from job_history.errors.quoting import quoted
from job_history.model.ids import MAX_ID_DIGITS, Id
from job_history.model.job import FinalStatus
from job_history.model.timestamp import format_time

MAX_KEY_LENGTH = 1_024
"""In bytes, by Amazon S3."""
_DAY_FOLDER = re.compile(r"(?:.*/)?[0-9]+/(?:jobs/[0-9]+|admin_events)/[0-9]{8}(?=/)")
_JOB_KEY = re.compile(
    r"(?:(?P<prefix>.+)/)?(?P<user_id>[0-9]+)/jobs/(?P<recipe_id>[0-9]+)/[0-9]{8}/[^ ]+/"
    r"(?P=user_id)-(?P=recipe_id)-(?P<id>[A-Za-z0-9-]+)-(?P<stamp>[0-9]{14})-(?P<status>succeeded|failed)\.json"
)
_EVENT_KEY = re.compile(
    r"(?:(?P<prefix>.+)/)?(?P<user_id>[0-9]+)/admin_events/[0-9]{8}/[^ ]+/"
    r"(?P=user_id)-(?P<id>[A-Za-z0-9-]+)-(?P<stamp>[0-9]{14})-(?P<event>[a-z0-9_]+)\.json"
)


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
    """Return the part of a document's key that it shares with others of its day (and, for a job, of its recipe).

    Raises ValueError.
    """
    found = _DAY_FOLDER.match(key)
    if found is None:
        raise ValueError(f"{quoted(key, MAX_KEY_LENGTH)} is not the key of a document")
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


class JobKeyParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a job's key; `started_at` to the second, in UTC."""

    prefix: str
    user_id: int
    recipe_id: int
    job_id: Id
    started_at: datetime
    status: FinalStatus


class EventKeyParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an admin event's key; `occurred_at` to the second, in UTC; `event` is its name."""

    prefix: str
    user_id: int
    event_id: Id
    occurred_at: datetime
    event: str


def parts_of(key: str) -> JobKeyParts | EventKeyParts:
    """Return the parts of a key. Raises ValueError if these parts do not make exactly this key."""
    for parts in _possible_parts(key):
        fields = msgspec.structs.asdict(parts)
        if key == (job_key(**fields) if isinstance(parts, JobKeyParts) else event_key(**fields)):
            return parts
    raise ValueError(
        f"{quoted(key, MAX_KEY_LENGTH)} is not the key of a document. A job's ends as "
        "user_id/jobs/recipe_id/YYYYMMDD/formatted_job_id/name.json, an admin event's as "
        "user_id/admin_events/YYYYMMDD/formatted_event_id/name.json."
    )


def began_at(key: str) -> str:
    """Return the time in a key, as ISO 8601 text to the second; empty if it is not the key of a document."""
    try:
        parts = parts_of(key)
    except ValueError:
        return ""
    return format_time(parts.started_at if isinstance(parts, JobKeyParts) else parts.occurred_at)


def _possible_parts(key: str) -> Iterator[JobKeyParts | EventKeyParts]:
    for pattern in (_JOB_KEY, _EVENT_KEY):
        match = pattern.fullmatch(key)
        moment = _moment(match["stamp"]) if match else None
        if match is None or moment is None:
            continue
        prefix, user_id, text = match["prefix"] or "", int(match["user_id"]), match["id"]
        # All hex digits of a digest may happen to be decimal ones; it is still not a number.
        for record_id in [int(text), text] if text.isdecimal() else [text]:
            if pattern is _JOB_KEY:
                yield JobKeyParts(
                    prefix=prefix,
                    user_id=user_id,
                    recipe_id=int(match["recipe_id"]),
                    job_id=record_id,
                    started_at=moment,
                    status=cast("FinalStatus", match["status"]),
                )
            else:
                yield EventKeyParts(
                    prefix=prefix, user_id=user_id, event_id=record_id, occurred_at=moment, event=match["event"]
                )


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
