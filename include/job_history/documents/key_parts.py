"""The way back from an object's key to what it was made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import msgspec

from job_history.documents.object_key import event_key, job_key
from job_history.model.job import FinalStatus, Id

_JOB_KEY = re.compile(
    r"(?:(?P<prefix>.+)/)?(?P<user_id>[0-9]+)/jobs/(?P<recipe_id>[0-9]+)/[0-9]{8}/[^ ]+/"
    r"(?P=user_id)-(?P=recipe_id)-(?P<id>[A-Za-z0-9-]+)-(?P<stamp>[0-9]{14})-(?P<status>succeeded|failed)\.json"
)
_EVENT_KEY = re.compile(
    r"(?:(?P<prefix>.+)/)?(?P<user_id>[0-9]+)/admin_events/[0-9]{8}/[^ ]+/"
    r"(?P=user_id)-(?P<id>[A-Za-z0-9-]+)-(?P<stamp>[0-9]{14})-(?P<event>[a-z0-9_]+)\.json"
)


class JobKeyParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a job's key tells; `started_at` to the second, in UTC."""

    prefix: str
    user_id: int
    recipe_id: int
    job_id: Id
    started_at: datetime
    status: FinalStatus


class EventKeyParts(msgspec.Struct, frozen=True, kw_only=True):
    """What an admin event's key tells; `occurred_at` to the second, in UTC, and `event` its name."""

    prefix: str
    user_id: int
    event_id: Id
    occurred_at: datetime
    event: str


def parts_of(key: str) -> JobKeyParts | EventKeyParts:
    """Return what a key was made of. Raises ValueError where it is not just the key that is made of that."""
    for parts in _possible_parts(key):
        fields = msgspec.structs.asdict(parts)
        if key == (job_key(**fields) if isinstance(parts, JobKeyParts) else event_key(**fields)):
            return parts
    raise ValueError(
        f"{key!r} is the key of no document: what its name tells makes no such key. A job's ends as "
        "user_id/jobs/recipe_id/YYYYMMDD/formatted_job_id/name.json, an admin event's as "
        "user_id/admin_events/YYYYMMDD/formatted_event_id/name.json."
    )


def _possible_parts(key: str) -> Iterator[JobKeyParts | EventKeyParts]:
    for pattern in (_JOB_KEY, _EVENT_KEY):
        match = pattern.fullmatch(key)
        moment = _moment(match["stamp"]) if match else None
        if match is None or moment is None:
            continue
        prefix, user_id, text = match["prefix"] or "", int(match["user_id"]), match["id"]
        # The first digits of a digest may all be decimal ones, and are no number for that.
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
