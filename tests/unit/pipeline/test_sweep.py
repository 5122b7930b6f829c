"""The sweep deletes what any run may have left and no receipt names, whatever the window's age and the account."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from tests.support.mortal_storage import KilledError, Life, MortalStorage
from tests.unit.samples import HOUR, receipt_of

from job_history.ledger.days_to_sweep import FOLDER, note_windows
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_files import day_folder_of, receipt_path, window_folder
from job_history.ledger.receipt_store import add_revision
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.sweep import MAX_SECONDS, sweep
from job_history.storage import Storage, local_storage

NOW = datetime.now(UTC)
LATER_HOUR = Window(HOUR.end, HOUR.end + timedelta(hours=1))


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def aged(ledger: Storage, path: str, days: float) -> str:
    """Write a file in the past; returns its path."""
    ledger.write(path, b"")
    moment = (NOW - timedelta(days=days)).timestamp()
    os.utime(Path(ledger.root.removeprefix("file://")) / path, (moment, moment))
    return path


def list_path(name: str, user_id: int = 5234, window: Window = HOUR) -> str:
    return f"{window_folder(user_id, EventKind.JOBS, window)}/items-{name}.parquet"


def noted(ledger: Storage, days: float, user_id: int = 5234, window: Window = HOUR) -> None:
    note_windows(ledger, [(user_id, EventKind.JOBS, window)], NOW - timedelta(days=days))


def left(ledger: Storage) -> set[str]:
    return {path for path in ledger.paths("") if path.endswith(".parquet")}


def notes(ledger: Storage) -> list[str]:
    return sorted(ledger.paths(FOLDER))


@pytest.mark.promise("old-files")
def test_files_of_a_late_run_are_deleted_seven_days_after_they_were_written(ledger: Storage) -> None:
    """The window of 2018 was swept long ago; a backfill has run it again, and the standing receipt names one list."""
    named, unnamed = aged(ledger, list_path("named"), 8), aged(ledger, list_path("unnamed"), 8)
    add_revision(ledger, receipt_of(WindowState.COMPLETE, items=[named]))
    noted(ledger, 7.5)

    sweep(ledger, NOW - timedelta(days=1))
    assert left(ledger) == {named, unnamed}

    sweep(ledger, NOW)
    assert left(ledger) == {named}
    assert notes(ledger) == []


@pytest.mark.promise("old-files")
def test_files_of_an_account_without_settings_or_receipts_are_deleted(ledger: Storage) -> None:
    """Runs note what they touch, so the sweep needs no list of accounts: this one is paused, or in no Variable."""
    of_paused = aged(ledger, list_path("unnamed", 77), 8)
    quarantined = aged(ledger, f"_control/quarantine/bad_json/77/jobs/{HOUR.slug}/q.jsonl.zst", 8)
    noted(ledger, 8, 77)

    sweep(ledger, NOW)

    assert not {of_paused, quarantined} & set(ledger.paths(""))


@pytest.mark.promise("old-files")
def test_a_day_with_younger_files_is_swept_again(ledger: Storage) -> None:
    """A load that was tried again, days after its run was planned."""
    old, young = aged(ledger, list_path("old"), 8), aged(ledger, list_path("young"), 2)
    noted(ledger, 8)

    sweep(ledger, NOW)
    assert left(ledger) == {young}
    assert old not in left(ledger)

    sweep(ledger, NOW + timedelta(days=8))
    assert (left(ledger), notes(ledger)) == (set(), [])


@pytest.mark.promise("old-files")
def test_a_damaged_receipt_keeps_its_own_day_alone_and_is_tried_again(
    ledger: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    kept, of_another = aged(ledger, list_path("kept"), 8), aged(ledger, list_path("other", 77), 8)
    ledger.write(receipt_path(5234, EventKind.JOBS, LATER_HOUR), b"{")
    noted(ledger, 8)
    noted(ledger, 8, 77)

    sweep(ledger, NOW)

    assert left(ledger) == {kept}
    assert of_another not in left(ledger)
    assert day_folder_of(5234, EventKind.JOBS, HOUR) in caplog.text
    ledger.delete(receipt_path(5234, EventKind.JOBS, LATER_HOUR))
    sweep(ledger, NOW + timedelta(days=8))
    assert left(ledger) == set()


@pytest.mark.promise("old-files")
def test_what_there_was_no_time_for_is_swept_by_the_next_one(ledger: Storage) -> None:
    for user_id in (1, 2, 3):
        aged(ledger, list_path("unnamed", user_id), 8)
        noted(ledger, 8, user_id)
    times: Iterator[float] = iter([0.0, 1.0, MAX_SECONDS + 1, MAX_SECONDS + 1])

    sweep(ledger, NOW, clock=lambda: next(times))
    assert len(left(ledger)) == 2

    sweep(ledger, NOW)
    assert (left(ledger), notes(ledger)) == (set(), [])


@pytest.mark.promise("old-files")
@pytest.mark.parametrize("name", ["20990101T000000Z-0000.json", "notes"])
def test_a_note_of_a_wrong_clock_counts_from_when_it_was_written(ledger: Storage, name: str) -> None:
    aged(ledger, list_path("unnamed"), 8)
    noted(ledger, 8)
    [note] = notes(ledger)
    content = ledger.read(note)
    assert content is not None
    ledger.delete(note)
    ledger.write(f"{FOLDER}/{name}", content)

    sweep(ledger, NOW)
    assert len(left(ledger)) == 1

    sweep(ledger, NOW + timedelta(days=8))
    assert left(ledger) == set()


@pytest.mark.promise("old-files")
def test_a_damaged_note_or_a_file_in_place_of_the_folder_stops_nothing(
    ledger: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    aged(ledger, list_path("unnamed"), 8)
    noted(ledger, 8)
    aged(ledger, f"{FOLDER}/20180521T000000Z-0000.json", 8)
    sweep(ledger, NOW)
    assert left(ledger) == set()
    assert f"{FOLDER}/20180521T000000Z-0000.json" in caplog.text

    ledger.delete_below(FOLDER)
    (Path(ledger.root.removeprefix("file://")) / FOLDER).rmdir()
    ledger.write(FOLDER, b"")
    noted(ledger, 8)
    sweep(ledger, NOW)
    assert caplog.text.count("move it elsewhere") == 2


@pytest.mark.promise("old-files")
def test_a_sweep_that_was_killed_is_finished_by_the_next_one(tmp_path: Path) -> None:
    for steps in count(1):
        ledger = local_storage(tmp_path / str(steps))
        named = aged(ledger, list_path("named"), 8)
        add_revision(ledger, receipt_of(WindowState.COMPLETE, items=[named]))
        aged(ledger, list_path("unnamed"), 8)
        aged(ledger, list_path("young", 77), 2)
        for user_id in (5234, 77):
            noted(ledger, 8, user_id)
        was_killed = False
        try:
            sweep(MortalStorage(tmp_path / str(steps), Life(steps)), NOW)
        except KilledError:
            was_killed = True
        assert named in left(ledger)
        for later in (0, 8, 16):
            sweep(ledger, NOW + timedelta(days=later))
        assert (left(ledger), notes(ledger)) == ({named}, [])
        if not was_killed:
            assert steps > 6
            return
