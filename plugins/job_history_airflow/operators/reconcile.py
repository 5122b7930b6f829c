"""The task that compares source, receipts and destination, and plans the windows that this shows to be incomplete."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING

from airflow.configuration import conf

from job_history.accounts.variable import Accounts
from job_history.destinations.kind import kind_named
from job_history.errors import ReplicationError
from job_history.ledger.open_windows import OpenWindows
from job_history.ledger.reconciled import reconciled_until
from job_history.model.window import Window
from job_history.pipeline.plan import WindowsOf
from job_history.reconciliation.findings import DamagedObject, WindowFinding
from job_history.reconciliation.resting import resting_windows
from job_history_airflow.hourly_runs import hours_of_hourly_runs
from job_history_airflow.operators.plan import PlanOperator
from job_history_airflow.params import RECONCILIATION_PARAMETERS
from job_history_airflow.run_window import look_back_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReconcileOperator(PlanOperator):
    """Plans the windows of the look-back that have no receipt or lack jobs that their source lists now, and windows
    that failed at any time.

    The run's parameters: `accounts`, `window_start` and `window_end` in place of the look-back, and `repair`: also run
    windows again whose objects are lost or altered in the bucket.
    """

    known_parameters = RECONCILIATION_PARAMETERS

    def window(self, context: Context) -> Window:
        return look_back_of(
            context["dag_run"],
            context["params"],
            settle=self.settings.settle,
            lookback=self.settings.lookback,
            start_date=self.settings.start_date,
            reconciled_until=reconciled_until(self.ledger),
        )

    def windows_of(self, context: Context, accounts: Accounts, window: Window) -> WindowsOf:
        from job_history.reconciliation.reconcile import reconcile
        from job_history.reconciliation.windows_to_run import Choice

        params = context["params"]
        chosen, asked = params.get("accounts") or [], bool(params.get("window_start"))
        marks = OpenWindows(self.ledger)
        now = datetime.now(UTC)
        with self.run_files.damage_writer(self.destination) as damages:

            def note(finding: WindowFinding, key: str) -> None:
                damages.append(DamagedObject(finding.user_id, finding.kind, finding.window, key))

            findings = reconcile(
                destination=self.destination,
                hours=window,
                accounts=[
                    account
                    for user_id, account in accounts.usable.items()
                    if (not chosen or user_id in chosen) and account.destination.type == self.destination
                ],
                ledger=self.ledger,
                source_of=self.source_of,
                bucket_of=kind_named(self.destination).open_listing,
                repair=bool(params.get("repair")),
                marks=marks,
                on_damage=note,
                choice=Choice(
                    limit=conf.getint("core", "max_map_length"),
                    day=context["dag_run"].run_after.date(),
                    hourly_runs=lambda hours: hours_of_hourly_runs(context["ti"], hours, now),
                    whole_record=not asked,
                ),
            )
        findings.looks_back = not chosen and not asked
        if findings.looks_back:
            self._delete_old_files(accounts, now)
        findings.resting = {} if chosen or asked else resting_windows(accounts, marks)
        self.run_files.save_findings(findings)
        to_run = sorted(findings.to_run())
        return lambda account: [(each.kind, each.window) for each in to_run if each.user_id == account.user_id]

    def _delete_old_files(self, accounts: Accounts, now: datetime) -> None:
        """Delete acknowledgements that receipts replace, and what no receipt names of days that are old enough."""
        from job_history.ledger.old_acknowledgements import delete_old_acknowledgements
        from job_history.ledger.superseded_files import KEPT, OldQuarantine, delete_superseded_files, swept_days

        before = now - KEPT
        try:
            delete_old_acknowledgements(self.ledger, before)
            days = swept_days(now, reconciled_until(self.ledger))
            quarantine = OldQuarantine(self.ledger, before)
        except ReplicationError as error:
            self.log.warning("Old files of the ledger were not deleted: %s", error)
            return
        for account in accounts.usable.values():
            if account.destination.type != self.destination:
                continue
            for kind, day in product(account.events.kinds, days):
                try:
                    delete_superseded_files(self.ledger, account.user_id, kind, day, before, old=quarantine)
                except ReplicationError as error:
                    self.log.warning("Account %s: superseded files were not deleted: %s", account.label, error)
