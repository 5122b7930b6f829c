"""The task that decides what a run has to do for one kind of destination."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import BaseOperator

from job_history.extract import read_at
from job_history.plan import plan
from job_history.preflight.holding_back import hold_back
from job_history.preflight.passed import PassedPreflights
from job_history.run_record import RunRecord
from job_history.slice import run_folder
from job_history_airflow.connections import source_of, storage_at
from job_history_airflow.preflight import destination_check
from job_history_airflow.run_window import window_of
from job_history_airflow.settings import load_accounts, read_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class PlanOperator(BaseOperator):
    """Counts the jobs and admin events of each account that has this kind of destination, and returns the slices to replicate.

    An account whose destination cannot take them gets none: its window fails, with what the preflight found.

    The run's parameter `accounts` narrows them down to some user_ids.

    :param destination: the accounts' `destination.type`
    """

    ui_color = "#e8f1fb"

    def __init__(self, *, destination: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destination = destination

    def execute(self, context: Context) -> list[dict[str, Any]]:
        settings = read_settings()
        dag_run = context["dag_run"]
        run = run_folder(dag_run.dag_id, dag_run.run_id)
        staging = storage_at(settings.staging_path)
        accounts = load_accounts()
        made = plan(
            run=run,
            window=window_of(dag_run, context["params"]),
            accounts=accounts,
            chosen=[int(user_id) for user_id in context["params"].get("accounts") or []],
            destination=self.destination,
            source_of=lambda account, kind: source_of(
                account, kind, max_document_bytes=settings.max_document_bytes, staging=staging
            ),
            max_jobs_per_slice=settings.max_jobs_per_slice,
            planned_at=read_at(),
            most_slices=conf.getint("core", "max_map_length"),
        )
        hold_back(
            made,
            accounts.usable,
            check_of=destination_check,
            passed=PassedPreflights(storage_at(settings.ledger_path)),
            now=datetime.now(UTC),
        )
        RunRecord(staging, run).save_plan(made)
        return [{**slice_.as_dict(), "label": slice_.label} for slice_ in made.slices]
