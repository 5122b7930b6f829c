"""Where a run keeps its files: its folder, the staging area and the ledger, as the config names them now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from job_history.model.slice import run_folder
from job_history.pipeline.shared_staging import Planned
from job_history.storage import Storage
from job_history_airflow.factories.storage import storage_at
from job_history_airflow.operators.staging_check import check_ledger, check_staging
from job_history_airflow.settings import Settings, read_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


def run_of(context: Context) -> str:
    """Return the folder name of a task's run."""
    dag_run = context["dag_run"]
    return run_folder(dag_run.dag_id, dag_run.run_id)


@dataclass(frozen=True)
class RunPlaces:
    """`run`: the folder name of the run, below the staging area."""

    settings: Settings
    run: str
    staging: Storage
    ledger: Storage

    @classmethod
    def of(cls, context: Context) -> RunPlaces:
        """Read the config for a task. Raises PermanentError or TransientError if it names no place that can be used."""
        settings = read_settings()
        return cls(settings, run_of(context), storage_at(settings.staging_path), storage_at(settings.ledger_path))

    def check_shared(self, planned: Planned | None) -> None:
        """Raise PermanentError if this worker does not see what the worker that planned the run has written."""
        check_staging(self.staging, planned)
        check_ledger(self.ledger, planned)
