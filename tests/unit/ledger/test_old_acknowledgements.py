"""Acknowledgements are deleted some days after a run has closed their window, and no earlier."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.samples import HOUR, receipt_of

from job_history.ledger.acknowledgements import window_folder
from job_history.ledger.old_acknowledgements import delete_old_acknowledgements
from job_history.ledger.receipt import Counts, RunEntry, WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_store import add_revision
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.storage import Storage, local_storage

NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=7)
FOLDER = f"{window_folder(5234, EventKind.JOBS, HOUR)}/target"


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def acknowledged(ledger: Storage, tmp_path: Path, name: str, *, days_ago: float) -> str:
    path = f"{FOLDER}/{name}"
    ledger.write(path, b"{}")
    moment = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(tmp_path / path, (moment, moment))
    return path


def reported(ledger: Storage, run: str, state: WindowState, *, days_ago: float) -> None:
    finished_at = format_time(NOW - timedelta(days=days_ago))
    add_revision(
        ledger,
        receipt_of(
            state,
            destination={"type": "sumo_logic", "target": "target"},
            runs=[RunEntry(run, finished_at, state, Counts(), [run] if state is WindowState.FAILED else [])],
        ),
    )


def left(ledger: Storage) -> set[str]:
    return set(ledger.paths(FOLDER))


@pytest.mark.promise("old-files")
def test_acknowledgements_are_deleted_seven_days_after_the_window_was_closed(ledger: Storage, tmp_path: Path) -> None:
    acknowledged(ledger, tmp_path, "run-1-batch.json", days_ago=9)
    acknowledged(ledger, tmp_path, "under-way-run-0", days_ago=9.5)
    reported(ledger, "run-1", WindowState.COMPLETE, days_ago=8)

    assert delete_old_acknowledgements(ledger, BEFORE) == 2
    assert left(ledger) == set()


@pytest.mark.promise("old-files")
def test_acknowledgements_of_a_window_closed_less_than_seven_days_ago_are_kept(ledger: Storage, tmp_path: Path) -> None:
    path = acknowledged(ledger, tmp_path, "run-1-batch.json", days_ago=9)
    reported(ledger, "run-1", WindowState.FAILED, days_ago=9)
    reported(ledger, "run-2", WindowState.COMPLETE, days_ago=6)

    assert delete_old_acknowledgements(ledger, BEFORE) == 0
    assert left(ledger) == {path}


@pytest.mark.promise("old-files")
def test_acknowledgements_of_open_windows_are_kept(ledger: Storage, tmp_path: Path) -> None:
    path = acknowledged(ledger, tmp_path, "run-1-batch.json", days_ago=30)

    assert delete_old_acknowledgements(ledger, BEFORE) == 0
    reported(ledger, "run-1", WindowState.FAILED, days_ago=30)
    assert delete_old_acknowledgements(ledger, BEFORE) == 0
    assert left(ledger) == {path}


@pytest.mark.promise("old-files")
def test_acknowledgements_of_a_rerun_that_failed_after_the_window_was_closed_are_kept(
    ledger: Storage, tmp_path: Path
) -> None:
    acknowledged(ledger, tmp_path, "run-1-batch.json", days_ago=20)
    reported(ledger, "run-1", WindowState.COMPLETE, days_ago=19)
    of_rerun = acknowledged(ledger, tmp_path, "run-2-batch.json", days_ago=10)
    reported(ledger, "run-2", WindowState.FAILED, days_ago=9)

    assert delete_old_acknowledgements(ledger, BEFORE) == 1
    assert left(ledger) == {of_rerun}


@pytest.mark.promise("strict-decoding")
def test_a_damaged_receipt_keeps_the_acknowledgements_of_its_own_account_alone(
    ledger: Storage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acknowledged(ledger, tmp_path, "run-1-batch.json", days_ago=9)
    reported(ledger, "run-1", WindowState.COMPLETE, days_ago=8)
    of_damaged = f"{window_folder(77, EventKind.JOBS, HOUR)}/target/run-1-batch.json"
    ledger.write(of_damaged, b"{}")
    os.utime(tmp_path / of_damaged, (0, 0))
    ledger.write(receipt_path(77, EventKind.JOBS, HOUR), b"{")

    assert delete_old_acknowledgements(ledger, BEFORE) == 1

    assert (left(ledger), ledger.read(of_damaged)) == (set(), b"{}")
    assert receipt_path(77, EventKind.JOBS, HOUR) in caplog.text
