"""### Job history replication

Every hour, each account's finished jobs of that hour go to its destination, one JSON document each; so do its admin events,
where its settings ask for them.

**Inputs**: the Variable `job_history_accounts` and the connections that it names.
**Outputs**: documents at each account's destination; a receipt for each account, kind of event and hour in the ledger.
**Parameters** of a run started by hand: `accounts`, `window_start` and `window_end`, `mode`.
**When it fails**: read the log of `report`: it names each account that failed, why, and what to do. The others were
replicated. Mend the cause and clear the failed task, or start a backfill of the hour: a bucket gets nothing twice, a
Sumo Logic source (which cannot recognise a repeat) the whole hour again under the same ids.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TaskGroup, task_group

from job_history_airflow.operators import (
    ExtractJobsOperator,
    JobHistoryToS3Operator,
    JobHistoryToSumoLogicOperator,
    PlanOperator,
    ReportOperator,
    TransformJobsOperator,
    WaitUntilSettledOperator,
)
from job_history_airflow.operators.load_step import LoadStepOperator
from job_history_airflow.operators.slice_step import MAP_INDEX_TEMPLATE
from job_history_airflow.policies import RETRIES
from job_history_airflow.settings import read_start_date

catch_up_from = read_start_date()


def replicate_to(destination: str, load_operator: type[LoadStepOperator]) -> TaskGroup:
    """Plan, then extract, transform and load each slice: for the accounts that have this kind of destination."""
    with TaskGroup(destination) as group:
        plan = PlanOperator(task_id="plan", destination=destination, execution_timeout=timedelta(minutes=30))

        @task_group(group_id="slice")
        def replicate(a_slice: dict[str, Any]) -> None:
            of_slice: dict[str, Any] = {"slice": a_slice, "map_index_template": MAP_INDEX_TEMPLATE}
            extract = ExtractJobsOperator(task_id="extract", execution_timeout=timedelta(hours=2), **of_slice)
            transform = TransformJobsOperator(
                task_id="transform", extracted=extract.output, execution_timeout=timedelta(hours=1), **of_slice
            )
            load_operator(
                task_id="load",
                extracted=extract.output,
                transformed=transform.output,
                execution_timeout=timedelta(hours=4),
                **of_slice,
            )

        replicate.expand(a_slice=plan.output)
    return group


with DAG(
    dag_id="job_history_replication",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=catch_up_from or datetime(2018, 1, 1, tzinfo=UTC),
    catchup=catch_up_from is not None,
    max_active_runs=2,
    default_args=RETRIES,
    params={
        "accounts": Param([], type="array", items={"type": "integer"}, description="user_ids; empty: all accounts"),
        "window_start": Param(
            None, type=["null", "string"], format="date-time", description="with window_end, or neither"
        ),
        "window_end": Param(None, type=["null", "string"], format="date-time"),
        "mode": Param(
            "missing_only",
            enum=["missing_only", "repair"],
            description="repair: an object with other bytes is replaced; Sumo Logic gets all of it again",
        ),
    },
    doc_md=__doc__,
    tags=["job history"],
) as dag:
    settled = WaitUntilSettledOperator(task_id="wait_until_settled")
    report = ReportOperator(
        task_id="report", destinations=["s3", "sumo_logic"], execution_timeout=timedelta(minutes=30), retries=1
    ).as_teardown(on_failure_fail_dagrun=True)

    to_s3 = replicate_to("s3", JobHistoryToS3Operator)
    to_sumo_logic = replicate_to("sumo_logic", JobHistoryToSumoLogicOperator)

    settled >> [to_s3, to_sumo_logic] >> report
