"""The cluster policy acts only in an installation that has set `backfill_pool`, and only on backfills of our DAGs."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from job_history_airflow.backfill_policy import PRIORITY_WEIGHT, task_instance_mutation_hook
from job_history_airflow.dag_ids import RECONCILIATION_DAG, REPLICATION_DAG
from job_history_airflow.policies import DEFAULT_ARGS

POOL = "AIRFLOW__JOB_HISTORY__BACKFILL_POOL"
SHOW = """
from airflow import settings
print(settings.get_policy_plugin_manager().has_plugin("job_history"), settings.task_instance_mutation_hook.is_noop)
"""


@pytest.mark.parametrize(("pool", "is_noop"), [(None, True), ("backfills", False)])
def test_hook_of_the_installation_is_switched_on_only_with_backfill_pool(pool: str | None, is_noop: bool) -> None:
    environment = os.environ | ({} if pool is None else {POOL: pool})
    shown = subprocess.run(
        [sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True
    ).stdout

    assert shown.split()[-2:] == ["True", str(is_noop)]


@pytest.mark.promise("backfill-priority")
@pytest.mark.parametrize(
    ("dag_id", "run_id", "pool", "placed"),
    [
        (REPLICATION_DAG, "backfill__2018-05-21T00:00:00+00:00", "backfills", ("backfills", PRIORITY_WEIGHT)),
        (RECONCILIATION_DAG, "backfill__2018-05-21T00:00:00+00:00", "backfills", ("backfills", PRIORITY_WEIGHT)),
        (REPLICATION_DAG, "backfill__2018-05-21T00:00:00+00:00", "", ("default_pool", 10)),
        (REPLICATION_DAG, "scheduled__2018-05-21T00:00:00+00:00", "backfills", ("default_pool", 10)),
        ("another_dag", "backfill__2018-05-21T00:00:00+00:00", "backfills", ("default_pool", 10)),
    ],
    ids=["replication", "reconciliation", "no pool set", "not a backfill", "another DAG"],
)
def test_only_backfills_of_our_dags_get_the_pool_and_a_lower_priority(
    dag_id: str, run_id: str, pool: str, placed: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POOL, pool)
    task_instance = SimpleNamespace(dag_id=dag_id, run_id=run_id, pool="default_pool", priority_weight=10)

    task_instance_mutation_hook(task_instance, None)

    assert (task_instance.pool, task_instance.priority_weight) == placed
    assert DEFAULT_ARGS["priority_weight"] > PRIORITY_WEIGHT
