"""The tasks of a run: a plan, convoys of small slices, then tasks of their own for what is left, and the report."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, TriggerRule, task_group

from job_history_airflow.announce.settings import emits_asset_events
from job_history_airflow.operators import (
    AnnounceWindowsOperator,
    CloseOperator,
    CompareOperator,
    ConvoyOperator,
    ExtractOperator,
    LoadOperator,
    LookBackOperator,
    PlanOperator,
    ReconcileOperator,
    ReportOperator,
    TransformOperator,
)
from job_history_airflow.operators.base import MAP_INDEX_TEMPLATE
from job_history_airflow.operators.compare import COMPARISON_MAP_INDEX_TEMPLATE
from job_history_airflow.operators.convoy import CONVOY_MAP_INDEX_TEMPLATE
from job_history_airflow.policies import SINGLE_RETRY_POLICY

HALF_AN_HOUR = timedelta(minutes=30)


@task_group(group_id="shared")
def _shared(a_convoy: dict[str, Any]) -> None:
    of_convoy: dict[str, Any] = {
        "convoy": a_convoy,
        "map_index_template": CONVOY_MAP_INDEX_TEMPLATE,
        "retries": 2,
        "execution_timeout": timedelta(minutes=20),
    }
    extract, transform, load = [
        ConvoyOperator(task_id=step, step=step, **of_convoy) for step in ("extract", "transform", "load")
    ]
    extract >> transform >> load


@task_group(group_id="single")
def _single(a_slice: dict[str, Any]) -> None:
    of_slice: dict[str, Any] = {
        "slice": a_slice,
        "map_index_template": MAP_INDEX_TEMPLATE,
        "retry_policy": SINGLE_RETRY_POLICY,
    }
    extract = ExtractOperator(task_id="extract", execution_timeout=timedelta(hours=2), **of_slice)
    transform = TransformOperator(
        task_id="transform", extracted=extract.output, execution_timeout=timedelta(hours=1), **of_slice
    )
    LoadOperator(
        task_id="load",
        extracted=extract.output,
        transformed=transform.output,
        execution_timeout=timedelta(hours=4),
        **of_slice,
    )


def reconcile() -> None:
    """Add the tasks of a reconciliation to the DAG: what is compared, the comparisons, and those of a run."""
    look_back = LookBackOperator(task_id="look_back", execution_timeout=HALF_AN_HOUR)
    compare = CompareOperator.partial(
        task_id="compare",
        map_index_template=COMPARISON_MAP_INDEX_TEMPLATE,
        retries=2,
        execution_timeout=HALF_AN_HOUR,
    ).expand(comparison=look_back.output)
    # What a comparison has found counts although another one failed, or there is none.
    compare >> replicate(
        ReconcileOperator(task_id="plan", execution_timeout=HALF_AN_HOUR, trigger_rule=TriggerRule.ALL_DONE)
    )


def replicate(plan: PlanOperator | None = None) -> PlanOperator:
    """Add a run's tasks to the DAG, from the plan to the report. Returns the plan."""
    plan = plan or PlanOperator(task_id="plan", execution_timeout=HALF_AN_HOUR)
    shared = _shared.expand(a_convoy=plan.output)
    close = CloseOperator(task_id="close", execution_timeout=HALF_AN_HOUR, trigger_rule=TriggerRule.ALL_DONE)
    single = _single.expand(a_slice=close.output)
    shared >> close
    single >> _report_at_the_end()
    return plan


def _report_at_the_end() -> BaseOperator:
    """Return `report`, which decides how the run ends; after it comes the task that adds asset events, if any."""
    report: BaseOperator = ReportOperator(task_id="report", execution_timeout=HALF_AN_HOUR, retries=1).as_teardown(
        on_failure_fail_dagrun=True
    )
    if emits_asset_events():
        announce = AnnounceWindowsOperator(task_id="announce_windows", execution_timeout=timedelta(minutes=10))
        # A teardown runs although report failed, and leaves the verdict to report.
        report >> announce.as_teardown()
    return report
