"""The runs and tasks of Airflow that handled a window, for links to their logs."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from airflow.models import DagRun, TaskInstance
from sqlalchemy import select
from sqlalchemy.orm import Session

from job_history.ledger.receipt import Receipt, RunEntry
from job_history.model.slice import Slice, run_folder
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.storage import Storage
from job_history_airflow.dag_ids import DAG_IDS

MAX_RUNS_SHOWN = 50
MAX_RUNS_SEARCHED = 50_000
"""Of both DAGs, the newest first: five years of hourly runs."""


@dataclass(frozen=True)
class TaskLink:
    name: str
    state: str
    path: str


@dataclass(frozen=True)
class Run:
    """A run in the receipt. `path` is its path in the UI, or None if Airflow does not have the run (any more)."""

    entry: RunEntry
    path: str | None
    tasks: list[TaskLink]


def runs_of(session: Session, receipt: Receipt, staging: Storage) -> list[Run]:
    """Return the newest runs of a receipt, the newest first, each with the tasks that handled this account's window."""
    entries = receipt.runs[-MAX_RUNS_SHOWN:]
    folders = {entry.run for entry in entries}
    newest = (
        select(DagRun.dag_id, DagRun.run_id)
        .where(DagRun.dag_id.in_(DAG_IDS))
        .order_by(DagRun.id.desc())
        .limit(MAX_RUNS_SEARCHED)
    )
    known = {
        folder: (dag_id, run_id)
        for dag_id, run_id in session.execute(newest)
        if (folder := run_folder(dag_id, run_id)) in folders
    }
    return [_run(session, entry, known.get(entry.run), receipt, staging) for entry in reversed(entries)]


def _run(session: Session, entry: RunEntry, known: tuple[str, str] | None, receipt: Receipt, staging: Storage) -> Run:
    if known is None:
        return Run(entry, None, [])
    dag_id, run_id = known
    path = f"/dags/{dag_id}/runs/{quote(run_id, safe='')}"
    tasks = list(
        session.scalars(
            select(TaskInstance)
            .where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
            .order_by(TaskInstance.start_date, TaskInstance.map_index)
        )
    )
    numbers = {task.map_index + 1 for task in tasks if task.task_id.startswith("shared.") and task.map_index >= 0}
    files = ConvoyFiles(staging, entry.run)
    convoys = {number for number in numbers if (convoy := files.convoy(number)) and _has(convoy.slices, receipt)}
    chains = {map_index for map_index, slices in enumerate(files.chains()) if _has(slices, receipt)}
    return Run(
        entry,
        path,
        [
            _link(task, path)
            for task in tasks
            if task.task_id == "report"
            or (task.rendered_map_index or "").startswith(f"{receipt.label} {receipt.window.start_text}")
            or (task.task_id.startswith("single.") and task.map_index in chains)
            or (task.task_id.startswith("shared.") and task.map_index + 1 in convoys)
        ],
    )


def _has(slices: list[Slice], receipt: Receipt) -> bool:
    return any(
        (slice_.user_id, slice_.kind, slice_.window) == (receipt.user_id, receipt.kind, receipt.window)
        for slice_ in slices
    )


def _link(task: TaskInstance, path: str) -> TaskLink:
    mapped = f"/mapped/{task.map_index}" if task.map_index >= 0 else ""
    return TaskLink(task.task_id, str(task.state or "none"), f"{path}/tasks/{task.task_id}{mapped}")
