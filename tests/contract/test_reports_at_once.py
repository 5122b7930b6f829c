"""Two reports of one window at once: each is a revision, and nothing of either is lost."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.racing_reports import DESTINATION, USER_ID, Ledger, Report, race
from tests.support.scripted_s3 import scripted_s3

from job_history.ledger.items import items_at
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_history import read_history
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage

START = datetime(2018, 5, 21, tzinfo=UTC)
PAIRS = 50
BUCKET = "ledger"
CheckWrites = Callable[[], None]


@pytest.fixture(params=["folder", "bucket"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Ledger, CheckWrites]]:
    if request.param == "folder":
        yield Ledger(str(tmp_path / "ledger")), lambda: None
        return
    with scripted_s3(BUCKET) as s3:

        def check_writes() -> None:
            assert {key: count for key, count in s3.writes.items() if count > 1} == {}

        yield Ledger(s3.url, BUCKET), check_writes


def pairs() -> list[tuple[Report, Report]]:
    """Return a pair for each hour: each combination of states, with either of the two reading the source first."""
    combinations = itertools.cycle(itertools.product(WindowState, WindowState))
    made = []
    for number, (one, other) in zip(range(PAIRS), combinations, strict=False):
        window = Window(START + timedelta(hours=number), START + timedelta(hours=number + 1))
        first, second = (10, 12) if number < PAIRS // 2 else (12, 10)
        made.append(
            (
                Report("one", window, one, (1, 2), first),
                Report("other", window, other, (2, 3), second),
            )
        )
    return made


@pytest.mark.promise("receipts-are-revisions", "receipts-never-forget")
@crash_cell("around", "two reports of one window at once", "receipt", "nothing: both are recorded")
def test_two_reports_at_once_lose_nothing(ledger: tuple[Ledger, CheckWrites]) -> None:
    place, check_writes = ledger
    reported = pairs()

    race(place, reported)

    storage = place.open()
    for pair in reported:
        history = read_history(storage, USER_ID, EventKind.JOBS, pair[0].window)
        assert [receipt.revision for receipt in history] == [1, 2]
        newest = history[-1]
        assert {entry.run for entry in newest.runs} == {"one", "other"}
        assert_is_right(newest, pair)
        assert documents(storage, newest) == {1, 2, 3}
    check_writes()


def assert_is_right(newest: Receipt, pair: tuple[Report, Report]) -> None:
    closed = [report for report in pair if report.state.closed]
    if closed:
        assert newest.state is max(closed, key=lambda report: report.minute).state
    elif any(report.state is not WindowState.DISABLED for report in pair):
        assert newest.state in {report.state for report in pair} - {WindowState.DISABLED}


def documents(storage: Storage, receipt: Receipt) -> set[int]:
    lists = [list(items_at(storage, path, DESTINATION)) for path in receipt.items]
    assert all(lists)
    assert sum(map(len, lists)) == receipt.counts.listed + receipt.counts.gone
    return {int(item.job_id) for items in lists for item in items if item.must_be_there}
