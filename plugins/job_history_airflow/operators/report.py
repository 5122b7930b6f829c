"""The task that always runs last: it writes the receipts, logs the run's table, and decides how the run ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from job_history import __version__
from job_history.errors import PermanentError
from job_history_airflow.factories.sealing import sealing_of_installation
from job_history_airflow.operators.quiet_errors import without_traceback
from job_history_airflow.operators.run_places import RunPlaces
from job_history_airflow.operators.staging_check import read_planned
from job_history_airflow.run_window import expected_by, window_of
from job_history_airflow.status_link import StatusPageLink, status_page_url

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow.sdk import Context

    from job_history.ledger.receipt import Receipt


class ReportOperator(BaseOperator):
    """Writes a receipt for each account, kind of event and window that has none yet, and fails if any failed."""

    ui_color = "#efe6f7"
    operator_extra_links = (StatusPageLink(),)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.status_url = ""

    def execute(self, context: Context) -> dict[str, int]:
        from job_history.pipeline.report import RunFailedError
        from job_history_airflow.announce.announce import notify_failure

        with without_traceback(self.log, logged=RunFailedError):
            self.status_url = status_page_url(_end_of_hours(context))
            try:
                receipts = self._report(context)
                self._fail_if_a_task_failed(context)
            except RunFailedError:
                raise
            except Exception as error:
                # The outcome of a run notifies by itself; here, there is none.
                notify_failure(error, context, status_url=self.status_url)
                raise
        return {
            "windows": len(receipts),
            "delivered": sum(receipt.counts.delivered for receipt in receipts),
            "already_present": sum(receipt.counts.already_present for receipt in receipts),
        }

    def _report(self, context: Context) -> Collection[Receipt]:
        from job_history.pipeline.report import report
        from job_history_airflow.announce.announce import announce, notify_outcome

        places = RunPlaces.of(context)
        planned = read_planned(context)
        places.check_shared(planned)
        return report(
            run=places.run,
            destinations=planned.kinds if planned else [],
            staging=places.staging,
            ledger=places.ledger,
            finished_at=datetime.now(UTC),
            code_version=__version__,
            quarantine_threshold=places.settings.quarantine_threshold,
            expected=expected_by(context["dag_run"], places.settings.settle),
            status_url=self.status_url,
            announce=lambda outcome: announce(outcome, places.staging),
            notify=lambda outcome: notify_outcome(outcome, context, ledger=places.ledger, status_url=self.status_url),
            accept_fewer=bool(context["params"].get("accept_fewer")),
            is_last_try=context["ti"].try_number > context["ti"].max_tries,
            sealing=sealing_of_installation(),
        )

    def _fail_if_a_task_failed(self, context: Context) -> None:
        """A teardown's state alone is the run's: it must not succeed if any task of the run failed.

        Convoys do not count: what one did not finish got tasks of its own.
        """
        dag_run = context["dag_run"]
        states = context["ti"].get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id])[dag_run.run_id]
        failed = sorted(task for task, state in states.items() if state in {"failed", "upstream_failed"})
        if convoys := [task for task in failed if task.startswith("shared.")]:
            self.log.warning(
                "Convoys failed, and tasks of their own did what they left: %s. Read their logs if it happens often.",
                ", ".join(convoys),
            )
        if failed := [task for task in failed if task not in convoys]:
            raise PermanentError(
                f"Every window of this run is complete, and yet tasks failed: {', '.join(failed)}. See their logs, and "
                "clear them."
            )


def _end_of_hours(context: Context) -> datetime | None:
    try:
        return window_of(context["dag_run"], context["params"]).end
    except PermanentError:  # the run's parameters are no window; the plan has reported it
        return None
