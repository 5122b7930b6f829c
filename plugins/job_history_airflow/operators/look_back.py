"""The task that decides which hours a reconciliation compares, and which task compares which accounts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.configuration import conf
from airflow.sdk import BaseOperator

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.ledger.reconciled import read_reconciled
from job_history.model.window import Window
from job_history.pipeline.comparison_files import ComparisonFiles
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.share_out_comparisons import share_out
from job_history.pipeline.shared_staging import note_planned
from job_history_airflow.operators.failures import reported_failure
from job_history_airflow.operators.run_places import RunPlaces
from job_history_airflow.operators.staging_check import PLANNED
from job_history_airflow.params import RECONCILIATION_PARAMETERS, check_parameters, chosen_accounts
from job_history_airflow.run_window import look_back_of
from job_history_airflow.settings import load_accounts

if TYPE_CHECKING:
    from airflow.sdk import Context


class LookBackOperator(BaseOperator):
    """Returns what each task `compare` does: convoys of accounts, those first whose last comparison is the oldest.

    The run's parameters: `accounts`, and `window_start` and `window_end` in place of the look-back.
    """

    ui_color = "#e8f1fb"

    def execute(self, context: Context) -> list[dict[str, Any]]:
        with reported_failure("look_back", context):
            places, dag_run = RunPlaces.of(context), context["dag_run"]
            settings, run = places.settings, places.run
            RunFiles(places.staging, run).begin_look_back()
            check_parameters(context, RECONCILIATION_PARAMETERS)
            last = read_reconciled(places.ledger)

            def hours_since(reconciled_until: datetime | None) -> Window:
                return look_back_of(
                    dag_run,
                    context["params"],
                    settle=settings.settle,
                    lookback=settings.lookback,
                    start_date=settings.start_date,
                    reconciled_until=reconciled_until,
                )

            hours = hours_since(last.until if last else None)
            behind = last.behind if last and looks_back(context) else {}
            comparisons = share_out(
                hours,
                accounts_asked_for(context, load_accounts()),
                behind={user_id: hours_since(until) for user_id, until in behind.items()},
                day=dag_run.run_after.date(),
                at_most=settings.max_accounts_per_convoy,
                tasks=conf.getint("core", "max_map_length"),
            )
            ComparisonFiles(places.staging, run).save_all(hours, comparisons)
            self.log.info("%s tasks compare the hours of %s.", len(comparisons), hours)
            planned = msgspec.to_builtins(note_planned(places.staging, places.ledger, run))
            context["ti"].xcom_push(PLANNED, planned)
            return [{"run": run, "number": each.number, "label": each.label, PLANNED: planned} for each in comparisons]


def accounts_asked_for(context: Context, accounts: Accounts) -> list[Account]:
    """Return the accounts that a reconciliation is about, and that are not paused."""
    chosen = {*chosen_accounts(context)}
    return [
        account for user_id, account in accounts.usable.items() if account.enabled and (not chosen or user_id in chosen)
    ]


def looks_back(context: Context) -> bool:
    """Return whether a reconciliation is of all accounts over the look-back, and not of what a run by hand asks for."""
    return not (context["params"].get("accounts") or context["params"].get("window_start"))
