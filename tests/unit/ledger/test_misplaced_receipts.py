"""Receipts that are missing, copied or restored to a wrong place: an error that names the file, and nothing written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from tests.unit.ledger.test_revisions import REPORTED, reading, version_1
from tests.unit.samples import HOUR

from job_history.errors import PermanentError, ReplicationError
from job_history.errors.code import Code
from job_history.ledger import newest_revision
from job_history.ledger.merge import merge
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_files import day_folder_of, receipt_path
from job_history.ledger.receipt_history import read_history
from job_history.ledger.receipt_store import add_revision, read_receipt, read_receipts, receipt_bytes
from job_history.ledger.receipts_in_bulk import AskedReceipts, read_receipts_in_bulk
from job_history.ledger.superseded_files import QuarantineFiles, delete_superseded_files
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage, local_storage

NEXT = Window(HOUR.end, HOUR.end + timedelta(hours=1))


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def path(revision: int) -> str:
    return receipt_path(5234, EventKind.JOBS, HOUR, revision)


def own(run: str = "own") -> Receipt:
    return reading(run, 0, minute=40)


def revisions(ledger: Storage, numbers: Iterable[int]) -> None:
    """Add as many revisions as the highest number needs, and delete the others."""
    kept = [*numbers]
    for number in range(1, max(kept) + 1):
        add_revision(ledger, reading(f"run-{number}", 0, minute=number))
    for number in {*range(1, max(kept) + 1)} - {*kept}:
        ledger.delete(path(number))


def changed(**fields: Any) -> Callable[[Storage], None]:
    """Write a first revision that is another's."""
    return lambda ledger: ledger.write(path(1), receipt_bytes(replace(own(), **{"revision": 1, **fields})))


def copied(to: int) -> Callable[[Storage], None]:
    def copy(ledger: Storage) -> None:
        revisions(ledger, [1, 2] if to == 3 else [1])
        ledger.write(path(to), ledger.read(path(1)) or b"")

    return copy


MISPLACED = {
    "no revision": changed(revision=0),
    "another revision": changed(revision=2),
    "another account": changed(user_id=77),
    "another window": changed(window=NEXT),
    "another kind": changed(kind=list(EventKind)[1]),
    "no run": changed(runs=[]),
    "a copy as the next revision": copied(2),
    "a copy as the newest revision": copied(3),
    "a copy as a receipt of version 1": copied(0),
}


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize("case", MISPLACED)
def test_a_receipt_of_another_path_is_damaged(ledger: Storage, case: str) -> None:
    MISPLACED[case](ledger)
    before = {each: ledger.read(each) for each in ledger.paths("")}
    for use in (
        lambda: read_receipt(ledger, 5234, EventKind.JOBS, HOUR),
        lambda: read_receipts(ledger, 5234, EventKind.JOBS, [HOUR]),
        lambda: read_history(ledger, 5234, EventKind.JOBS, HOUR),
        lambda: add_revision(ledger, own("run-9")),
    ):
        with pytest.raises(PermanentError, match="file://") as caught:
            use()
        assert caught.value.code == Code.LEDGER_FILE_DAMAGED
    assert {each: ledger.read(each) for each in ledger.paths("")} == before


@pytest.mark.promise("strict-decoding")
def test_a_receipt_of_version_1_without_runs_is_damaged(ledger: Storage) -> None:
    revisions(ledger, [1])
    version_1(ledger, replace(own(), runs=[]))
    with pytest.raises(PermanentError, match=r"receipt\.json"):
        read_receipt(ledger, 5234, EventKind.JOBS, HOUR)


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize(("kept", "missing"), [([1, 3], 2), ([2], 1), ([3], 1), ([1, 2, 5], 3)])
def test_a_revision_that_is_missing_is_an_error_and_nothing_is_written_or_deleted(
    ledger: Storage, kept: list[int], missing: int
) -> None:
    revisions(ledger, kept)
    before = set(ledger.paths(""))
    for use in (
        lambda: read_receipts(ledger, 5234, EventKind.JOBS, [HOUR]),
        lambda: read_history(ledger, 5234, EventKind.JOBS, HOUR),
        *([lambda: add_revision(ledger, own())] if 1 in kept else []),
    ):
        with pytest.raises(PermanentError) as caught:
            use()
        assert (caught.value.code, path(missing) in str(caught.value)) == (Code.LEDGER_FILE_MISSING, True)
    assert set(ledger.paths("")) == before


READERS: dict[str, Callable[[Storage], object]] = {
    "one hour": lambda ledger: read_receipt(ledger, 5234, EventKind.JOBS, HOUR),
    "a day": lambda ledger: read_receipts(ledger, 5234, EventKind.JOBS, [HOUR, NEXT]),
    "a report": lambda ledger: add_revision(ledger, own("next")),
}


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize("last", [2, 3])
@pytest.mark.parametrize("reader", READERS)
def test_a_first_revision_that_was_lost_is_an_error_and_is_not_written_again(
    ledger: Storage, reader: str, last: int
) -> None:
    revisions(ledger, range(2, last + 1))
    with pytest.raises(PermanentError) as caught:
        READERS[reader](ledger)
    assert (caught.value.code, path(1) in str(caught.value)) == (Code.LEDGER_FILE_MISSING, True)
    assert ledger.read(path(1)) is None


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize("last", [2, 3])
@pytest.mark.parametrize("reader", READERS)
def test_a_first_revision_of_a_young_window_that_was_written_again_is_an_error_from_then_on(
    ledger: Storage, monkeypatch: pytest.MonkeyPatch, reader: str, last: int
) -> None:
    """An hourly run saves the request for the second revision: it creates the first one, and the rest notice."""
    monkeypatch.setattr(newest_revision, "CHECKED_AFTER", datetime.now(UTC) - HOUR.start)
    revisions(ledger, range(2, last + 1))
    assert read_receipt(ledger, 5234, EventKind.JOBS, HOUR) is None
    add_revision(ledger, own())

    with pytest.raises(PermanentError) as caught:
        READERS[reader](ledger)
    assert (caught.value.code, path(2) in str(caught.value)) == (Code.LEDGER_FILE_DAMAGED, True)


@pytest.mark.promise("strict-decoding")
def test_two_revisions_that_appear_while_a_window_is_read_are_no_error(ledger: Storage) -> None:
    class Racing(Storage):
        def read(self, at: str) -> bytes | None:
            found = super().read(at)
            if at == path(1) and found is None:
                revisions(ledger, [1, 2])
            return found

    assert read_receipt(Racing(ledger.files, ledger.root), 5234, EventKind.JOBS, HOUR) is None


@pytest.mark.promise("strict-decoding")
def test_a_misplaced_or_missing_receipt_stops_its_own_account_alone(ledger: Storage) -> None:
    revisions(ledger, [1, 3])
    other = add_revision(ledger, replace(own(), user_id=77))
    asked = [AskedReceipts(user_id, EventKind.JOBS, [HOUR, NEXT]) for user_id in (5234, 77)]
    damaged, found = read_receipts_in_bulk(ledger, asked)
    assert (isinstance(damaged, PermanentError), found) == (True, [other, None])


@pytest.mark.promise("strict-decoding")
def test_a_revision_that_was_made_of_another_one_is_seen_in_the_history(ledger: Storage) -> None:
    revisions(ledger, [1, 2, 3])
    first = msgspec.json.decode(ledger.read(path(1)) or b"", type=Receipt)
    ledger.write(path(1), receipt_bytes(replace(first, name="Another")))
    with pytest.raises(PermanentError) as caught:
        read_history(ledger, 5234, EventKind.JOBS, HOUR)
    assert (caught.value.code, path(2) in str(caught.value)) == (Code.LEDGER_FILE_DAMAGED, True)


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize("number", [1, 2])
def test_a_folder_in_place_of_a_revision_ends_a_report_with_an_error(ledger: Storage, number: int) -> None:
    if number == 2:
        revisions(ledger, [1])
    ledger.write(f"{path(number)}/x", b"")
    with pytest.raises(PermanentError, match=path(number)):
        add_revision(ledger, own())


def test_a_revision_that_a_listing_does_not_show_yet_is_no_error(ledger: Storage) -> None:
    class Behind(Storage):
        """A listing that began before the second revision was written."""

        def paths(self, below: str) -> Any:
            return (each for each in super().paths(below) if each != path(2))

    revisions(ledger, [1, 2, 3])
    behind = Behind(ledger.files, ledger.root)
    assert [each and each.revision for each in read_receipts(behind, 5234, EventKind.JOBS, [HOUR])] == [3]


def test_a_file_that_can_be_neither_created_nor_read_ends_a_report(ledger: Storage) -> None:
    class Refusing(Storage):
        def create(self, *_: object) -> bool:
            return False

    with pytest.raises(ReplicationError, match=path(1)):
        add_revision(Refusing(ledger.files, ledger.root), own())


@pytest.mark.promise("old-files")
def test_quarantine_that_a_rolled_back_release_names_is_kept(ledger: Storage, tmp_path: Path) -> None:
    quarantined = f"_control/quarantine/bad_json/5234/jobs/{HOUR.slug}/old"
    ledger.write(quarantined, b"{}\n")
    os.utime(tmp_path / quarantined, (0, 0))
    revisions(ledger, [1])
    version_1(ledger, replace(own("rolled back"), quarantine=[quarantined]))
    newest = read_receipt(ledger, 5234, EventKind.JOBS, HOUR)
    assert newest is not None
    assert newest.quarantine == [quarantined]

    before, day = REPORTED + timedelta(days=8), day_folder_of(5234, EventKind.JOBS, HOUR)
    assert delete_superseded_files(ledger, day, before, QuarantineFiles(ledger, before))
    assert ledger.read(quarantined) is not None


@pytest.mark.promise("old-files")
def test_a_missing_revision_keeps_the_item_lists_that_it_may_name(ledger: Storage, tmp_path: Path) -> None:
    revisions(ledger, [1, 3])
    items = f"{path(1).rpartition('/')[0]}/items-run-2.parquet"
    ledger.write(items, b"")
    os.utime(tmp_path / items, (0, 0))
    before, day = REPORTED + timedelta(days=8), day_folder_of(5234, EventKind.JOBS, HOUR)
    with pytest.raises(PermanentError):
        delete_superseded_files(ledger, day, before, QuarantineFiles(ledger, before))
    assert ledger.read(items) is not None


# The time of a reading is judged by its own report


@pytest.mark.promise("newest-reading")
@pytest.mark.parametrize(
    ("earlier", "own_reading", "counts"),
    [
        pytest.param((240, 61), (210, 420), 7, id="the earlier one is in the future of its own report"),
        pytest.param((60, 61), (0, 1), 3, id="an older report that ends later"),
        pytest.param((0, 1), (60, 61), 7, id="a newer report"),
        pytest.param((60, 61), (50, 40), 7, id="the own one is in the future of its own report"),
    ],
)
def test_each_reading_is_judged_by_the_report_that_it_is_of(
    earlier: tuple[int, int], own_reading: tuple[int, int], counts: int
) -> None:
    first, second = (
        reading(run, listed, minute=minute, finished_at=HOUR.end + timedelta(minutes=ended))
        for run, listed, (minute, ended) in (("first", 3, earlier), ("second", 7, own_reading))
    )
    merged = merge(first, second)
    assert merged is not None
    assert merged.counts.listed == counts


@pytest.mark.promise("newest-reading")
def test_a_merged_reading_is_still_judged_by_its_own_report(ledger: Storage) -> None:
    """A run that failed later has ended last; the reading is of the run before."""
    for run, listed, minute, ended, state in (
        ("future", 3, 240, 5, "complete"),
        ("failed", 0, 250, 600, "failed"),
        ("later", 7, 100, 601, "complete"),
    ):
        finished_at = HOUR.end + timedelta(minutes=ended)
        made = reading(run, listed, minute=minute, finished_at=finished_at, state=WindowState(state))
        newest = add_revision(ledger, made)
    assert (newest.counts.listed, newest.revision) == (7, 3)
