"""The task that plans the windows which the comparisons show to be incomplete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from job_history.accounts.variable import Accounts
from job_history.destinations.kind import kind_named
from job_history.errors import PermanentError, ReplicationError
from job_history.ledger.open_windows import OpenWindows
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.comparison_files import Comparison, ComparisonFiles, Progress
from job_history.pipeline.plan import WindowsOf
from job_history.pipeline.shared_staging import STAGED_FILES_KEPT
from job_history.reconciliation.findings import Findings
from job_history.reconciliation.resting import resting_windows
from job_history_airflow.hourly_runs import hours_of_hourly_runs
from job_history_airflow.operators.look_back import accounts_asked_for, looks_back
from job_history_airflow.operators.plan import PlanOperator
from job_history_airflow.operators.staging_check import read_planned
from job_history_airflow.params import RECONCILIATION_PARAMETERS

if TYPE_CHECKING:
    from airflow.sdk import Context

MAX_WINDOWS = 20_000
"""Of one reconciliation: it plans and reports so many within half an hour each, and 300 MB."""


class ReconcileOperator(PlanOperator):
    """Plans the windows of the look-back that have no receipt or lack jobs that their source lists now, and windows
    that failed at any time.

    The run's parameters: `accounts`, `window_start` and `window_end` in place of the look-back, and `repair`: also run
    windows again whose objects are lost or altered in the bucket.
    """

    known_parameters = RECONCILIATION_PARAMETERS

    hours: Window
    compared: list[tuple[Comparison, Progress]]

    def begin(self, context: Context) -> None:
        planned = read_planned(context, task_id="look_back")
        self.places.check_shared(planned)
        files = ComparisonFiles(self.places.staging, self.places.run)
        # It leaves no note if it failed, and what an earlier try of it compared does not count.
        hours = files.hours() if planned else None
        if hours is None:
            failure = self.run_files.task_failure("look_back")
            reason = failure.message if failure else "see its log for the reason."
            raise PermanentError(f"Nothing was compared, because `look_back` failed: {reason}")
        self.hours = hours
        self.compared = [(each, files.progress(each.number)) for each in files.comparisons()]
        if looks_back(context):
            self._delete_old_files()

    def window(self, context: Context) -> Window:  # noqa: ARG002
        return self.hours

    def windows_of(self, context: Context, accounts: Accounts, window: Window) -> WindowsOf:
        from job_history.reconciliation.windows_to_run import Choice, choose_windows

        params = context["params"]
        marks = OpenWindows(self.places.ledger)
        now = datetime.now(UTC)
        findings = self._found(context, accounts, window)
        findings.repair = bool(params.get("repair"))
        choice = Choice(
            limit=MAX_WINDOWS,
            day=context["dag_run"].run_after.date(),
            hourly_runs=lambda hours: hours_of_hourly_runs(context["ti"], hours, now),
            whole_record=not params.get("window_start"),
        )
        choose_windows(findings, marks, self.places.ledger, choice)
        findings.looks_back = looks_back(context)
        findings.resting = resting_windows(accounts, marks) if findings.looks_back else {}
        self.run_files.save_findings(findings)
        to_run: dict[int, list[tuple[EventKind, Window]]] = {}
        for each in sorted(findings.to_run()):
            to_run.setdefault(each.user_id, []).append((each.kind, each.window))
        return lambda account: to_run.get(account.user_id, [])

    def _found(self, context: Context, accounts: Accounts, window: Window) -> Findings:
        """Return what all comparisons have found of this kind of destination."""
        from job_history.pipeline.compare_accounts import left_over

        listable = kind_named(self.destination).listable
        findings = Findings(destination=self.destination, window=window, is_readable=listable)
        here = [
            account for account in accounts_asked_for(context, accounts) if account.destination.type == self.destination
        ]
        for comparison, progress in self.compared:
            if (found := progress.found.get(self.destination)) is not None:
                findings.add(found)
            for account, reason in left_over(comparison, progress, here):
                for kind in account.events.kinds:
                    findings.not_compare(account.user_id, account.name, kind, reason)
        findings.behind |= accounts.unusable_ids
        self.log.info(
            "Compared %s windows of %s accounts with their sources, and %s objects with their buckets.",
            f"{findings.compared:,}",
            f"{len(findings.accounts):,}",
            f"{findings.objects:,}",
        )
        return findings

    def _delete_old_files(self) -> None:
        """Delete notes of old plans, acknowledgements that receipts replace, and files that no receipt names."""
        from job_history.ledger.old_acknowledgements import delete_old_acknowledgements
        from job_history.ledger.plan_notes import delete_old_plan_notes
        from job_history.ledger.superseded_files import KEPT
        from job_history.pipeline.sweep import sweep

        now = datetime.now(UTC)
        for delete, before in (
            (delete_old_plan_notes, now - STAGED_FILES_KEPT),
            (delete_old_acknowledgements, now - KEPT),
        ):
            try:
                delete(self.places.ledger, before)
            except ReplicationError as error:
                self.log.warning("Old notes or acknowledgements in the ledger were not deleted: %s", error)
        sweep(self.places.ledger, now)
