"""Whole runs of the daily DAG by `dag.test()`: what was late, lost or never run is found, and delivered where it
should be.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

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
