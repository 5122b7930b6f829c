"""Whole runs of the daily DAG by `dag.test()`: what was late, lost or never run is found, and delivered where it
should be.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.types import DagRunType

from .conftest import HOUR, HOUR_END, World, run_dag, show

WINDOW = {"window_start": "2018-05-21T00:00:00Z", "window_end": "2018-05-21T02:00:00Z"}


def replicate(**conf: object) -> str:
    return run_dag("job_history_replication", **conf)[0]


def reconcile(**conf: object) -> str:
    return run_dag("job_history_reconciliation", HOUR_END + timedelta(hours=5), **{**WINDOW, **conf})[0]


def counts(world: World, start: str) -> dict[str, int]:
    found = world.receipts()[5234, start]["counts"]
    return {name: found[name] for name in ("listed", "delivered", "already_present", "late")}


@pytest.mark.promise("late-jobs")
def test_a_late_job_is_delivered_and_marked_and_a_window_without_receipt_is_run(world: World, store: Path) -> None:
    world.accounts(world.account(5234, "Acme"))
    assert replicate() == "success"
    keys = world.keys()
    show(store, 5234, 100_000_000)

    assert replicate() == "success"  # the hour is complete by its receipt: that is what the reconciliation is for
    assert world.keys() == keys
    assert reconcile() == "success"

    assert world.keys() - keys == {
        "5234/jobs/234/20180521/000/000/000/000/100/000/000/5234-234-100000000-20180521001000-succeeded.json"
    }
    assert counts(world, "2018-05-21T00:00:00Z") == {"listed": 111, "delivered": 1, "already_present": 108, "late": 1}
    assert counts(world, "2018-05-21T01:00:00Z") == {"listed": 0, "delivered": 0, "already_present": 0, "late": 0}
    receipts = world.receipts()
    assert (reconcile(), world.receipts()) == ("success", receipts)


@pytest.mark.promise("lost-objects")
def test_lost_and_altered_objects_fail_the_run_until_they_are_repaired(
    world: World, store: Path, task_logs: Callable[[], str]
) -> None:
    world.accounts(world.account(5234, "Acme"))
    replicate(**WINDOW)
    first, second, *_ = sorted(world.keys())
    client = world.s3.client()
    as_they_were = {key: client.get_object(Bucket=world.bucket, Key=key)["Body"].read() for key in (first, second)}
    client.delete_object(Bucket=world.bucket, Key=first)
    client.put_object(Bucket=world.bucket, Key=second, Body=b"something else")

    assert reconcile() == "failed"
    assert (
        f"FAILED 5234 Acme 00:00 of the objects that were delivered, 1 are lost and 1 altered ({first}, {second})."
    ) in task_logs()
    assert first not in list(world.keys())

    assert reconcile(repair=True) == "success"
    assert {key: client.get_object(Bucket=world.bucket, Key=key)["Body"].read() for key in as_they_were} == as_they_were
    assert reconcile() == "success"


@pytest.mark.promise("late-jobs")
def test_it_looks_back_over_a_day_and_the_look_back_from_the_newest_hour_that_had_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__LOOKBACK_HOURS", "2")
    world.accounts(world.account(5237, "Umbrella"))

    # The sample job store is of 2018, and the run is of today: it lacks a receipt for each of its quiet hours.
    state, _ = run_dag("job_history_reconciliation", HOUR)

    assert state == "success"
    assert len(world.receipts()) == 26
    assert {receipt["state"] for receipt in world.receipts().values()} == {"complete"}


def test_one_accounts_source_that_is_away_fails_the_run_by_name_and_stops_no_other(
    world: World, task_logs: Callable[[], str]
) -> None:
    world.connect("away", {"conn_type": "sqlite", "host": "/nowhere/jobs.db"})
    world.accounts(
        world.account(5234, "Acme", source={"type": "sql", "conn_id": "away"}), world.account(5236, "Initech")
    )

    assert reconcile() == "failed"

    assert world.receipts()[5236, "2018-05-21T00:00:00Z"]["state"] == "complete"
    assert "FAILED 5234 Acme 0 hours of [2018-05-21T00:00:00Z, 2018-05-21T02:00:00Z) could be compared" in task_logs()


@pytest.mark.promise("open-windows")
def test_a_window_that_failed_30_days_ago_is_run_and_the_run_is_red_while_it_is_open(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__LOOKBACK_HOURS", "1")
    old = {"window_start": "2018-04-21T00:00:00Z", "window_end": "2018-04-21T01:00:00Z"}
    away = {"type": "sql", "conn_id": "away"}
    world.connect("away", {"conn_type": "sqlite", "host": "/nowhere/jobs.db"})
    world.accounts(world.account(5237, "Umbrella", source=away))
    assert replicate(**old) == "failed"
    assert look_back() == "failed"
    assert world.receipts()[5237, old["window_start"]]["state"] == "failed"

    world.accounts(world.account(5237, "Umbrella", enabled=False), world.account(5236, "Initech"))
    assert look_back() == "success"
    assert "account 5237 Umbrella, paused, has" in caplog.text
    world.accounts(world.account(5237, "Umbrella"), world.account(5236, "Initech"))

    assert look_back() == "success"
    assert world.receipts()[5237, old["window_start"]]["state"] == "complete"
    assert not list(world.ledger.rglob("_control/open/*/*/*"))
    status = json.loads((world.ledger / "_control/status.json").read_bytes())
    assert (status["open"], status["oldest_open"], status["accounts"]["5237/jobs"]["active"]) == (0, None, True)


@pytest.mark.promise("hourly-runs-first")
def test_an_hour_is_left_to_an_hourly_run_that_is_running(world: World) -> None:
    world.accounts(world.account(5234, "Acme"))
    asked = {"window_start": "2017-03-01T00:00:00Z", "window_end": "2017-03-01T02:00:00Z"}
    first, second = (datetime(2017, 3, 1, number, tzinfo=UTC) for number in (0, 1))
    with hourly_run("running", first), hourly_run("queued", second):
        assert reconcile(**asked) == "failed"
        assert {start for _, start in world.receipts()} == {"2017-03-01T01:00:00Z"}

    assert reconcile(**asked) == "success"
    assert {start for _, start in world.receipts()} == {"2017-03-01T00:00:00Z", "2017-03-01T01:00:00Z"}


def look_back() -> str:
    """Run the reconciliation without parameters: it looks back a day and some hours, all of them without a job."""
    return run_dag("job_history_reconciliation", HOUR + timedelta(hours=1))[0]


@contextmanager
def hourly_run(state: str, at: datetime) -> Iterator[None]:
    """Have Airflow know of an hourly run in this state; nothing executes it."""
    with create_session() as session:
        run = DagRun(
            dag_id="job_history_replication",
            run_id=f"scheduled__{at:%Y-%m-%dT%H}",
            run_type=DagRunType.SCHEDULED,
            logical_date=at,
            run_after=at + timedelta(hours=1),
            state=state,
        )
        session.add(run)
        session.flush()
        number = run.id
    yield
    with create_session() as session:
        session.delete(session.get(DagRun, number))


@pytest.mark.promise("old-files")
def test_files_that_a_killed_run_left_are_deleted_later_though_the_account_is_paused(world: World) -> None:
    world.accounts(world.account(5234, "Acme"))
    assert replicate() == "success"
    [named] = world.ledger.glob("receipts/5234/**/*.parquet")
    unnamed = named.with_name("items-killed-1-00000000.parquet")
    unnamed.write_bytes(b"")
    [note] = world.ledger.glob("_control/sweep/*")
    for path in (named, unnamed):
        os.utime(path, (0, 0))
    world.accounts(world.account(5234, "Acme", enabled=False), world.account(5236, "Initech"))

    assert look_back() == "success"
    assert unnamed.exists()  # the run was less than seven days ago
    note.rename(note.with_name(f"20180521T000000Z-{note.name.partition('-')[2]}"))

    assert look_back() == "success"
    assert (unnamed.exists(), named.exists()) == (False, True)
