"""A source or a bucket that hangs holds its run for one time limit of its task, and the other accounts not at all."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.support.watched_steps import WatchedSteps

from job_history_airflow.dag_ids import REPLICATION_DAG
from simulators.project import DAGS

from .conftest import HOUR_END, World


@pytest.mark.promise("no-account-waits")
@pytest.mark.parametrize("step", ["extract", "load"])
def test_a_task_of_its_own_is_not_tried_again_after_its_time_limit(
    world: World, settings: SimpleNamespace, steps: WatchedSteps, step: str
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    world.accounts(world.account(5234, "Hangs"), world.account(5236, "Initech"))
    settings.ours(max_jobs_per_convoy=0)
    seen: list[dict] = []

    def hang() -> None:
        time.sleep(90)
        seen.append({})

    steps.before[step, 5234] = hang
    dag = DagBag(DAGS).dags[REPLICATION_DAG]
    dag.get_task(f"single.{step}").execution_timeout = timedelta(seconds=5)
    assert dag.get_task(f"single.{step}").retries == 4

    dag_run = dag.test(logical_date=HOUR_END)

    assert str(dag_run.state) == "failed"
    tasks = [task for task in dag_run.get_task_instances() if task.task_id == f"single.{step}"]
    assert sorted((str(task.state), task.try_number) for task in tasks) == [("failed", 1), ("success", 1)]
    assert not seen
    by_account = {user_id: receipt for (user_id, _), receipt in world.receipts().items()}
    assert (by_account[5234]["state"], by_account[5236]["state"]) == ("failed", "complete")
    assert "reached its time limit" in json.dumps(by_account[5234]["faults"])
    assert [path.parent.parent.name for path in (world.ledger / "_control/open").rglob("2018*")] == ["5234"]
