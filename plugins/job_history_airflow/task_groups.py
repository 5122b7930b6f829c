"""The task groups of a run: plan, then extract, transform and load of each slice, each with retries of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, TaskGroup, task_group

from job_history.destinations.kind import installed_kinds
from job_history_airflow.announce.settings import emits_asset_events
from job_history_airflow.operators import (
    AnnounceWindowsOperator,
    ExtractOperator,
    LoadToS3Operator,
    LoadToSumoLogicOperator,
    PlanOperator,
    ReportOperator,
    TransformOperator,
)
from job_history_airflow.operators.base import MAP_INDEX_TEMPLATE
from job_history_airflow.operators.load_base import LoadOperator

# Other kinds are loaded by LoadOperator itself.
LOAD_OPERATORS: dict[str, type[LoadOperator]] = {
    "s3": LoadToS3Operator,
    "sumo_logic": LoadToSumoLogicOperator,
}
DESTINATIONS = [kind.name for kind in installed_kinds()]


def report_at_the_end() -> BaseOperator:
    """Return `report`, which decides how the run ends; after it comes the task that adds asset events, if any."""
    report: BaseOperator = ReportOperator(
        task_id="report", destinations=DESTINATIONS, execution_timeout=timedelta(minutes=30), retries=1
    ).as_teardown(on_failure_fail_dagrun=True)
    if emits_asset_events():
        announce = AnnounceWindowsOperator(task_id="announce_windows", execution_timeout=timedelta(minutes=10))
        # A teardown runs although report failed, and leaves the verdict to report.
        report >> announce.as_teardown()
    return report


def replicate_to(destination: str, *, plan_operator: type[PlanOperator] = PlanOperator) -> TaskGroup:
    """Plan, then extract, transform and load each slice: for the accounts that have this kind of destination."""
    with TaskGroup(destination) as group:
        plan = plan_operator(task_id="plan", destination=destination, execution_timeout=timedelta(minutes=30))

        @task_group(group_id="slice")
        def replicate(a_slice: dict[str, Any]) -> None:
            of_slice: dict[str, Any] = {"slice": a_slice, "map_index_template": MAP_INDEX_TEMPLATE}
            extract = ExtractOperator(task_id="extract", execution_timeout=timedelta(hours=2), **of_slice)
            transform = TransformOperator(
                task_id="transform", extracted=extract.output, execution_timeout=timedelta(hours=1), **of_slice
            )
            LOAD_OPERATORS.get(destination, LoadOperator)(
                task_id="load",
                extracted=extract.output,
                transformed=transform.output,
                execution_timeout=timedelta(hours=4),
                **of_slice,
            )

        replicate.expand(a_slice=plan.output)
    return group
