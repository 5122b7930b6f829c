"""The hourly DAG."""

from __future__ import annotations

from airflow.sdk import DAG

from job_history_airflow.dag_ids import REPLICATION_DAG
from job_history_airflow.dags.scheduled import scheduled_dag
from job_history_airflow.operators import WaitUntilSettledOperator
from job_history_airflow.params import REPLICATION_PARAMS
from job_history_airflow.task_groups import replicate

MAX_ACTIVE_RUNS = 6
"""A run that waits for one account's source or bucket, for its load's 4 hours at most, delays no other hour.

More would not help, and let a catch-up use the sources' rate limits and the workers' memory for as many hours at once.
"""

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
    with scheduled_dag(
        REPLICATION_DAG,
        "0 * * * *",
        max_active_runs=MAX_ACTIVE_RUNS,
        params=REPLICATION_PARAMS,
        description=SUMMARY,
        doc_md=DESCRIPTION,
    ) as dag:
        WaitUntilSettledOperator(task_id="wait_until_settled") >> replicate()
    return dag
