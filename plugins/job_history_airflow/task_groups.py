"""The task groups of a run: plan, then extract, transform and load of each slice, each with retries of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup, task_group

from job_history_airflow.operators import (
    ExtractOperator,
    LoadToS3Operator,
    LoadToSumoLogicOperator,
    PlanOperator,
    TransformOperator,
)
from job_history_airflow.operators.base import MAP_INDEX_TEMPLATE

if TYPE_CHECKING:
    from job_history_airflow.operators.load_base import LoadOperator

LOAD_OPERATORS: dict[str, type[LoadOperator]] = {
    "s3": LoadToS3Operator,
    "sumo_logic": LoadToSumoLogicOperator,
}
DESTINATIONS = list(LOAD_OPERATORS)


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
            LOAD_OPERATORS[destination](
                task_id="load",
                extracted=extract.output,
                transformed=transform.output,
                execution_timeout=timedelta(hours=4),
                **of_slice,
            )

        replicate.expand(a_slice=plan.output)
    return group
