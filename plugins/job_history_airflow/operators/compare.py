"""The task that compares source, receipts and destination of some accounts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from job_history.errors import PermanentError
from job_history.pipeline.comparison_files import ComparisonFiles
from job_history_airflow.factories.sharing import shared_clients
from job_history_airflow.operators.look_back import accounts_asked_for
from job_history_airflow.operators.quiet_errors import without_traceback
from job_history_airflow.operators.slice_time_limit import slice_time_limit
from job_history_airflow.operators.staging_check import planned_of
from job_history_airflow.operators.steps import Steps
from job_history_airflow.settings import load_accounts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from job_history.accounts.account import Account
    from job_history.model.event_kind import EventKind
    from job_history.model.record import Record
    from job_history.reconciliation.compare import Comparing
    from job_history.sources import RemoteSource

MAX_SECONDS_A_SOURCE = 600.0
"""For all hours of one account: a source that hangs must not use up the half hour of the others."""
COMPARISON_MAP_INDEX_TEMPLATE = "{{ task.comparison['label'] }}"


class CompareOperator(BaseOperator):
    """Compares some accounts; `plan` reads what it has found.

    :param comparison: what `look_back` returned for it (templated)
    """

    template_fields: Sequence[str] = ("comparison",)
    ui_color = "#fdf3d8"

    def __init__(self, *, comparison: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.comparison = comparison

    def execute(self, context: Context) -> dict[str, int]:
        from job_history.destinations.kind import kind_named
        from job_history.ledger.open_windows import OpenWindows
        from job_history.pipeline.compare_accounts import CompareAccounts
        from job_history.reconciliation.compare import Comparing

        with without_traceback(self.log), shared_clients():
            steps = Steps.of(context)
            steps.check_shared(planned_of(self.comparison))
            files = ComparisonFiles(steps.staging, steps.run)
            comparison = files.comparison(self.comparison["number"])
            if comparison is None:
                raise PermanentError(
                    f"Comparison {self.comparison['number']} of the run is gone. Clear the run's `look_back` and what "
                    "is downstream."
                )
            marks = OpenWindows(steps.ledger)

            def source_of(account: Account, kind: EventKind) -> RemoteSource[Record]:
                from job_history_airflow.factories.sources import source_of

                max_bytes = steps.settings.max_document_bytes
                return source_of(account, kind, max_document_bytes=max_bytes, staging=steps.staging)

            def comparing_of(destination: str) -> Comparing:
                return Comparing(
                    destination=destination,
                    hours=comparison.hours,
                    ledger=steps.ledger,
                    source_of=source_of,
                    bucket_of=kind_named(destination).open_listing,
                    marks=marks,
                    own_hours=comparison.own_hours,
                    one_question=_one_question,
                )

            compare = CompareAccounts(files=files, comparing_of=comparing_of)
            # The settings are read again, so that clearing a task uses the corrected Variable.
            progress = compare.run(comparison, accounts_asked_for(context, load_accounts()))
        return {
            "accounts": len(progress.done),
            "windows": sum(found.compared for found in progress.found.values()),
            "objects": sum(found.objects for found in progress.found.values()),
        }


def _one_question() -> AbstractContextManager[None]:
    return slice_time_limit(MAX_SECONDS_A_SOURCE, "the next reconciliation compares it again")
