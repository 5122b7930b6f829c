"""The first task of a run: it waits until the source has had time to list what belongs to the window."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator

from job_history.model.timestamp import format_time
from job_history_airflow.operators.failures import reported_failure
from job_history_airflow.params import REPLICATION_PARAMETERS, check_parameters
from job_history_airflow.run_window import window_of
from job_history_airflow.settings import read_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class WaitUntilSettledOperator(BaseOperator):
    """Waits until `settle_minutes` after the window's end, without holding a slot; passes at once if that is over.

    Airflow's own DateTimeSensorAsync goes through the triggerer even then, which costs each run of a backfill a second
    task process and some seconds.
    """

    ui_color = "#f2f2f2"

    def execute(self, context: Context) -> None:
        with reported_failure(self.task_id, context):
            check_parameters(context, REPLICATION_PARAMETERS)
            window = window_of(context["dag_run"], context["params"])
            settled_at = window.end + read_settings().settle
        if datetime.now(UTC) < settled_at:
            self.log.info("Window %s settles at %s. Waiting, without holding a slot.", window, format_time(settled_at))
            self.defer(trigger=DateTimeTrigger(moment=settled_at), method_name="settled")
        self.log.info("Window %s settled at %s: the source may be read.", window, format_time(settled_at))

    def settled(self, context: Context, event: Any) -> None:  # noqa: ARG002 - what a trigger resumes
        self.log.info("Window %s has settled.", window_of(context["dag_run"], context["params"]))
