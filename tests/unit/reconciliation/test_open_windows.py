"""Open windows: the reconciliation runs them however old they are, and is red while an active account has one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import DAY, MemorySource, account, entry, receipt_of, record

from job_history.accounts.variable import read_accounts
from job_history.errors import PermanentError, TransientError
from job_history.ledger.open_windows import OpenWindow, OpenWindows
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_store import add_revision
from job_history.ledger.reconciled import MAX_LOOK_BACK, Reconciled, note_reconciled, read_reconciled
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.reconciliation.compare import Comparing
from job_history.reconciliation.findings import Findings
from job_history.reconciliation.note_finished import note_finished
from job_history.reconciliation.open_problems import open_problems
from job_history.reconciliation.resting import resting_windows
from job_history.reconciliation.windows_to_run import Choice, choose_windows, in_turn
from job_history.storage import Storage, local_storage

LOOK_BACK = Window(DAY, DAY + timedelta(hours=2))


def hour(number: int) -> Window:
    return Window(DAY + timedelta(hours=number), DAY + timedelta(hours=number + 1))


OLD, OLDER = hour(-30 * 24), hour(-31 * 24)


def mark(window: Window, user_id: int = 5234) -> OpenWindow:
    return OpenWindow(user_id, EventKind.JOBS, window)


class Ledger:
    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.source = MemorySource()

    def receipt(self, window: Window, state: WindowState, user_id: int = 5234) -> Receipt:
        receipt = receipt_of(
            state,
            user_id=user_id,
            window=window,
            runs=[RunEntry(f"run-{state}", "2018-05-21T04:00:00Z", state, Counts(), [])],
        )
        marks = OpenWindows(self.storage)
        marks.before(receipt)
        marks.after(add_revision(self.storage, receipt))
        return receipt

    def reconcile(self, *users: int, **choice: Any) -> Findings:
        options = {"limit": 100, "day": DAY.date(), "hourly_runs": lambda _: set(), **choice}
        marks = OpenWindows(self.storage)
        comparing = Comparing(
            destination="s3",
            hours=LOOK_BACK,
            ledger=self.storage,
            source_of=lambda _account, _kind: self.source,
            bucket_of=None,
            marks=marks,
        )
        findings = comparing.compare([account(user_id) for user_id in users or [5234]])
        choose_windows(findings, marks, self.storage, Choice(**options))
        return findings

    @property
    def marks(self) -> set[OpenWindow]:
        return OpenWindows(self.storage).windows


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(local_storage(tmp_path))


@pytest.mark.promise("open-windows")
def test_a_window_that_failed_30_days_ago_is_run(ledger: Ledger) -> None:
    ledger.receipt(OLD, WindowState.FAILED)

    findings = ledger.reconcile()

    assert findings.to_run() == {mark(OLD), mark(hour(0)), mark(hour(1))}
    assert mark(OLD) in ledger.marks


@pytest.mark.promise("open-windows")
def test_hours_of_the_look_back_without_a_receipt_are_marked_also_if_the_source_is_away(ledger: Ledger) -> None:
    ledger.source.fault = TransientError("The database is away.")
    ledger.receipt(hour(0), WindowState.COMPLETE)
    ledger.receipt(OLD, WindowState.FAILED)

    findings = ledger.reconcile()

    assert ledger.marks == {mark(hour(1)), mark(OLD)}
    assert (len(findings.faults), findings.to_run()) == (1, set())


@pytest.mark.promise("open-windows")
@pytest.mark.parametrize("settles", ["a report", "a reconciliation"])
def test_a_window_that_fails_while_another_process_deletes_its_mark_is_marked_again(
    ledger: Ledger, settles: str
) -> None:
    """The failing report saw the mark in its listing, so it creates none before its revision."""
    unrecoverable = ledger.receipt(hour(0), WindowState.UNRECOVERABLE)
    marks = OpenWindows(ledger.storage)
    marks.mark([mark(hour(0))])
    other = OpenWindows(ledger.storage)
    failed = receipt_of(
        WindowState.FAILED,
        window=hour(0),
        runs=[RunEntry("b", "2018-05-21T05:00:00Z", WindowState.FAILED, Counts(), [])],
    )
    other.before(failed)
    other.after(add_revision(ledger.storage, failed))

    if settles == "a report":
        marks.after(unrecoverable)
    else:
        marks.settle([unrecoverable])

    assert mark(hour(0)) in ledger.marks


@pytest.mark.promise("strict-decoding")
def test_a_file_in_place_of_the_folder_of_marks_is_a_problem_and_stops_only_windows_that_fail(ledger: Ledger) -> None:
    ledger.storage.write("_control/open", b"")

    findings = ledger.reconcile(5234)
    assert findings.not_compared == {"5234/jobs"}
    [problem] = OpenWindows(ledger.storage).unreadable_problems()
    assert "move it elsewhere" in problem
    assert "_control/open" in problem
    assert ledger.receipt(hour(1), WindowState.COMPLETE).state is WindowState.COMPLETE
    with pytest.raises(PermanentError, match="move it elsewhere"):
        ledger.receipt(hour(0), WindowState.FAILED)


def test_a_file_in_place_of_an_accounts_folder_of_marks_stops_that_account_alone(ledger: Ledger) -> None:
    ledger.storage.write("_control/open/77", b"")

    findings = ledger.reconcile(5234, 77)

    assert findings.not_compared == {"77/jobs"}
    assert OpenWindows(ledger.storage).unreadable == ["_control/open/77"]
    assert ledger.marks == {mark(hour(0)), mark(hour(1))}


def test_a_failed_window_of_an_earlier_release_is_marked(ledger: Ledger) -> None:
    ledger.receipt(hour(0), WindowState.FAILED)
    OpenWindows(ledger.storage).remove([mark(hour(0))])

    ledger.reconcile()

    assert mark(hour(0)) in ledger.marks


@pytest.mark.promise("open-windows")
@pytest.mark.parametrize("window", [hour(0), OLD])
@pytest.mark.parametrize("state", [WindowState.COMPLETE, WindowState.UNRECOVERABLE])
def test_the_mark_of_a_window_that_needs_no_run_is_deleted(ledger: Ledger, window: Window, state: WindowState) -> None:
    ledger.receipt(window, state)
    OpenWindows(ledger.storage).mark([mark(window)])

    findings = ledger.reconcile()

    assert mark(window) not in findings.to_run() | ledger.marks


def test_a_run_by_hand_for_a_window_runs_no_other(ledger: Ledger) -> None:
    ledger.receipt(OLD, WindowState.FAILED)

    assert ledger.reconcile(whole_record=False).to_run() == {mark(hour(0)), mark(hour(1))}


@pytest.mark.promise("open-windows")
def test_each_account_gets_its_oldest_window_before_another_gets_a_second(
    ledger: Ledger, check_message: CheckMessage
) -> None:
    for number in range(6):
        ledger.receipt(hour(number - 48), WindowState.FAILED)
    ledger.receipt(OLDER, WindowState.FAILED, 77)
    ledger.receipt(OLD, WindowState.FAILED, 88)

    findings = ledger.reconcile(5234, 77, 88, limit=4)

    assert Counter(window.user_id for window in findings.to_run()) in (
        Counter({5234: 2, 77: 1, 88: 1}),
        Counter({5234: 1, 77: 2, 88: 1}),
        Counter({5234: 1, 77: 1, 88: 2}),
    )
    assert {mark(hour(-48)), mark(OLDER, 77), mark(OLD, 88)} <= findings.to_run()
    findings.looks_back = True
    run = [ledger.receipt(each.window, WindowState.COMPLETE, each.user_id) for each in findings.to_run()]
    problems = open_problems([findings], run, OpenWindows(ledger.storage))
    assert {problem.split()[1] for problem in problems} == {"5234", "77", "88"}
    check_message(next(problem for problem in problems if problem.startswith("Account 5234")))


windows = st.sets(st.builds(mark, st.integers(0, 5).map(hour), st.sampled_from([1, 2, 3, 10**20])))


@given(windows, st.dates())
def test_windows_are_run_in_turn(of: set[OpenWindow], day: date) -> None:
    order = in_turn(of, day)

    assert sorted(order) == sorted(of)
    before: Counter[int] = Counter()
    total = Counter(window.user_id for window in of)
    for window in order:
        assert all(before[window.user_id] <= before[other] or before[other] == total[other] for other in total)
        before[window.user_id] += 1
    for user_id in total:
        assert [each.window for each in order if each.user_id == user_id] == sorted(
            each.window for each in of if each.user_id == user_id
        )


def test_another_account_is_first_on_another_day() -> None:
    of = {mark(OLD, user_id) for user_id in range(1, 9)}

    assert len({in_turn(of, DAY.date() + timedelta(days=number))[0].user_id for number in range(20)}) > 3


@pytest.mark.promise("hourly-runs-first")
def test_an_open_hour_is_left_to_the_hourly_run_that_does_it_and_named(ledger: Ledger) -> None:
    asked: list[set[Window]] = []

    def hourly_runs(hours: set[Window]) -> set[Window]:
        asked.append(hours)
        return {hour(1)}

    findings = ledger.reconcile(hourly_runs=hourly_runs)
    findings.looks_back = True

    assert asked == [{hour(0), hour(1)}]
    assert findings.to_run() == {mark(hour(0))}
    [problem] = open_problems([findings], [ledger.receipt(hour(0), WindowState.COMPLETE)], OpenWindows(ledger.storage))
    assert "1 are left to the hourly runs" in problem
    ledger.receipt(hour(1), WindowState.COMPLETE)
    assert open_problems([findings], [], OpenWindows(ledger.storage)) == []


def test_a_window_that_lacks_jobs_and_got_no_room_is_named(ledger: Ledger) -> None:
    ledger.receipt(hour(0), WindowState.COMPLETE)
    ledger.receipt(hour(1), WindowState.COMPLETE)
    ledger.source.records = [record(completed_at="2018-05-21T00:30:00Z"), record(completed_at="2018-05-21T01:30:00Z")]

    findings = ledger.reconcile(limit=1)

    assert findings.to_run() == {mark(hour(0))}
    [problem] = open_problems([findings], [], OpenWindows(ledger.storage))
    assert problem.startswith("Account 5234 Acme: 1 windows lack jobs")


@pytest.mark.promise("open-windows")
def test_paused_and_removed_accounts_are_named_and_are_no_problem(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {**entry(99, "Bad"), "events": {}}
    accounts = read_accounts(json.dumps([entry(), entry(77, "Umbrella", enabled=False), bad]))
    marks = OpenWindows(ledger.storage)
    admin_events = OpenWindow(5234, EventKind.ADMIN_EVENTS, OLD)
    marks.mark([mark(OLD), mark(OLD, 77), mark(OLDER, 77), mark(OLD, 88), mark(OLD, 99), admin_events])

    resting = resting_windows(accounts, marks)

    assert sorted(resting.values()) == [1, 1, 2]
    assert {text.split()[1].rstrip(",") for text in resting} == {"77", "88", "5234"}
    ledger.receipt(hour(0), WindowState.COMPLETE)
    ledger.receipt(hour(1), WindowState.COMPLETE)
    findings = ledger.reconcile()
    findings.looks_back, findings.resting = True, resting
    run = [ledger.receipt(OLD, WindowState.COMPLETE)]
    assert open_problems([findings], run, OpenWindows(ledger.storage)) == []
    assert "account 77 Umbrella, paused, has 2 open windows" in caplog.text
    assert OpenWindows(ledger.storage).windows == marks.windows - {mark(OLD)}


def test_a_damaged_receipt_of_an_old_window_stops_its_account_alone(ledger: Ledger) -> None:
    ledger.receipt(OLD, WindowState.FAILED)
    ledger.receipt(OLD, WindowState.FAILED, 77)
    ledger.storage.write(receipt_path(77, EventKind.JOBS, OLD), b'{"read_at": "yest')

    assert mark(OLD) in ledger.reconcile(5234, 77).to_run()


def test_findings_are_read_back_from_their_file(ledger: Ledger) -> None:
    ledger.source.fault = TransientError("Away.")
    findings = ledger.reconcile()

    assert msgspec.json.decode(msgspec.json.encode(findings), type=Findings) == findings


def finish(ledger: Ledger, until: datetime, *, behind: Iterable[int] = (), done: Iterable[int] = ()) -> None:
    note_reconciled(ledger.storage, until - timedelta(days=2), until, behind, {*done})


@pytest.mark.promise("looked-back-further")
def test_an_account_that_could_not_be_compared_stays_behind_until_it_is(ledger: Ledger) -> None:
    day = timedelta(days=1)
    finish(ledger, DAY, done=[1, 2, 3])
    finish(ledger, DAY + day, behind=[1], done=[2, 3])
    finish(ledger, DAY + 2 * day, behind=[1, 2], done=[3])
    finish(ledger, DAY + 3 * day, done=[2, 3])  # 1 is paused

    assert read_reconciled(ledger.storage) == Reconciled(DAY + 3 * day, {1: DAY})
    finish(ledger, DAY + 40 * day, behind=[1], done=[2])
    assert read_reconciled(ledger.storage) == Reconciled(DAY + 40 * day, {1: DAY + 40 * day - MAX_LOOK_BACK})
    finish(ledger, DAY + 41 * day, done=[1])
    assert read_reconciled(ledger.storage) == Reconciled(DAY + 41 * day)


@pytest.mark.promise("looked-back-further")
def test_accounts_whose_source_or_entry_cannot_be_used_are_behind(ledger: Ledger) -> None:
    ledger.source.fault = TransientError("Away.")
    findings = ledger.reconcile(5234)
    findings.add(ledger.reconcile(77))
    assert findings.behind == {5234, 77}
    bad = {**entry(99, "Bad"), "events": {}}
    without_id, too_long = {**bad, "user_id": None}, {**bad, "user_id": "9" * 5_000}
    twice = [entry(77, "One"), entry(77, "Another")]
    accounts = read_accounts(json.dumps([entry(), bad, without_id, too_long, *twice]))
    assert ({*accounts.usable}, accounts.unusable_ids) == ({5234}, {77, 99})

    note_finished(ledger.storage, [findings])

    last = read_reconciled(ledger.storage)
    assert last == Reconciled(LOOK_BACK.end, {5234: LOOK_BACK.start, 77: LOOK_BACK.start})


def test_an_account_that_the_first_reconciliation_could_not_compare_is_looked_back_for_from_its_start(
    ledger: Ledger,
) -> None:
    finish(ledger, DAY, behind=[1])

    assert read_reconciled(ledger.storage) == Reconciled(DAY, {1: DAY - timedelta(days=2)})


@pytest.mark.promise("strict-decoding")
def test_a_damaged_moment_or_a_file_in_place_of_the_folder_stops_nothing_and_skips_nothing(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    finish(ledger, hour(1).end, behind=[1])
    finish(ledger, hour(9).end)
    newest = max(ledger.storage.paths("_control/reconciled"))
    ledger.storage.write(newest, b'{"behind": {"1": "yesterday"}}')

    last = read_reconciled(ledger.storage)
    assert last is not None
    assert (last.until, [*last.behind]) == (hour(1).end, [1])
    assert newest in caplog.text

    ledger.storage.delete_below("_control/reconciled")
    (Path(ledger.storage.root.removeprefix("file://")) / "_control/reconciled").rmdir()
    ledger.storage.write("_control/reconciled", b"")
    assert read_reconciled(ledger.storage) is None
    finish(ledger, hour(9).end)
    assert "move it elsewhere" in caplog.text


def test_the_newest_finished_reconciliation_is_remembered(ledger: Ledger) -> None:
    assert read_reconciled(ledger.storage) is None
    for moment in (hour(1).end, hour(9).end, hour(4).end):
        finish(ledger, moment)
    ledger.storage.write("_control/reconciled/notes", b"")

    assert read_reconciled(ledger.storage) == Reconciled(hour(9).end)
    assert len(list(ledger.storage.paths("_control/reconciled"))) == 4


@pytest.mark.promise("open-windows-run")
def test_a_moment_of_the_future_does_not_shorten_the_look_back(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    future = datetime.now(UTC) + timedelta(days=1)
    for moment in (hour(0).end, hour(1).end, future):
        finish(ledger, moment)

    assert read_reconciled(ledger.storage) == Reconciled(hour(1).end)
    assert "a clock is wrong" in caplog.text
    finish(ledger, hour(2).end)
    assert len(list(ledger.storage.paths("_control/reconciled"))) == 2
