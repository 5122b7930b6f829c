"""The daily DAG."""

from __future__ import annotations

from airflow.sdk import DAG

from job_history_airflow.dag_ids import RECONCILIATION_DAG
from job_history_airflow.dags.scheduled import scheduled_dag
from job_history_airflow.params import RECONCILIATION_PARAMS
from job_history_airflow.task_groups import reconcile

SUMMARY = "Every day: compares sources, receipts and buckets, and runs what is open, late or lost again."
DESCRIPTION = """### Job history reconciliation

Every day, the records of each account's source, its receipts and the objects of its bucket are compared hour by hour.

**Inputs**: the Variable `job_history_accounts`, the connections that it names, the receipts in the ledger.
**Outputs**: jobs that their source listed late, delivered and marked as late; windows that had no receipt, or failed at
any time, run again; in the log of `report`, what was missing, lost, altered or unknown, which windows are still open,
and a histogram of how late jobs were.
**Parameters** of a run started by hand: `accounts`, `window_start` and `window_end` (in place of the look-back),
`repair`.
**When it fails**: read the log of `report`. Lost or altered objects are only reported, because it may have been
intended; run it by hand with `repair` to write them again as their source has them. A Sumo Logic source cannot be read,
so its receipts are the only record.
"""


def reconciliation_dag() -> DAG:
    """Make the DAG `job_history_reconciliation`, by the settings of the section `[job_history]`."""
    with scheduled_dag(
        RECONCILIATION_DAG,
        "30 1 * * *",
        max_active_runs=1,
        params=RECONCILIATION_PARAMS,
        description=SUMMARY,
        doc_md=DESCRIPTION,
    ) as dag:
        reconcile()
    return dag
