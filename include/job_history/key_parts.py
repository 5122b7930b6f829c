"""The way back from an object's key to what it was made of."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import cast

import msgspec

from job_history.job import FinalStatus, Id
from job_history.object_key import job_key

_JOB_KEY = re.compile(
    r"(?:(?P<prefix>.+)/)?(?P<user_id>[0-9]+)/jobs/(?P<recipe_id>[0-9]+)/[0-9]{8}/[^ ]+/"
    r"(?P=user_id)-(?P=recipe_id)-(?P<job_id>[A-Za-z0-9-]+)-(?P<stamp>[0-9]{14})-(?P<status>succeeded|failed)\.json"
)


class JobKeyParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a job's key tells; `started_at` to the second, in UTC."""

    prefix: str
    user_id: int
    recipe_id: int
    job_id: Id
    started_at: datetime
    status: FinalStatus


def parts_of(key: str) -> JobKeyParts:
    """Return what a job's key was made of. Raises ValueError where it is not just the key that `job_key` makes of that."""
    match = _JOB_KEY.fullmatch(key)
    if match is None:
        raise ValueError(
            f"{key!r} is no key of a job: it does not end as user_id/jobs/recipe_id/YYYYMMDD/.../name.json"
        )
    job_id, stamp = match["job_id"], match["stamp"]
    parts = JobKeyParts(
        prefix=match["prefix"] or "",
        user_id=int(match["user_id"]),
        recipe_id=int(match["recipe_id"]),
        job_id=int(job_id) if job_id.isdecimal() else job_id,
        started_at=_moment(key, stamp),
        status=cast("FinalStatus", match["status"]),
    )
    made = job_key(**msgspec.structs.asdict(parts))
    if made != key:
        raise ValueError(f"{key!r} is no key of a job: what its name tells makes {made!r}")
    return parts


def _moment(key: str, stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as fault:
        raise ValueError(f"{key!r} is no key of a job: its stamp {stamp} is no moment") from fault
