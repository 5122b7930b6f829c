"""Status: how windows are shown, by their receipts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.folder_as_bucket import FolderAsBucket
from tests.unit.samples import DAY, HOUR, account

from job_history.accounts.account import Account
from job_history.inspection.status import HourState, WindowStatus, statuses
from job_history.ledger.lateness import Lateness
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import day_folder_of, receipt_path
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage, local_storage

SETTLE = timedelta(minutes=10)
LONG_AFTER = DAY + timedelta(days=30)
COUNTS = Counts(counted=9, listed=9, delivered=4, already_present=2, filtered={"aborted": 1, "cancelled": 1})


@pytest.fixture(params=["folder", "bucket"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return local_storage(tmp_path) if request.param == "folder" else Storage(FolderAsBucket(tmp_path), "s3://bucket")


def save(ledger: Storage, state: str, hour: Window = HOUR, user_id: int = 5234, **counts: Any) -> None:
    """Save a receipt with two runs, of which the first failed."""
    reported = msgspec.structs.replace(COUNTS, **{name: count for name, count in counts.items() if name != "late"})
    receipt = Receipt(
        user_id=user_id,
        name="Acme",
        revision=1,
        window=hour,
        state=WindowState(state),
        counts=reported,
        gap=0,
        read_at="2018-05-21T01:11:00.000000Z",
        lateness=Lateness(found_after={"1 h": 2}),
        settings_hash="0" * 16,
        code_version="0.1.0",
        destination={"type": "s3", "bucket": "acme-audit"},
        runs=[
            RunEntry("first", "2018-05-21T01:15:00Z", WindowState.FAILED, COUNTS, ["no bucket", "no luck"]),
            RunEntry("second", "2018-05-21T02:15:00Z", WindowState(state), COUNTS, []),
        ],
    )
    plain = msgspec.to_builtins(receipt)
    plain["counts"]["late"] = counts.get("late", 0)
    ledger.write(receipt_path(user_id, EventKind.JOBS, hour), msgspec.json.encode(plain))


def shown(ledger: Storage, *accounts: Account, window: Window = HOUR, now: datetime = LONG_AFTER) -> list[WindowStatus]:
    return list(statuses(ledger, accounts or [account()], window, now, SETTLE))


def test_a_receipt_is_shown_with_its_counts_and_its_story(ledger: Storage) -> None:
    save(ledger, "complete_with_quarantine", quarantined={"bad_id": 1}, bytes=7_000)

    assert shown(ledger) == [
        WindowStatus(
            user_id=5234,
            name="Acme",
            kind=EventKind.JOBS,
            window=HOUR,
            state=HourState.COMPLETE_WITH_QUARANTINE,
            listed=9,
            delivered=4,
            already_present=2,
            filtered=2,
            quarantined=1,
            late=0,
            read_at="2018-05-21T01:11:00.000000Z",
            finished_at="2018-05-21T02:15:00Z",
            closed_at="2018-05-21T02:15:00Z",
            bytes=7_000,
            found_after={"1 h": 2},
            runs=["first", "second"],
            last_fault="no luck",
        )
    ]


@pytest.mark.parametrize(
    ("state", "late", "standing", "needs_run"),
    [
        ("complete", 0, "complete", False),
        ("complete", 2, "late", False),
        ("complete_with_quarantine", 2, "complete_with_quarantine", False),
        ("failed", 0, "failed", True),
        ("failed", 2, "failed", True),
        ("unrecoverable", 0, "unrecoverable", True),
        ("disabled", 0, "disabled", False),
    ],
)
def test_how_a_receipt_is_shown(ledger: Storage, state: str, late: int, standing: str, needs_run: bool) -> None:
    save(ledger, state, late=late)

    (status,) = shown(ledger)

    assert (status.state, status.state.needs_run, status.late) == (standing, needs_run, late)


@pytest.mark.promise("status")
@pytest.mark.parametrize(
    ("now", "enabled", "standing", "needs_run"),
    [
        (HOUR.end + SETTLE - timedelta(seconds=1), True, "waiting", False),
        (HOUR.end + SETTLE, True, "open", True),
        (HOUR.end + SETTLE, False, "disabled", False),
        (HOUR.start, False, "disabled", False),
    ],
)
def test_how_a_window_without_a_receipt_is_shown(
    ledger: Storage, now: datetime, enabled: bool, standing: str, needs_run: bool
) -> None:
    (status,) = shown(ledger, account(enabled=enabled), now=now)

    assert status == WindowStatus(
        user_id=5234, name="Acme", kind=EventKind.JOBS, window=HOUR, state=HourState(standing)
    )
    assert status.state.needs_run is needs_run


def test_accounts_come_as_given_and_their_hours_in_order_across_days(ledger: Storage) -> None:
    days = Window(DAY - timedelta(hours=1), DAY + timedelta(hours=26))
    hours = list(days.hours())
    save(ledger, "complete", hours[0], user_id=7)
    save(ledger, "failed", hours[26], user_id=3)

    reported = shown(ledger, account(7, "Seven"), account(3, "Three"), window=days)

    assert [(status.user_id, status.window) for status in reported] == [
        (user_id, hour) for user_id in (7, 3) for hour in hours
    ]
    assert [status.state for status in reported] == ["complete", *["open"] * 52, "failed"]


def test_each_kind_of_event_is_shown_on_its_own(ledger: Storage) -> None:
    save(ledger, "complete")

    both = shown(ledger, account(events={"job_history": True, "admin_events": True}))

    assert [(status.kind, status.state) for status in both] == [("jobs", "complete"), ("admin_events", "open")]


def test_more_folders_than_are_read_at_once_are_all_read(ledger: Storage) -> None:
    accounts = [account(user_id, "Many") for user_id in range(1, 151)]
    for one in accounts:
        save(ledger, "complete", user_id=one.user_id)

    assert [(status.user_id, status.state) for status in shown(ledger, *accounts)] == [
        (one.user_id, "complete") for one in accounts
    ]


def test_a_changed_receipt_is_read_again(ledger: Storage) -> None:
    save(ledger, "failed")
    assert [status.state for status in shown(ledger)] == ["failed"]

    save(ledger, "complete")
    assert [status.state for status in shown(ledger)] == ["complete"]


def test_a_damaged_receipt_is_shown_as_failed_and_the_others_as_they_are(ledger: Storage) -> None:
    save(ledger, "complete", user_id=7)
    ledger.write(receipt_path(3, EventKind.JOBS, HOUR), b'{"state": "comp')

    broken, whole = shown(ledger, account(3, "Three"), account(7, "Seven"))

    assert (broken.state, whole.state) == ("failed", "complete")
    assert (broken.last_fault or "").startswith(
        f"LEDGER_FILE_DAMAGED: {ledger.url(receipt_path(3, EventKind.JOBS, HOUR))}: "
    )


def test_a_folder_that_cannot_be_listed_is_shown_as_failed_and_the_others_as_they_are(tmp_path: Path) -> None:
    ledger = local_storage(tmp_path)
    save(ledger, "complete")
    ledger.write(day_folder_of(77, EventKind.JOBS, HOUR), b"a file, where a folder was")

    unlisted, complete = shown(ledger, account(user_id=77), account())

    assert (unlisted.state, unlisted.is_unreadable, complete.state) == (HourState.FAILED, True, HourState.COMPLETE)
    assert "77/jobs" in (unlisted.last_fault or "")
