"""A cluster policy for our own DAGs: backfills come after the hourly runs, in a pool of their own where one is set.

Airflow has no such setting of a backfill, and a DAG's tasks know nothing of the run they will be in; a policy sees both. It comes
with the distribution, by its entry point `airflow.policy`, and leaves every other DAG as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow import settings
from airflow.configuration import conf
from airflow.policies import hookimpl

from job_history_airflow.dag_ids import DAG_IDS

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

# An hourly run's least important task has more than that (policies.DEFAULT_ARGS).
PRIORITY_WEIGHT = 1

# Airflow 3.3 makes a run's first tasks without asking any policy, unless told that there is one; and it tells itself so only of
# those in airflow_local_settings, not of those that a distribution brings.
settings.task_instance_mutation_hook.is_noop = False  # type: ignore[attr-defined]


@hookimpl
def task_instance_mutation_hook(task_instance: Any, dag_run: DagRun | None) -> None:  # noqa: ARG001 - it may be None
    """Runs in the scheduler, inside its transaction: it asks the database nothing."""
    if task_instance.dag_id not in DAG_IDS or not (task_instance.run_id or "").startswith("backfill__"):
        return
    task_instance.priority_weight = PRIORITY_WEIGHT
    if pool := conf.get("job_history", "backfill_pool", fallback=None):
        task_instance.pool = pool
