"""The task that decides what a run does for one kind of destination."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.configuration import conf
from airflow.sdk import BaseOperator

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.destinations.kind import kind_of
from job_history.ledger.installation import installation_of
from job_history.ledger.known_accounts import read_known_accounts
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.slice import run_folder
from job_history.model.window import Window
from job_history.pipeline.extract import read_at
from job_history.pipeline.plan import SkipWindow, WindowsOf, plan, skip_none
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.shared_staging import note_planned
from job_history.preflight.blocking import block_failing_accounts
from job_history.preflight.create_only import check_create_only
from job_history.preflight.notes import PreflightNotes
from job_history.sources import RemoteSource
from job_history_airflow.factories.sources import source_of
from job_history_airflow.factories.storage import storage_at
from job_history_airflow.operators.failures import reported_failure
from job_history_airflow.operators.staging_check import PLANNED
from job_history_airflow.params import REPLICATION_PARAMETERS, check_parameters
from job_history_airflow.preflight import destination_check
from job_history_airflow.run_window import window_of
from job_history_airflow.settings import Settings, load_accounts, read_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from job_history.storage import Storage


class PlanOperator(BaseOperator):
    """Counts the jobs and admin events of each account that has this kind of destination, and returns the slices to
    replicate.

    An account whose destination cannot take them gets none: its window fails with the findings of the preflight.

    The run's parameter `accounts` narrows them down to some user_ids; `mode` `missing_only` leaves out complete
    windows.

    :param destination: the accounts' `destination.type`
    """

    ui_color = "#e8f1fb"

    settings: Settings
    staging: Storage
    ledger: Storage
    run_files: RunFiles

    def __init__(self, *, destination: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destination = destination

    known_parameters = REPLICATION_PARAMETERS

    def execute(self, context: Context) -> list[dict[str, Any]]:
        with reported_failure(f"{self.destination}.plan", context):
            return self._plan(context)

    def _plan(self, context: Context) -> list[dict[str, Any]]:
        self.settings = read_settings()
        dag_run = context["dag_run"]
        run = run_folder(dag_run.dag_id, dag_run.run_id)
        self.staging, self.ledger = storage_at(self.settings.staging_path), storage_at(self.settings.ledger_path)
        self.run_files = RunFiles(self.staging, run)
        self.run_files.begin_plan(self.destination)
        check_parameters(context, self.known_parameters)
        check_create_only(self.ledger, self.staging)
        planned_at = read_at()
        accounts = load_accounts()
        window = self.window(context)
        made = plan(
            run=run,
            window=window,
            accounts=accounts,
            chosen=[int(user_id) for user_id in context["params"].get("accounts") or []],
            destination=self.destination,
            source_of=self.source_of,
            max_jobs_per_slice=self.settings.max_jobs_per_slice,
            planned_at=planned_at,
            max_slices=conf.getint("core", "max_map_length"),
            known=read_known_accounts(self.ledger),
            skip=self.windows_to_skip(context, window),
            windows_of=self.windows_of(context, accounts, window),
        )
        block_failing_accounts(
            made,
            accounts.usable,
            check_of=destination_check,
            passed=PreflightNotes(self.ledger),
            now=datetime.now(UTC),
            again=context["ti"].try_number > 1,
        )
        self.run_files.save_plan(made)
        planned = msgspec.to_builtins(note_planned(self.staging, run, installation_of(self.ledger)))
        context["ti"].xcom_push(PLANNED, planned)
        return [{**slice_.as_dict(), "label": slice_.label, PLANNED: planned} for slice_ in made.slices]

    def window(self, context: Context) -> Window:
        """Return the window of the run."""
        return window_of(context["dag_run"], context["params"])

    def windows_of(self, context: Context, accounts: Accounts, window: Window) -> WindowsOf | None:  # noqa: ARG002
        """Return which windows of an account the run is about; None: each hour of its window."""
        return None

    def windows_to_skip(self, context: Context, window: Window) -> SkipWindow:
        """Return the predicate for windows that need no run."""
        from job_history.pipeline.complete_windows import complete_windows

        if context["params"].get("mode") != "missing_only":
            return skip_none
        return complete_windows(self.ledger, lambda account: kind_of(account).place(account), window)

    def source_of(self, account: Account, kind: EventKind) -> RemoteSource[Record]:
        return source_of(account, kind, max_document_bytes=self.settings.max_document_bytes, staging=self.staging)
