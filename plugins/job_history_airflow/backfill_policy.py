"""A cluster policy for our DAGs: with `[job_history] backfill_pool`, backfills run in that pool, after the hourly runs.

Airflow has no such setting for backfills, and a task does not know the run it will be in; a policy sees both. Airflow
loads it by the entry point `airflow.policy` of this distribution. Without `backfill_pool` it does nothing, for any DAG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow import settings
from airflow.configuration import conf
from airflow.policies import hookimpl

from job_history_airflow.dag_ids import DAG_IDS

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun

# Less than the least important task of an hourly run has (policies.DEFAULT_ARGS).
PRIORITY_WEIGHT = 1


def backfill_pool() -> str | None:
    return conf.get("job_history", "backfill_pool", fallback=None) or None


# Airflow 3.3 creates a run's first tasks without calling this hook, unless `is_noop` is False, and sets that only for
# the policies in airflow_local_settings. It costs a call for every task of every DAG, so an installation without the
# pool is left as it is.
if backfill_pool():
    settings.task_instance_mutation_hook.is_noop = False  # type: ignore[attr-defined]


@hookimpl
def task_instance_mutation_hook(task_instance: Any, dag_run: DagRun | None) -> None:  # noqa: ARG001 - it may be None
    """Run by the scheduler, inside its transaction: makes no query."""
    if task_instance.dag_id not in DAG_IDS or not (task_instance.run_id or "").startswith("backfill__"):
        return
    if pool := backfill_pool():
        task_instance.pool = pool
        task_instance.priority_weight = PRIORITY_WEIGHT
