"""The status in the ledger: of each account, by the receipts of its runs and the marks of its open windows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.samples import DAY, receipt_of

from job_history.errors import PermanentError
from job_history.ledger.lateness import Lateness
from job_history.ledger.open_windows import OpenWindow
from job_history.ledger.receipt import Counts, Receipt, WindowState
from job_history.ledger.receipt_files import day_folder_of, receipt_path
from job_history.ledger.receipt_store import Recorded
from job_history.ledger.status_file import PATH, AccountStatus, ExpectedBy, Status, read_status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.results import Plan
from job_history.pipeline.update_status import update_status
from job_history.reconciliation.findings import Findings
from job_history.storage import Storage, local_storage

NOW = datetime(2018, 5, 21, 12, tzinfo=UTC)
JOBS = EventKind.JOBS
COMPLETE, FAILED, QUARANTINE = WindowState.COMPLETE, WindowState.FAILED, WindowState.COMPLETE_WITH_QUARANTINE


def hour(number: int) -> Window:
    return Window(DAY + timedelta(hours=number), DAY + timedelta(hours=number + 1))


def receipt(number: int, state: WindowState = COMPLETE, user_id: int = 5234, **changes: Any) -> Receipt:
    return receipt_of(state, user_id=user_id, name=f"Account {user_id}", window=hour(number), **changes)


class Ledger:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def run(
        self,
        *receipts: Receipt,
        active: tuple[int, ...] = (5234,),
        marks: set[OpenWindow] | None = None,
        whole_list: bool = True,
        reconciled: list[Findings] | None = None,
        expected: ExpectedBy | None = None,
        now: datetime = NOW,
    ) -> Status:
        planned = sorted({*active, *(each.user_id for each in receipts)})
        plan = Plan("run", "s3", hour(0), [], [], considered=planned, planned=planned)
        plan.active = [(user_id, JOBS) for user_id in active]
        update_status(
            self.storage,
            plans=[plan],
            whole_list=whole_list,
            newest=[Recorded(each, is_new=True, sha256="") for each in receipts],
            marks=marks or set(),
            reconciled=reconciled or [],
            expected=expected or ExpectedBy(),
            now=now,
        )
        status = read_status(self.storage)
        assert status is not None
        return status


def account_of(receipts: list[Receipt]) -> AccountStatus:
    """The account as a look-back that read these receipts has it."""
    status = AccountStatus(user_id=5234, kind=JOBS)
    for each in receipts:
        status.add(each)
    return status


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(local_storage(tmp_path))


def open_at(number: int, user_id: int = 5234) -> OpenWindow:
    return OpenWindow(user_id, JOBS, hour(number))


@pytest.mark.promise("status-file")
def test_the_status_has_each_account_by_its_receipts_and_the_oldest_open_window(ledger: Ledger) -> None:
    status = ledger.run(
        receipt(4, COMPLETE),
        receipt(5, FAILED, gap=3),
        receipt(5, QUARANTINE, 77, counts=Counts(quarantined={"bad_json": 2}), lateness=Lateness({}, {"1 h": 1})),
        active=(5234, 77),
        marks={open_at(5), open_at(2)},
    )

    assert (status.states, status.gap, status.quarantine, status.late_p95_seconds) == (
        {"complete": 1, "complete_with_quarantine": 1, "failed": 1},
        3,
        2,
        3_600,
    )
    assert status.oldest_open is not None
    assert (status.open, status.oldest_open.window, status.oldest_open.age_seconds) == (2, hour(2), 9 * 3_600)
    acme, globex = status.accounts["5234/jobs"], status.accounts["77/jobs"]
    assert (acme.state, acme.newest, acme.last_complete, acme.open) == (FAILED, hour(5), hour(4), 2)
    assert (globex.state, globex.last_complete, globex.open, globex.seals) == (QUARANTINE, hour(5), 0, None)


@pytest.mark.promise("status-file")
def test_other_accounts_are_as_in_the_status_before(ledger: Ledger) -> None:
    ledger.run(receipt(4), receipt(4, FAILED, 77), active=(5234, 77), marks={open_at(4, 77)})

    status = ledger.run(receipt(5), whole_list=False, marks={open_at(4, 77)})

    assert status.accounts["77/jobs"].state is FAILED
    assert (status.states, status.open) == ({"complete": 2, "failed": 1}, 1)


def test_a_window_that_is_run_again_is_counted_once(ledger: Ledger) -> None:
    ledger.run(receipt(4, FAILED, gap=2))
    ledger.run(receipt(5))
    status = ledger.run(receipt(4))

    assert (status.states, status.gap) == ({"complete": 2}, 0)
    assert status.accounts["5234/jobs"].newest == hour(5)


def test_a_backfill_of_old_hours_leaves_the_newest_state(ledger: Ledger) -> None:
    ledger.run(receipt(9))
    status = ledger.run(receipt(1, FAILED), marks={open_at(1)})

    assert (status.states, status.open) == ({"complete": 1}, 1)


@pytest.mark.promise("status-file")
def test_windows_of_paused_and_removed_accounts_are_not_open(ledger: Ledger) -> None:
    marks = {open_at(1), open_at(1, 77), open_at(1, 88)}
    ledger.run(receipt(2), receipt(2, FAILED, 77), receipt(2, FAILED, 88), active=(5234, 77, 88), marks=marks)

    paused = ledger.run(receipt(3), receipt(3, WindowState.DISABLED, 77), marks=marks)

    assert (paused.open, paused.resting) == (1, 2)
    assert {key for key, entry in paused.accounts.items() if entry.active} == {"5234/jobs"}
    assert set(ledger.run(receipt(4), marks={open_at(1, 77)}).accounts) == {"5234/jobs", "77/jobs"}


@pytest.mark.promise("status-file")
def test_a_reconciliation_rebuilds_the_accounts_from_its_look_back(ledger: Ledger) -> None:
    ledger.run(*(receipt(number, FAILED) for number in range(4)))
    ledger.run(receipt(4), receipt(5, FAILED))
    seen = account_of([receipt(1), receipt(2), receipt(3, QUARANTINE)])

    status = ledger.run(
        reconciled=[Findings(destination="s3", window=Window(hour(1).start, hour(3).end), accounts=[seen])]
    )

    assert status.states == {"complete": 3, "complete_with_quarantine": 1, "failed": 1}
    entry = status.accounts["5234/jobs"]
    assert (entry.since, entry.newest, entry.last_complete) == (hour(1).start, hour(5), hour(4))


def test_expected_by_moves_forward_only(ledger: Ledger) -> None:
    assert ledger.run(receipt(1)).expected_by == ExpectedBy()
    ledger.run(receipt(2), expected=ExpectedBy(replication=NOW))
    ledger.run(receipt(3), expected=ExpectedBy(reconciliation=NOW))
    ledger.run(receipt(4), expected=ExpectedBy(replication=NOW - timedelta(days=3)))

    assert ledger.run(receipt(5)).expected_by == ExpectedBy(replication=NOW, reconciliation=NOW)


def scheduled(ledger: Ledger, number: int, *user_ids: int, is_planned: bool = True) -> Status:
    """Report a scheduled hourly run; `is_planned`: each account could be planned."""
    expected = ExpectedBy(replication=hour(number).end + timedelta(hours=2)) if is_planned else ExpectedBy()
    receipts = [receipt(number, user_id=user_id) for user_id in user_ids or (5234,)]
    active = user_ids or (5234,)
    return ledger.run(*receipts, active=active, whole_list=is_planned, expected=expected, now=hour(number).end)


def missed(status: Status, user_id: int = 5234) -> list[tuple[int, int]]:
    """Return the ranges of missed hours, by the numbers of the hours."""
    ranges = status.accounts[f"{user_id}/jobs"].missed
    return [((each.start - DAY) // timedelta(hours=1), (each.end - DAY) // timedelta(hours=1)) for each in ranges]


@pytest.mark.promise("silence")
def test_hours_that_no_scheduled_run_came_for_are_missed_until_a_run_has_them(ledger: Ledger) -> None:
    """The DAG was paused from 02:00 to 06:00; the reconciliation never ran."""
    assert missed(scheduled(ledger, 1)) == []
    assert missed(scheduled(ledger, 6)) == [(2, 6)]
    assert missed(ledger.run(receipt(3))) == [(2, 3), (4, 6)]
    assert missed(ledger.run(receipt(2), receipt(4), receipt(5, FAILED), marks={open_at(5)})) == []


@pytest.mark.promise("silence")
def test_hours_of_a_malformed_variable_are_missed(ledger: Ledger) -> None:
    scheduled(ledger, 1, 5234, 77)
    # The entry of 77 could not be used for two hours.
    scheduled(ledger, 2, 5234, is_planned=False)
    scheduled(ledger, 3, 5234, is_planned=False)

    status = scheduled(ledger, 4, 5234, 77)

    assert (missed(status), missed(status, 77)) == ([], [(2, 4)])


def test_no_hour_is_missed_before_an_accounts_first_scheduled_run(ledger: Ledger) -> None:
    """An hour of the past was tried by hand first; another account comes later."""
    ledger.run(receipt(0))
    assert missed(scheduled(ledger, 5)) == []
    ledger.run(receipt(1, user_id=77), whole_list=False)
    status = scheduled(ledger, 6, 5234, 77)
    assert (missed(status), missed(status, 77)) == ([], [])


def test_runs_that_end_in_another_order_miss_nothing_in_the_end(ledger: Ledger) -> None:
    scheduled(ledger, 1)
    assert missed(scheduled(ledger, 4)) == [(2, 4)]
    scheduled(ledger, 2)
    status = scheduled(ledger, 3)
    assert (missed(status), status.states) == ([], {"complete": 4})
    assert scheduled(ledger, 3).states == {"complete": 4}


def test_an_hour_whose_report_is_not_in_the_status_is_not_missed(ledger: Ledger) -> None:
    """Two reports wrote the status at the same moment; its receipt is in the ledger all the same."""
    scheduled(ledger, 1)
    ledger.storage.write(receipt_path(5234, JOBS, hour(3)), b"{}")
    assert missed(scheduled(ledger, 5)) == [(2, 3), (4, 5)]
    ledger.storage.write(receipt_path(5234, JOBS, hour(2)), b"{}")
    ledger.storage.write(receipt_path(5234, JOBS, hour(4)), b"{}")
    assert missed(scheduled(ledger, 6)) == []


def test_hours_of_a_day_that_cannot_be_listed_stay_missed(ledger: Ledger) -> None:
    scheduled(ledger, 1, 5234, 77)
    ledger.storage.write(day_folder_of(5234, JOBS, hour(2)), b"a file, where a folder was")
    status = scheduled(ledger, 4, 5234, 77)
    assert (missed(status), missed(status, 77)) == ([(2, 4)], [(2, 4)])


def test_missed_hours_that_a_reconciliation_compared_are_open_instead(ledger: Ledger) -> None:
    scheduled(ledger, 1)
    assert missed(scheduled(ledger, 9)) == [(2, 9)]
    seen = account_of([receipt(6), receipt(9)])

    status = ledger.run(
        reconciled=[Findings(destination="s3", window=Window(hour(6).start, hour(9).end), accounts=[seen])],
        marks={open_at(7), open_at(8)},
    )

    assert (missed(status), status.open) == ([(2, 6)], 2)


@pytest.mark.promise("status-file")
def test_a_status_that_was_generated_later_is_not_overwritten(ledger: Ledger) -> None:
    later = ledger.run(receipt(5), now=NOW)

    assert ledger.run(receipt(4, FAILED), now=NOW - timedelta(seconds=1)) == later


@pytest.mark.promise("status-file")
def test_a_status_of_the_future_is_overwritten(ledger: Ledger) -> None:
    """A worker's clock was wrong once: the installation must not stay silent until that day."""
    year = timedelta(days=365)
    ledger.run(receipt(4), expected=ExpectedBy(replication=NOW + year), now=NOW + year)

    status = ledger.run(receipt(5, FAILED), marks={open_at(5)}, now=NOW)

    assert (status.generated_at, status.open, status.expected_by) == (NOW, 1, ExpectedBy())


def test_a_damaged_status_is_rebuilt_and_one_of_a_newer_release_is_left(ledger: Ledger) -> None:
    ledger.storage.write(PATH, b'{"version": 1, "generated_at": "yest')
    assert ledger.run(receipt(5)).states == {"complete": 1}

    newer = b'{"version": 2, "generated_at": 5}'
    ledger.storage.write(PATH, newer)
    with pytest.raises(PermanentError):
        ledger.run(receipt(6))
    assert ledger.storage.read(PATH) == newer


def test_a_month_of_windows_is_remembered_and_no_more(ledger: Ledger) -> None:
    for number in range(0, 24 * 40, 7):
        status = ledger.run(receipt(number, FAILED))

    entry = status.accounts["5234/jobs"]
    assert entry.since is not None
    assert entry.newest is not None
    assert entry.newest.end - entry.since == timedelta(days=31)
    assert len(entry.unusual) <= 24 * 31 / 7 + 1
    assert msgspec.json.decode(ledger.storage.read(PATH) or b"")["version"] == 1


@pytest.mark.promise("status-file", "strict-decoding")
@pytest.mark.parametrize(
    "damage",
    [
        lambda status, _: status.update(generated_at="2018-05-21T00:00:00"),
        lambda status, _: status["expected_by"].update(replication="2018-05-21T00:00:00"),
        lambda _, account: account.update(since="2018-05-21T00:00:00"),
        lambda _, account: account.update(compared_until="2018-05-21T00:00:00"),
        lambda _, account: account["seals"].update(not_copied_since="2018-05-21T00:00:00"),
        lambda _, account: account["unusual"].update(yesterday={"state": "failed"}),
        lambda _, account: account.update(user_id=77),
        lambda status, _: status.update(notified={"email": {"5234": {"at": "2018-05-21T00:00:00", "open": True}}}),
    ],
)
def test_a_damaged_status_is_built_again(ledger: Ledger, damage: Callable[[Any, Any], None]) -> None:
    """A moment without a zone, a window or a key that is none: each would stop the report of all accounts."""
    ledger.run(receipt(4), now=NOW - timedelta(hours=1))
    status = msgspec.json.decode(ledger.storage.read(PATH) or b"")
    status["accounts"]["5234/jobs"]["seals"] = {"seq": 1, "sha256": "00"}
    damage(status, status["accounts"]["5234/jobs"])
    ledger.storage.write(PATH, msgspec.json.encode(status))
    with pytest.raises(PermanentError):
        read_status(ledger.storage)

    again = ledger.run(receipt(5), expected=ExpectedBy(replication=NOW))

    assert (again.generated_at, again.accounts["5234/jobs"].newest) == (NOW, hour(5))
