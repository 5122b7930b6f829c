"""The hourly DAG."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import DAG, CronDataIntervalTimetable

from job_history_airflow.announce.deadline import deadline_alerts
from job_history_airflow.dag_ids import REPLICATION_DAG
from job_history_airflow.operators import WaitUntilSettledOperator
from job_history_airflow.params import REPLICATION_PARAMS
from job_history_airflow.policies import DEFAULT_ARGS
from job_history_airflow.settings import read_dag_labels, read_start_date
from job_history_airflow.task_groups import replicate

SUMMARY = "Every hour: each account's finished jobs go to its destination, with a receipt that proves it."
DESCRIPTION = """### Job history replication

Every hour, each account's finished jobs of that hour go to its destination, one JSON document each; so do its admin
events, if its settings ask for them.

**Inputs**: the Variable `job_history_accounts` and the connections that it names.
**Outputs**: documents at each account's destination; a receipt for each account, kind of event and hour in the ledger.
**Parameters** of a run started by hand: `accounts`, `window_start` and `window_end`, `mode`.
**When it fails**: read the log of `report`: it names each account that failed, why, and what to do. The others were
replicated. Fix the cause and clear the failed task, or start a backfill of the hour: complete windows are skipped, a
bucket gets nothing twice, and a Sumo Logic source gets what its receipt does not have.
"""


def replication_dag() -> DAG:
    """Make the DAG `job_history_replication`, by the settings of the section `[job_history]`."""
    catch_up_from = read_start_date()
    labels = read_dag_labels()
    with DAG(
        dag_id=REPLICATION_DAG,
        schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
        start_date=catch_up_from or datetime(2018, 1, 1, tzinfo=UTC),
        catchup=catch_up_from is not None,
        max_active_runs=2,
        default_args={**DEFAULT_ARGS, "owner": labels.owner},
        params=REPLICATION_PARAMS,
        doc_md=DESCRIPTION,
        deadline=deadline_alerts() or None,
        description=SUMMARY,
        tags=labels.tags,
    ) as dag:
        WaitUntilSettledOperator(task_id="wait_until_settled") >> replicate()
    return dag
