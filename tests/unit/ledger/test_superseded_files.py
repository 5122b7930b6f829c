"""Superseded files: what no receipt names is deleted some days after it was written, and nothing else."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.samples import HOUR, receipt_of

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger.receipt import Counts, RunEntry, WindowState
from job_history.ledger.receipt_files import day_folder_of, window_folder
from job_history.ledger.receipt_store import add_revision
from job_history.ledger.superseded_files import QuarantineFiles, delete_superseded_files
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.storage import Storage, local_storage

FOLDER = window_folder(5234, EventKind.JOBS, HOUR)
DAY = day_folder_of(5234, EventKind.JOBS, HOUR)
NOW = datetime.now(UTC)
BEFORE = NOW - timedelta(days=7)


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def written(ledger: Storage, tmp_path: Path, path: str, *, days_ago: int) -> str:
    ledger.write(path, b"")
    moment = (NOW - timedelta(days=days_ago)).timestamp()
    os.utime(tmp_path / path, (moment, moment))
    return path


def recorded(ledger: Storage, run: str, *, days_ago: int, items: list[str], quarantine: list[str]) -> None:
    finished_at = format_time(NOW - timedelta(days=days_ago))
    entry = RunEntry(run, finished_at, WindowState.FAILED, Counts(), [run])
    add_revision(
        ledger,
        receipt_of(
            WindowState.FAILED,
            destination={"type": "s3", "bucket": "acme-audit"},
            items=items,
            quarantine=quarantine,
            runs=[entry],
        ),
    )


def swept(ledger: Storage) -> bool:
    """Sweep the day, and return whether no later sweep would find more."""
    return delete_superseded_files(ledger, DAY, BEFORE, QuarantineFiles(ledger, BEFORE))


@pytest.mark.promise("old-files")
def test_lists_that_no_revision_names_are_deleted_after_some_days(ledger: Storage, tmp_path: Path) -> None:
    named, unnamed, young = (
        written(ledger, tmp_path, f"{FOLDER}/items-{name}.parquet", days_ago=days)
        for name, days in (("named", 9), ("unnamed", 9), ("young", 6))
    )
    recorded(ledger, "run-1", days_ago=9, items=[named], quarantine=[])

    assert not swept(ledger)

    assert {path for path in ledger.paths(FOLDER) if path.endswith(".parquet")} == {named, young}
    assert ledger.read(unnamed) is None


@pytest.mark.promise("old-files")
def test_quarantine_that_the_newest_revision_does_not_name_is_deleted(ledger: Storage, tmp_path: Path) -> None:
    first, second, third = (
        written(ledger, tmp_path, f"_control/quarantine/bad_json/5234/jobs/{HOUR.slug}/{name}", days_ago=days)
        for name, days in (("first", 9), ("second", 2), ("third", 1))
    )
    items = [written(ledger, tmp_path, f"{FOLDER}/items-all.parquet", days_ago=9)]
    for run, days, path in (("run-1", 9, first), ("run-2", 2, second), ("run-3", 1, third)):
        recorded(ledger, run, days_ago=days, items=items, quarantine=[path])

    assert not swept(ledger)

    assert set(ledger.paths("_control/quarantine")) == {second, third}


@pytest.mark.promise("old-files")
def test_a_damaged_receipt_keeps_its_files(ledger: Storage, tmp_path: Path) -> None:
    path = written(ledger, tmp_path, f"{FOLDER}/items-unknown.parquet", days_ago=9)
    ledger.write(f"{FOLDER}/r000001.json", b"{")

    with pytest.raises(PermanentError):
        swept(ledger)

    assert path in set(ledger.paths(FOLDER))


@pytest.mark.promise("old-files")
def test_a_lost_revision_keeps_the_files_of_its_day(ledger: Storage, tmp_path: Path) -> None:
    old = written(ledger, tmp_path, f"{FOLDER}/items-old.parquet", days_ago=9)
    recorded(ledger, "run-1", days_ago=9, items=[old], quarantine=[])
    recorded(ledger, "run-2", days_ago=9, items=[old], quarantine=["_control/quarantine/another"])
    ledger.delete(f"{FOLDER}/r000001.json")

    with pytest.raises(PermanentError) as missing:
        swept(ledger)

    assert missing.value.code is Code.LEDGER_FILE_MISSING
    assert ledger.read(old) is not None


@pytest.mark.promise("old-files")
def test_quarantine_that_no_revision_ever_named_is_deleted_after_some_days(ledger: Storage, tmp_path: Path) -> None:
    folder = f"_control/quarantine/bad_json/5234/jobs/{HOUR.slug}"
    never, young, named = (
        written(ledger, tmp_path, f"{folder}/{name}", days_ago=days)
        for name, days in (("never", 9), ("young", 6), ("named", 9))
    )
    of_another_account = written(ledger, tmp_path, never.replace("5234", "5235"), days_ago=9)
    recorded(ledger, "run-1", days_ago=9, items=[], quarantine=[named])

    assert not swept(ledger)

    assert set(ledger.paths("_control/quarantine")) == {young, named, of_another_account}
