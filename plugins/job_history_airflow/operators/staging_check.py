"""Each step checks first that its worker shares staging area and ledger with the worker that planned the run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from job_history.pipeline.shared_staging import Planned, check_ledger_shared, check_shared
from job_history.storage import Storage

if TYPE_CHECKING:
    from airflow.sdk import Context

PLANNED = "planned"
"""The key of the plan's note, in each mapped entry and among the plan's XComs."""


def planned_of(entry: dict[str, Any]) -> Planned | None:
    """Return the plan's note in a mapped entry; None if release 0.1 planned the run."""
    note = entry.get(PLANNED)
    return None if note is None else msgspec.convert(note, Planned)


def read_planned(context: Context, task_id: str = "plan") -> Planned | None:
    """Return the plan's note, for a task that is not mapped; None if nothing was planned. `task_id`: what left it."""
    return planned_of({PLANNED: context["ti"].xcom_pull(task_ids=task_id, key=PLANNED)})


def check_staging(staging: Storage, planned: Planned | None) -> None:
    """Raise PermanentError if this worker does not see the run's files."""
    if planned is not None:
        check_shared(staging, planned, datetime.now(UTC))


def check_ledger(ledger: Storage, planned: Planned | None) -> None:
    """Raise PermanentError if this worker has another ledger than the plan."""
    if planned is not None:
        check_ledger_shared(ledger, planned, datetime.now(UTC))
