"""Whether a step's worker sees the staging area that its run was planned in."""

from __future__ import annotations

import secrets
import socket
from datetime import UTC, datetime, timedelta

import msgspec

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.model.slice import RUNS
from job_history.model.timestamp import format_time
from job_history.storage import Storage

# Staged files of a failed slice are kept, because its load task may be cleared.
STAGED_FILES_KEPT = timedelta(days=7)


NOTES = "planned-"
"""With what the names of the plans' notes begin, in the folder of their run."""


class Planned(msgspec.Struct, frozen=True):
    """Which host planned a run, and when; `path` is this note's own, below the staging path.

    `installation`: the id of the plan's ledger; empty if an earlier release planned the run. `kinds`: of destination, a
    plan for each.
    """

    host: str
    at: datetime
    path: str
    installation: str = ""
    kinds: list[str] = []


def note_planned(staging: Storage, run: str, installation: str = "", kinds: list[str] | None = None) -> Planned:
    """Leave a note in a run's folder, for its other steps to look for."""
    # Of its own for each plan: a worker may have planned the same run before, in a staging area that is not shared.
    path = f"{RUNS}/{run}/{NOTES}{secrets.token_hex(4)}.json"
    planned = Planned(socket.gethostname(), datetime.now(UTC), path, installation, kinds or [])
    staging.write(planned.path, msgspec.json.encode(planned))
    return planned


def check_shared(staging: Storage, planned: Planned, now: datetime) -> None:
    """Raise PermanentError, with the code STAGING_NOT_SHARED, if this worker does not see the plan's note."""
    if staging.read(planned.path) is not None:
        return
    if now - planned.at > STAGED_FILES_KEPT:
        raise PermanentError(
            f"This run was planned at {format_time(planned.at)}, and staged files are kept for "
            f"{STAGED_FILES_KEPT.days} days. Start a new run of the window."
        )
    facts = {"here": socket.gethostname(), "there": planned.host, "path": staging.url(planned.path)}
    found = finding(Code.STAGING_NOT_SHARED, "The staging area", **facts)
    raise PermanentError(f"{found.code}: {found.cause} {found.fix}", code=found.code, facts=facts)
