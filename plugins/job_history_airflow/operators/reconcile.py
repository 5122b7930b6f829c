"""The task that compares source, receipts and destination, and plans the windows that this shows to be incomplete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.destinations.kind import kind_named
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.plan import SkipWindow
from job_history_airflow.operators.plan import PlanOperator
from job_history_airflow.params import RECONCILIATION_PARAMETERS
from job_history_airflow.run_window import look_back_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReconcileOperator(PlanOperator):
    """Plans the windows of the look-back that have no receipt, failed, or lack jobs that their source lists now.

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
        )

    def windows_to_skip(self, context: Context, accounts: Accounts, window: Window) -> SkipWindow:
        from job_history.reconciliation.reconcile import reconcile

        params = context["params"]
        chosen = params.get("accounts") or accounts.usable
        findings = reconcile(
            destination=self.destination,
            hours=window,
            accounts=[
                account
                for user_id, account in accounts.usable.items()
                if user_id in chosen and account.destination.type == self.destination
            ],
            ledger=self.ledger,
            source_of=self.source_of,
            bucket_of=kind_named(self.destination).open_listing,
            repair=bool(params.get("repair")),
        )
        self.run_files.save_findings(findings)
        to_run = findings.to_run()

        def skip(account: Account, kind: EventKind, hour: Window) -> str | None:
            return None if (account.user_id, kind, hour) in to_run else "left as they are"

        return skip
