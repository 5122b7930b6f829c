"""Many accounts in one run: no account waits for a later run, whatever Airflow maps at most."""

from __future__ import annotations

import functools
import json
import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from datetime import timedelta
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time.timeout import timeout
from tests.benchmarks.jobs import s3_connection
from tests.benchmarks.sink import sink
from tests.support.dag_tasks import TaskRun, reconcile, replicate_hour
from tests.support.mortal_storage import KilledError
from tests.support.watched_steps import WatchedSteps

from job_history.errors import TransientError
from job_history.ledger.receipt_files import receipt_files
from job_history.model.window import Window
from job_history.pipeline.fair_order import turned
from job_history.sources.sql import SqlJobSource
from job_history.storage import local_storage
from job_history_airflow import operators
from job_history_airflow.operators import CloseOperator
from job_history_airflow.operators.slice_time_limit import slice_time_limit
from simulators.job_store import create, create_indexes, fill, small_jobs

from .conftest import HOUR, World

DAY = Window(HOUR, HOUR + timedelta(days=1))
HOURS = list(DAY.hours())


def fill_store(world: World, folder: Path, user_ids: range, hours: list[Window], jobs: int) -> None:
    """Give each account so many jobs in each hour."""
    path = folder / "many.db"
    with closing(sqlite3.connect(path)) as connection:
        create(connection, "sqlite", indexes=False)
        of_each = (
            small_jobs(
                jobs,
                user_id=user_id,
                start=hour.start,
                end=hour.end,
                first_job_id=user_id * 1_000_000 + number * 1_000,
            )
            for user_id in user_ids
            for number, hour in enumerate(hours)
        )
        fill(connection, "sqlite", chain.from_iterable(of_each))
        create_indexes(connection)
        connection.commit()
    world.connect("job_store", {"conn_type": "sqlite", "host": str(path)})


def receipts(world: World) -> list[dict]:
    ledger = local_storage(world.ledger)
    return [
        json.loads(ledger.read(files.paths[0]) or b"") for files in receipt_files(ledger.paths("receipts")).values()
    ]


@pytest.mark.promise("no-account-waits")
@pytest.mark.parametrize(
    ("limits", "in_convoys"),
    [
        pytest.param({"max_jobs_per_convoy": 0}, 0, id="all accounts are large"),
        pytest.param({"max_accounts_per_convoy": 1}, 3, id="there are more convoys than Airflow maps"),
    ],
)
def test_beyond_the_map_length_each_account_is_complete_after_one_run(
    world: World, tmp_path: Path, settings: SimpleNamespace, limits: dict[str, int], in_convoys: int
) -> None:
    user_ids, hours = range(1, 9), HOURS[:3]
    fill_store(world, tmp_path, user_ids, hours, jobs=2)
    world.accounts(*(world.account(user_id, "Acme") for user_id in user_ids))
    settings.core(max_map_length=3)
    settings.ours(**limits)
    first: Counter[str] = Counter()
    for number, hour in enumerate(hours, start=1):
        run = replicate_hour(hour)

        assert (run.error, run.returned["delivered"]) == (None, 16)
        assert (len(run.convoys), len(run.chains)) == (in_convoys, 3)
        assert {(each["user_id"], each["state"]) for each in receipts(world)} == {
            (each, "complete") for each in user_ids
        }
        assert len(receipts(world)) == number * len(user_ids)
        first.update(entry["label"] for entry in run.convoys)
    # With a convoy for each account, each hour begins where the one before was cut.
    assert max(first.values(), default=1) - min(first.values(), default=1) <= 1

    settings.core(max_map_length=1_024)
    day = reconcile(Window(hours[0].start, hours[-1].end))
    assert (day.error, day.convoys, day.chains) == (None, [], [])


def _five_slices_in_one_chain(world: World, tmp_path: Path, settings: SimpleNamespace) -> None:
    fill_store(world, tmp_path, range(1, 6), HOURS[:1], jobs=2)
    world.accounts(*(world.account(user_id, "Acme") for user_id in range(1, 6)))
    settings.core(max_map_length=1)
    settings.ours(max_jobs_per_convoy=0)


def test_one_slice_of_a_chain_that_fails_stops_no_other(
    world: World, tmp_path: Path, settings: SimpleNamespace, steps: WatchedSteps
) -> None:
    """Chains have several slices beyond the map length: the one that fails is named, the others are complete."""
    _five_slices_in_one_chain(world, tmp_path, settings)
    steps.errors["extract", 3] = TransientError("the database is away")

    run = replicate_hour(HOURS[0])

    assert (len(run.chains), run.chains[0]["label"].endswith(" +4")) == (1, True)
    assert "extract of account 3 Acme" in str(run.error)
    assert {each["user_id"]: each["state"] for each in receipts(world)} == {
        user_id: "failed" if user_id == 3 else "complete" for user_id in range(1, 6)
    }

    again = replicate_hour(HOURS[0], "again")
    assert (again.error, again.returned["delivered"]) == (None, 2)


def test_one_slice_of_a_chain_that_hangs_stops_no_other(
    world: World, tmp_path: Path, settings: SimpleNamespace, steps: WatchedSteps
) -> None:
    """It gets half of the time that its task has left."""
    _five_slices_in_one_chain(world, tmp_path, settings)
    steps.before["extract", 3] = lambda: time.sleep(60)
    began = time.monotonic()

    with timeout(10):  # Airflow's own, which it sets for a task
        run = replicate_hour(HOURS[0])

    assert time.monotonic() - began < 10
    assert "the other slices of its task go on" in str(run.error)
    assert {each["user_id"]: each["state"] for each in receipts(world)} == {
        user_id: "failed" if user_id == 3 else "complete" for user_id in range(1, 6)
    }


@pytest.mark.promise("no-account-waits")
def test_a_source_that_hangs_while_it_is_counted_costs_the_plan_little_of_its_time(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One locked table would use up the half hour of each plan, and no account would be replicated."""
    fill_store(world, tmp_path, range(1, 4), HOURS[:1], jobs=2)
    world.connect("stuck", json.loads(os.environ["AIRFLOW_CONN_JOB_STORE"]))
    stuck = {"source": {"type": "sql", "conn_id": "stuck"}}
    world.accounts(*(world.account(user_id, "Acme", **(stuck if user_id == 2 else {})) for user_id in range(1, 4)))
    count = SqlJobSource.count

    def hanging(self: SqlJobSource, user_id: int, window: Window) -> int:
        if user_id == 2 and not hung:
            hung.append(user_id)
            time.sleep(60)
        return count(self, user_id, window)

    hung: list[int] = []
    monkeypatch.setattr(SqlJobSource, "count", hanging)
    monkeypatch.setattr(operators.plan, "slice_time_limit", functools.partial(slice_time_limit, 0.5))
    began = time.monotonic()

    run = replicate_hour(HOURS[0])

    assert time.monotonic() - began < 30
    assert (hung, run.error) == ([2], None)
    assert {each["user_id"]: each["state"] for each in receipts(world)} == dict.fromkeys((1, 2, 3), "complete")


@pytest.mark.promise("no-second-extract")
@pytest.mark.parametrize(
    ("fails", "times"),
    [
        pytest.param(("load", KilledError("load")), [1, 1, 2], id="the load is killed"),
        pytest.param(("load", TransientError("503")), [1, 1, 2], id="the load fails"),
        pytest.param(("transform", KilledError("transform")), [1, 2, 1], id="the transform is killed"),
        # Its records may be what the transform failed on: their file is damaged, for example.
        pytest.param(("transform", TransientError("not whole")), [2, 2, 1], id="the transform fails"),
        pytest.param(("extract", TransientError("away")), [2, 1, 1], id="the extract fails"),
        pytest.param(("extract", KilledError("extract")), [2, 1, 1], id="the extract is killed"),
    ],
)
def test_a_task_of_its_own_goes_on_with_what_the_convoy_has_made(
    world: World,
    steps: WatchedSteps,
    capsys: pytest.CaptureFixture[str],
    fails: tuple[str, BaseException],
    times: list[int],
) -> None:
    fill_store(world, world.ledger.parent, range(1, 3), HOURS[:1], jobs=2)
    world.accounts(*(world.account(user_id, "Acme") for user_id in (1, 2)))
    # A convoy that is killed also leaves the slices after that one.
    first, last = turned([1, 2], HOURS[0].start)
    steps.errors[fails[0], last] = fails[1]

    run = replicate_hour(HOURS[0])

    assert (run.error, run.returned["delivered"], len(run.chains)) == (None, 4, 1)
    assert (steps.times(first), steps.times(last)) == ([1, 1, 1], times)
    # Else convoys that never work would be green, hour by hour.
    warning = f"Convoys failed, and tasks of their own did what they left: shared.{fails[0]}_0."
    assert (warning in capsys.readouterr().out) is isinstance(fails[1], KilledError)


@pytest.mark.promise("no-second-extract")
def test_after_settings_were_changed_the_source_is_read_again(
    world: World, tmp_path: Path, steps: WatchedSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_store(world, tmp_path, range(1, 2), HOURS[:1], jobs=2)
    world.accounts(world.account(1, "Acme"))
    steps.errors["load", 1] = TransientError("503")
    close = CloseOperator.execute

    def change_settings_and_close(operator: CloseOperator, context: Any) -> Any:
        world.accounts(world.account(1, "Acme", events={"job_history": True, "line_details": False}))
        return close(operator, context)

    monkeypatch.setattr(CloseOperator, "execute", change_settings_and_close)

    assert replicate_hour(HOURS[0]).error is None
    assert steps.times(1) == [2, 2, 2]


@pytest.mark.many
@pytest.mark.timeout(900)
@pytest.mark.promise("no-account-waits")
def test_an_hour_of_two_thousand_accounts_needs_one_run_and_a_hundred_task_instances(
    world: World, tmp_path: Path
) -> None:
    user_ids = range(1, 2_001)
    fill_store(world, tmp_path, user_ids, HOURS[:1], jobs=3)
    with sink(tmp_path, delay_ms=0, remember=True) as store:
        world.connect("s3", json.loads(s3_connection(store)))
        # No process can be started with so long a variable in its environment.
        world.accounts(*(world.account(user_id, f"Account {user_id}") for user_id in user_ids))
        run: TaskRun = replicate_hour(HOURS[0])
        keys = store.counts()["distinct_keys"]

    assert run.error is None
    assert run.task_instances <= 100
    found = receipts(world)
    assert {each["user_id"] for each in found} == set(user_ids)
    assert {(each["state"], each["counts"]["delivered"]) for each in found} == {("complete", 3)}
    assert keys == 6_000
