"""The task that decides what a run does."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.configuration import conf
from airflow.sdk import BaseOperator

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.destinations.kind import kind_of
from job_history.ledger.known_accounts import read_known_accounts
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.window import Window
from job_history.pipeline.convoy import pack_slices
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.extract import read_at
from job_history.pipeline.fair_order import fair_order, names_of_hour, turned
from job_history.pipeline.packing import Limits
from job_history.pipeline.plan import SkipWindow, WindowsOf, plan, skip_none
from job_history.pipeline.results import Plan
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.shared_staging import note_planned
from job_history.pipeline.sweep import note_planned_days
from job_history.pipeline.time_of_plan import TimeOfPlan
from job_history.preflight.blocking import block_failing_accounts
from job_history.preflight.create_only import check_create_only
from job_history.preflight.notes import PreflightNotes
from job_history.sources import RemoteSource
from job_history_airflow.factories.sharing import shared_clients
from job_history_airflow.factories.sources import source_of
from job_history_airflow.operators.failures import reported_failure
from job_history_airflow.operators.run_places import RunPlaces
from job_history_airflow.operators.slice_time_limit import slice_time_limit
from job_history_airflow.operators.staging_check import PLANNED
from job_history_airflow.params import REPLICATION_PARAMETERS, check_parameters, chosen_accounts
from job_history_airflow.preflight import destination_check
from job_history_airflow.run_window import window_of
from job_history_airflow.settings import load_accounts

if TYPE_CHECKING:
    from airflow.sdk import Context


class PlanOperator(BaseOperator):
    """Counts the jobs and admin events of each account, and returns the convoys that replicate them.

    Slices that are too large for a convoy are left to `close`. An account whose destination cannot take them gets none:
    its window fails with the findings of the preflight.

    The run's parameter `accounts` narrows them down to some user_ids; `mode` `missing_only` leaves out complete
    windows.
    """

    ui_color = "#e8f1fb"

    places: RunPlaces
    run_files: RunFiles
    destination: str

    known_parameters = REPLICATION_PARAMETERS

    def execute(self, context: Context) -> list[dict[str, Any]]:
        with reported_failure("plan", context):
            self.places = RunPlaces.of(context)
            self.run_files = RunFiles(self.places.staging, self.places.run)
            self.begin(context)
            self.run_files.begin_plan()
            check_parameters(context, self.known_parameters)
            check_create_only(self.places.ledger, self.places.staging)
            accounts = load_accounts()
            kinds = sorted({account.destination.type for account in accounts.usable.values()}) or ["s3"]
            # The kinds share the time of the task: in each hour another one is planned first.
            kinds = names_of_hour(kinds, self.window(context).start)
            notes, time_left = PreflightNotes(self.places.ledger), TimeOfPlan(one_question=_one_question)
            with shared_clients():
                plans = [self._plan(context, accounts, kind, notes=notes, time_left=time_left) for kind in kinds]
            return self._convoys(context, accounts, plans)

    def begin(self, context: Context) -> None:
        """Prepare what a subclass needs."""

    def _plan(
        self, context: Context, accounts: Accounts, kind: str, *, notes: PreflightNotes, time_left: TimeOfPlan
    ) -> Plan:
        """Plan for the accounts with this kind of destination."""
        self.destination = kind
        planned_at = read_at()
        window = self.window(context)
        made = plan(
            run=self.places.run,
            window=window,
            accounts=accounts,
            chosen=chosen_accounts(context),
            destination=kind,
            source_of=self.source_of,
            max_jobs_per_slice=self.places.settings.max_jobs_per_slice,
            planned_at=planned_at,
            known=read_known_accounts(self.places.ledger),
            skip=self.windows_to_skip(
                context, window, [each for each in accounts.usable.values() if each.destination.type == kind]
            ),
            windows_of=self.windows_of(context, accounts, window),
            time_left=time_left,
        )
        block_failing_accounts(
            made,
            accounts.usable,
            check_of=destination_check,
            passed=notes,
            now=datetime.now(UTC),
            again=context["ti"].try_number > 1,
            time_left=time_left,
        )
        self.run_files.save_plan(made)
        return made

    def _convoys(self, context: Context, accounts: Accounts, plans: list[Plan]) -> list[dict[str, Any]]:
        """Pack the slices, and return an entry for each convoy: no more than Airflow maps. `close` takes the rest.

        Which convoys come first changes each hour.
        """
        places = self.places
        note_planned_days(places.ledger, plans, datetime.now(UTC))
        limits = Limits(jobs=places.settings.max_jobs_per_convoy, accounts=places.settings.max_accounts_per_convoy)
        packed = pack_slices(places.run, plans, accounts.usable, limits)
        limit, hour = conf.getint("core", "max_map_length"), plans[0].window.start
        taken = fair_order(packed.convoys, lambda convoy: convoy.slices[0].user_id, hour, limit)[:limit]
        # A convoy's number is one more than its map index. A step may not have time for its last slices.
        convoys = [
            msgspec.structs.replace(convoy, number=number, slices=turned(convoy.slices, hour))
            for number, convoy in enumerate(taken, start=1)
        ]
        ConvoyFiles(places.staging, places.run).save(convoys)
        self.log.info(
            "%s slices: %s of them in %s convoys; the others get tasks of their own.",
            sum(len(made.slices) for made in plans),
            sum(len(convoy.slices) for convoy in convoys),
            len(convoys),
        )
        kinds = [made.destination for made in plans]
        planned = msgspec.to_builtins(note_planned(places.staging, places.ledger, places.run, kinds))
        context["ti"].xcom_push(PLANNED, planned)
        return [
            {"run": places.run, "number": convoy.number, "label": convoy.label, PLANNED: planned} for convoy in convoys
        ]

    def window(self, context: Context) -> Window:
        """Return the window of the run."""
        return window_of(context["dag_run"], context["params"])

    def windows_of(self, context: Context, accounts: Accounts, window: Window) -> WindowsOf | None:  # noqa: ARG002
        """Return which windows of an account the run is about; None: each hour of its window."""
        return None

    def windows_to_skip(self, context: Context, window: Window, accounts: list[Account]) -> SkipWindow:
        """Return the predicate for windows of these accounts that need no run."""
        from job_history.pipeline.complete_windows import complete_windows

        if context["params"].get("mode") != "missing_only":
            return skip_none
        chosen = {*chosen_accounts(context)}
        accounts = [account for account in accounts if not chosen or account.user_id in chosen]
        return complete_windows(self.places.ledger, lambda account: kind_of(account).place(account), window, accounts)

    def source_of(self, account: Account, kind: EventKind) -> RemoteSource[Record]:
        return source_of(
            account, kind, max_document_bytes=self.places.settings.max_document_bytes, staging=self.places.staging
        )


def _one_question() -> AbstractContextManager[None]:
    return slice_time_limit(then="its extract asks again")
