"""The ids of the project's two DAGs. They are public names: runs, links and grants refer to them."""

from __future__ import annotations

REPLICATION_DAG = "job_history_replication"
RECONCILIATION_DAG = "job_history_reconciliation"
DAG_IDS = frozenset({REPLICATION_DAG, RECONCILIATION_DAG})
