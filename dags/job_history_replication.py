"""### Job history replication

Every hour, each account's finished jobs of that hour go to its destination, one JSON document each.

**Inputs**: the Variable `job_history_accounts` and the connections that it names.
**Outputs**: documents at each account's destination; a receipt for each account and hour in the ledger.
**Parameters** of a run started by hand: `accounts`, `window_start` and `window_end`, `mode`.
**When it fails**: read the log of `report`: it names each account that failed, why, and what to do. The others were
replicated. Mend the cause and clear the failed task, or start a backfill of the hour: nothing is delivered twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TaskGroup, task_group

from job_history_airflow.operators import (
    ExtractJobsOperator,
    JobHistoryToS3Operator,
    PlanOperator,
    ReportOperator,
    TransformJobsOperator,
)
from job_history_airflow.operators.slice_step import MAP_INDEX_TEMPLATE
from job_history_airflow.policies import RETRIES
from job_history_airflow.run_window import settled_at
from job_history_airflow.settings import read_start_date

catch_up_from = read_start_date()

with DAG(
    dag_id="job_history_replication",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=catch_up_from or datetime(2018, 1, 1, tzinfo=UTC),
    catchup=catch_up_from is not None,
    max_active_runs=2,
    default_args=RETRIES,
    user_defined_macros={"settled_at": settled_at},
    params={
        "accounts": Param([], type="array", items={"type": "integer"}, description="user_ids; empty: all accounts"),
        "window_start": Param(
            None, type=["null", "string"], format="date-time", description="with window_end, or neither"
        ),
        "window_end": Param(None, type=["null", "string"], format="date-time"),
        "mode": Param(
            "missing_only",
            enum=["missing_only", "repair"],
            description="repair: an object with other bytes than the source's is replaced",
        ),
    },
    doc_md=__doc__,
    tags=["job history"],
) as dag:
    settled = DateTimeSensorAsync(task_id="wait_until_settled", target_time="{{ settled_at(dag_run, params) }}")
    report = ReportOperator(
        task_id="report", destinations=["s3"], execution_timeout=timedelta(minutes=30), retries=1
    ).as_teardown(on_failure_fail_dagrun=True)

    with TaskGroup("s3") as to_s3:
        plan = PlanOperator(task_id="plan", destination="s3", execution_timeout=timedelta(minutes=30))

        @task_group(group_id="slice")
        def replicate(a_slice: dict[str, Any]) -> None:
            of_slice: dict[str, Any] = {"slice": a_slice, "map_index_template": MAP_INDEX_TEMPLATE}
            extract = ExtractJobsOperator(task_id="extract", execution_timeout=timedelta(hours=2), **of_slice)
            transform = TransformJobsOperator(
                task_id="transform", extracted=extract.output, execution_timeout=timedelta(hours=1), **of_slice
            )
            JobHistoryToS3Operator(
                task_id="load",
                extracted=extract.output,
                transformed=transform.output,
                execution_timeout=timedelta(hours=4),
                **of_slice,
            )

        replicate.expand(a_slice=plan.output)

    settled >> to_s3 >> report
