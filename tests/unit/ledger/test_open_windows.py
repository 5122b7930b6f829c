"""Marks of open windows: one listing returns them all, and only what it showed is deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.samples import HOUR, receipt_of

from job_history.ledger.open_windows import OpenWindow, OpenWindows
from job_history.ledger.receipt import Counts, RunEntry, WindowState
from job_history.ledger.receipt_store import add_revision
from job_history.model.event_kind import EventKind
from job_history.storage import Storage, local_storage

PATH = "_control/open/5234/jobs/20180521T000000Z-20180521T010000Z"
OPEN = OpenWindow(5234, EventKind.JOBS, HOUR)


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def marks(ledger: Storage) -> list[str]:
    return sorted(ledger.paths("_control/open"))


def test_a_failed_window_is_marked_before_its_revision_and_found_by_one_listing(ledger: Storage) -> None:
    OpenWindows(ledger).before(receipt_of(WindowState.FAILED))

    assert marks(ledger) == [PATH]
    assert OpenWindows(ledger).windows == {OPEN}


@pytest.mark.parametrize("state", [state for state in WindowState if state is not WindowState.FAILED])
def test_only_a_failed_window_is_marked(ledger: Storage, state: WindowState) -> None:
    OpenWindows(ledger).before(receipt_of(state))

    assert marks(ledger) == []


@pytest.mark.parametrize(
    ("state", "left"),
    [
        (WindowState.COMPLETE, []),
        (WindowState.COMPLETE_WITH_QUARANTINE, []),
        (WindowState.UNRECOVERABLE, []),
        (WindowState.FAILED, [PATH]),
        (WindowState.DISABLED, [PATH]),
    ],
)
def test_the_mark_goes_when_no_run_can_change_the_window_any_more(
    ledger: Storage, state: WindowState, left: list[str]
) -> None:
    OpenWindows(ledger).mark([OPEN])

    OpenWindows(ledger).after(receipt_of(state))

    assert marks(ledger) == left


def test_a_mark_that_came_after_the_listing_is_not_deleted(ledger: Storage) -> None:
    before = OpenWindows(ledger)
    OpenWindows(ledger).mark([OPEN])

    before.after(receipt_of(WindowState.COMPLETE))

    assert marks(ledger) == [PATH]


def test_a_file_that_marks_no_window_is_named_and_the_others_are_read(ledger: Storage) -> None:
    OpenWindows(ledger).mark([OPEN])
    for path in (
        "05234/jobs/20180521T000000Z-20180521T010000Z",
        "5234/jobs/yesterday",
        "5234/bills/20180521T000000Z-20180521T010000Z",
        "notes.txt",
        "x/jobs/1-2",
    ):
        ledger.write(f"_control/open/{path}", b"")

    found = OpenWindows(ledger)

    assert found.windows == {OPEN}
    assert len(found.unreadable_problems()) == 5
    assert all(any(path in problem for path in found.unreadable) for problem in found.unreadable_problems())


@pytest.mark.promise("open-windows")
def test_a_window_that_fails_after_another_report_deleted_its_mark_is_marked_again(ledger: Storage) -> None:
    """The other report found that the source no longer has the hour, between the mark and the revision of this one."""
    OpenWindows(ledger).mark([OPEN])
    own, other = OpenWindows(ledger), OpenWindows(ledger)
    failed = receipt_of(
        WindowState.FAILED, runs=[RunEntry("own", "2018-05-21T01:20:00Z", WindowState.FAILED, Counts(), [])]
    )

    own.before(failed)
    other.after(add_revision(ledger, receipt_of(WindowState.UNRECOVERABLE)))
    newest = add_revision(ledger, failed)
    own.after(newest)

    assert (newest.state, marks(ledger)) == (WindowState.FAILED, [PATH])
