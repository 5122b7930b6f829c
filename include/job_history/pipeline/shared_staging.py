"""Whether a step's worker sees the staging area and the ledger that its run was planned with."""

from __future__ import annotations

import secrets
import socket
from datetime import UTC, datetime, timedelta

import msgspec

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.ledger.installation import installation_of, read_installation
from job_history.ledger.plan_notes import is_noted, note_plan
from job_history.model.slice import RUNS
from job_history.model.timestamp import format_time
from job_history.storage import Storage

# Staged files of a failed slice are kept, because its load task may be cleared.
STAGED_FILES_KEPT = timedelta(days=7)


NOTES = "planned-"
"""With what the names of the plans' notes begin, in the folder of their run."""


class Planned(msgspec.Struct, frozen=True):
    """Which host planned a run, and when; `path` is this note's own, below the staging path.

    `installation`: the id of the plan's ledger; `in_ledger`: the plan's note there; both are empty if an earlier
    release planned the run. `kinds`: of destination, a plan for each.
    """

    host: str
    at: datetime
    path: str
    installation: str = ""
    kinds: list[str] = []
    in_ledger: str = ""


def note_planned(staging: Storage, ledger: Storage, run: str, kinds: list[str] | None = None) -> Planned:
    """Leave a note in a run's folder and one in the ledger, for the run's other steps to look for."""
    # Of its own for each plan: a worker may have planned the same run before, in a staging area that is not shared.
    token = secrets.token_hex(4)
    planned = Planned(
        host=socket.gethostname(),
        at=datetime.now(UTC),
        path=f"{RUNS}/{run}/{NOTES}{token}.json",
        installation=installation_of(ledger),
        kinds=kinds or [],
        in_ledger=note_plan(ledger, f"{run}-{token}"),
    )
    staging.write(planned.path, msgspec.json.encode(planned))
    return planned


def check_shared(staging: Storage, planned: Planned, now: datetime) -> None:
    """Raise PermanentError, with the code STAGING_NOT_SHARED, if this worker does not see the plan's note."""
    if staging.read(planned.path) is not None:
        return
    _check_age(planned, now)
    facts = {"here": socket.gethostname(), "there": planned.host, "path": staging.url(planned.path)}
    found = finding(Code.STAGING_NOT_SHARED, "The staging area", **facts)
    raise PermanentError(f"{found.code}: {found.cause} {found.fix}", code=found.code, facts=facts)


def check_ledger_shared(ledger: Storage, planned: Planned, now: datetime) -> None:
    """Raise PermanentError, with the code LEDGER_NOT_SHARED, if this worker has another ledger, or a copy of it."""
    if not planned.in_ledger or is_noted(ledger, planned.in_ledger):
        return
    _check_age(planned, now)
    is_copy = read_installation(ledger) == planned.installation
    facts = {
        "here": socket.gethostname(),
        "there": planned.host,
        "path": ledger.url(planned.in_ledger),
        "detail": "it is a copy of that ledger" if is_copy else "it is another one, or empty",
    }
    found = finding(Code.LEDGER_NOT_SHARED, "The ledger", **facts)
    raise PermanentError(str(found), code=found.code, facts=facts)


def _check_age(planned: Planned, now: datetime) -> None:
    if now - planned.at > STAGED_FILES_KEPT:
        raise PermanentError(
            f"This run was planned at {format_time(planned.at)}, and staged files are kept for "
            f"{STAGED_FILES_KEPT.days} days. Start a new run of the window."
        )
