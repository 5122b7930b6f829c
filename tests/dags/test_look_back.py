"""How far a reconciliation looks back for each account: no day on which one could not be compared is left out."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.dag_tasks import context_of_reconciliation, look_back, reconcile, replicate_hour
from tests.unit.samples import HOUR as HOUR_OF_SAMPLES
from tests.unit.samples import receipt_of

from job_history.errors import PermanentError
from job_history.ledger.acknowledgements import window_folder
from job_history.ledger.receipt import Counts, RunEntry, WindowState
from job_history.ledger.receipt_store import add_revision
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.storage import local_storage
from job_history_airflow.operators import ReconcileOperator
from simulators.job_store import create, fill, small_jobs

from .conftest import HOUR, World, show

DAYS = 10


def job_at(store: Path, moment: datetime, job_id: int) -> None:
    """Have account 1 list a job that completed then."""
    with closing(sqlite3.connect(store)) as connection:
        end = moment + timedelta(seconds=10)
        fill(connection, "sqlite", small_jobs(1, user_id=1, first_job_id=job_id, start=moment, end=end))
        connection.commit()


@pytest.mark.promise("looked-back-further")
def test_late_jobs_of_days_on_which_the_source_was_away_are_found_when_it_is_back(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__LOOKBACK_HOURS", "1")
    store = tmp_path / "own.db"
    with closing(sqlite3.connect(store)) as connection:
        create(connection, "sqlite")
        connection.commit()
    world.connect("one", {"conn_type": "sqlite", "host": str(store)})
    world.connect("two", {"conn_type": "sqlite", "host": str(store)})
    world.accounts(
        world.account(1, "Away", source={"type": "sql", "conn_id": "one"}),
        world.account(2, "There", source={"type": "sql", "conn_id": "two"}),
    )
    start, end = HOUR, HOUR + timedelta(days=DAYS)
    assert replicate_hour(Window(start, end)).error is None
    days = [start + timedelta(days=number, hours=3) for number in range(1, DAYS)]
    assert look_back(days[0]).error is None
    late = HOUR + timedelta(days=3, hours=12)
    job_at(store, late, 1)

    world.connect("one", {"conn_type": "sqlite", "host": "/nowhere/jobs.db"})
    for day in days[1:-1]:
        error = look_back(day).error
        assert error is not None
        assert "Account 1 Away" in str(error)
        assert "Account 2 There" not in str(error)
    [newest] = [json.loads(path.read_bytes()) for path in [max(world.ledger.glob("_control/reconciled/*"))]]
    assert [*newest["behind"]] == ["1"]
    assert (1, Window(late, late + timedelta(hours=1)).start_text) in world.receipts()

    world.connect("one", {"conn_type": "sqlite", "host": str(store)})
    assert look_back(days[-1]).error is None

    counts = world.receipts()[1, Window(late, late + timedelta(hours=1)).start_text]["counts"]
    assert (counts["listed"], counts["delivered"], counts["late"]) == (1, 1, 1)
    assert len(world.keys()) == 1
    assert json.loads(max(world.ledger.glob("_control/reconciled/*")).read_bytes()) == {"behind": {}}


@pytest.mark.promise("cleared-tasks")
def test_a_cleared_look_back_that_fails_leaves_no_earlier_comparison(world: World, store: Path) -> None:
    world.accounts(world.account(5234, "Acme"))
    hours = Window(HOUR, HOUR + timedelta(hours=1))
    assert replicate_hour(hours).error is None
    assert reconcile(hours).error is None
    show(store, 5234, 777_777)
    world.forget_accounts()

    with pytest.raises(PermanentError):
        reconcile(hours)

    # Airflow has deleted what an earlier try handed over; `plan` runs although `look_back` failed.
    [run] = [path.parent for path in (store.parent / "staging").rglob("failure-look_back.json")]
    assert not (run / "comparisons").exists() or not [*(run / "comparisons").iterdir()]
    world.accounts(world.account(5234, "Acme"))
    with pytest.raises(PermanentError, match="because `look_back` failed"):
        ReconcileOperator(task_id="plan").execute(context_of_reconciliation(hours))
    assert (5234, hours.start_text) in world.receipts()
    assert reconcile(hours).error is None
    assert world.receipts()[5234, hours.start_text]["counts"]["late"] == 1


@pytest.mark.promise("old-files")
def test_a_note_of_a_plan_that_cannot_be_deleted_keeps_no_acknowledgement(world: World) -> None:
    world.accounts(world.account(5236, "Initech"))
    ledger = local_storage(world.ledger)
    old = datetime.now(UTC) - timedelta(days=8)
    acknowledgement = f"{window_folder(5234, EventKind.JOBS, HOUR_OF_SAMPLES)}/target/run-1-batch.json"
    ledger.write(acknowledgement, b"{}")
    os.utime(world.ledger / acknowledgement, (old.timestamp() - 60, old.timestamp() - 60))
    run = RunEntry("run-1", format_time(old), WindowState.COMPLETE, Counts(), [])
    destination = {"type": "sumo_logic", "target": "target"}
    add_revision(ledger, receipt_of(WindowState.COMPLETE, destination=destination, runs=[run]))
    foreign = world.ledger / "_control/plans/foreign"
    foreign.mkdir(parents=True)
    (foreign / "note").touch()
    os.utime(foreign / "note", (old.timestamp(), old.timestamp()))
    foreign.chmod(0o777)

    look_back(HOUR + timedelta(hours=3))

    assert (foreign / "note").exists()
    assert not (world.ledger / acknowledgement).exists()
