"""Whole runs of the hourly DAG with accounts that replicate admin events: from both sources, to both destinations."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from job_history.destinations.sumo_logic import join_each
from simulators.job_store import fill_events, sample_events
from simulators.sumo_logic import LocalSource, local_source
from simulators.workato import LocalWorkato, Partner, local_workato, workspaces_of

from .conftest import HOUR, HOUR_END, World, run_dag
from .test_replication_run import FINISHED, of_run, run

EVENTS = {5234: 6, 5235: 9, 5236: 12}
TOKEN = "a-token-of-a-partner"


@pytest.fixture
def store(world: World, job_store: Path, tmp_path: Path) -> Path:
    """The sample job store, in which more accounts have admin events."""
    path = tmp_path / "store_with_events.db"
    shutil.copy(job_store, path)
    with closing(sqlite3.connect(path)) as connection:
        for user_id in (5235, 5236):
            fill_events(connection, "sqlite", sample_events(3, user_id, HOUR, HOUR_END, EVENTS[user_id]))
    world.connect("job_store", {"conn_type": "sqlite", "host": str(path)})
    return path


@pytest.fixture
def source(world: World) -> Iterator[LocalSource]:
    with local_source() as running:
        world.connect("sumo", {"conn_type": "sumo_logic", "password": running.url})
        yield running


@pytest.fixture
def api(world: World, store: Path) -> Iterator[LocalWorkato]:
    partner = Partner(user_id=1, customers=workspaces_of(store), token=TOKEN)
    with local_workato(partners=[partner], now=HOUR_END.replace(minute=10), partner_limit=None) as running:
        plenty = json.dumps({"requests_per_minute": 100_000})
        world.connect("partner", {"conn_type": "workato", "host": running.url, "password": TOKEN, "extra": plenty})
        yield running


def receipts(world: World) -> dict[tuple[int, str], dict]:
    found = [json.loads(path.read_bytes()) for path in sorted((world.ledger / "receipts").rglob("r[0-9]*.json"))]
    return {(receipt["user_id"], receipt["kind"]): receipt for receipt in found}


def event_keys(keys: set[str], user_id: int) -> set[str]:
    return {key for key in keys if key.startswith(f"{user_id}/admin_events/20180521/")}


def test_admin_events_go_beside_jobs_or_alone_from_both_sources_to_both_destinations(
    world: World, source: LocalSource, api: LocalWorkato
) -> None:
    customer = {"type": "workato", "conn_id": "partner", "managed_user_id": "5236", "activity_retention_days": 36_500}
    world.accounts(
        world.account(5234, "Acme", events={"job_history": True, "line_details": True, "admin_events": True}),
        world.account(
            5235, "Globex", events={"admin_events": True}, destination={"type": "sumo_logic", "conn_id": "sumo"}
        ),
        world.account(5236, "Initech", events={"admin_events": True}, source=customer),
    )

    state, tasks = run()

    assert (state, {index for task, index in tasks if task == "shared.load"}) == ("success", {0})
    assert {window: of_run(receipt) for window, receipt in receipts(world).items()} == {
        (5234, "jobs"): ("complete", FINISHED[5234], 0),
        **{(user_id, "admin_events"): ("complete", number, 0) for user_id, number in EVENTS.items()},
    }
    keys = world.keys()
    messages = source.messages()
    sent = dict(join_each(message.text.encode() for message in messages))
    assert {user_id: len(event_keys(keys | sent.keys(), user_id)) for user_id in EVENTS} == EVENTS
    assert (len(keys), sent.keys()) == (FINISHED[5234] + 6 + 12, event_keys(sent.keys(), 5235))
    assert receipts(world)[5236, "admin_events"]["counted_by"] == "second_listing"

    # The reconciliation also finds nothing missing; and it finds lost objects of events as of jobs.
    reported, hour = receipts(world), {"window_start": "2018-05-21T00:00:00Z", "window_end": "2018-05-21T01:00:00Z"}
    assert run_dag("job_history_reconciliation", **hour)[0] == "success"
    assert (receipts(world), world.keys(), source.messages()) == (reported, keys, messages)
    for user_id in (5234, 5236):
        world.s3.client().delete_object(Bucket=world.bucket, Key=min(event_keys(keys, user_id)))
    assert run_dag("job_history_reconciliation", **hour)[0] == "failed"
    assert run_dag("job_history_reconciliation", **hour, repair=True)[0] == "success"
    assert (world.keys(), source.messages()) == (keys, messages)


@pytest.mark.promise("event-errors")
def test_a_fault_of_an_accounts_admin_events_stops_not_even_its_own_jobs(world: World, store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("DROP TABLE job_history_admin_events")
    world.accounts(world.account(5236, "Initech", events={"job_history": True, "admin_events": True}))

    state, _ = run()

    found = receipts(world)
    assert (state, of_run(found[5236, "jobs"])) == ("failed", ("complete", FINISHED[5236], 0))
    assert found[5236, "admin_events"]["state"] == "failed"
    (fault,) = found[5236, "admin_events"]["faults"]
    assert fault.startswith(
        "extract of account 5236 Initech (admin events), window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z): Reading "
        "the admin events of account 5236 in [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z) failed: no such table: "
        "job_history_admin_events (OperationalError)."
    )


@pytest.mark.promise("unrecoverable")
def test_events_that_the_platform_no_longer_holds_are_unrecoverable(world: World, api: LocalWorkato) -> None:
    customer = {"type": "workato", "conn_id": "partner", "managed_user_id": "5236"}
    world.accounts(world.account(5236, "Initech", events={"admin_events": True}, source=customer))

    assert run()[0] == "failed"

    receipt = receipts(world)[5236, "admin_events"]
    assert receipt["state"] == "unrecoverable"
    assert "(source.activity_retention_days is 365)" in receipt["faults"][0]
    assert api.requests() == []
