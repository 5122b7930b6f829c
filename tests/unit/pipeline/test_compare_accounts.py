"""A task of a reconciliation compares groups of accounts: a kill, a limit or an error of one costs no other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.samples import DAY, MemorySource, account

from job_history.accounts.account import Account
from job_history.errors import TransientError
from job_history.ledger.open_windows import OpenWindows
from job_history.model.window import Window
from job_history.pipeline import compare_accounts
from job_history.pipeline.compare_accounts import MAX_SECONDS, CompareAccounts, left_over
from job_history.pipeline.comparison_files import AccountToCompare, Comparison, ComparisonFiles, Progress
from job_history.pipeline.share_out_comparisons import share_out
from job_history.reconciliation.compare import Comparing
from job_history.storage import Storage, local_storage

HOURS = Window(DAY, DAY + timedelta(hours=2))
LONGER = Window(DAY - timedelta(hours=4), HOURS.end)
TODAY = date(2018, 5, 22)


class KilledError(BaseException):
    """The end of the process, as an exception that nothing catches."""


class Task:
    """A try of a task over accounts 1 to `number`, four in a group."""

    def __init__(self, storage: Storage, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compare_accounts, "ACCOUNTS_A_GROUP", 4)
        self.storage = storage
        self.accounts = [account(user_id=user_id, name=f"A{user_id}") for user_id in range(1, number + 1)]
        self.files = ComparisonFiles(storage, "run")
        self.comparison = Comparison(1, HOURS, [AccountToCompare(each.user_id, each.name) for each in self.accounts])
        self.files.save_all(HOURS, [self.comparison])
        self.asked: list[int] = []
        self.on_asked: Callable[[int], Any] = lambda _: None
        self.now = 0.0

    def source_of(self, account: Account, _kind: Any) -> Any:
        self.asked.append(account.user_id)
        self.on_asked(account.user_id)
        return MemorySource()

    def run(self) -> Progress:
        self.asked.clear()
        compare = CompareAccounts(
            files=self.files,
            comparing_of=lambda destination: Comparing(
                destination=destination,
                hours=HOURS,
                ledger=self.storage,
                source_of=self.source_of,
                bucket_of=None,
                marks=OpenWindows(self.storage),
                own_hours=self.comparison.own_hours,
            ),
            clock=lambda: self.now,
        )
        return compare.run(self.comparison, self.accounts)

    def left_over(self) -> dict[int, str]:
        progress = self.files.progress(1)
        return {each.user_id: reason for each, reason in left_over(self.comparison, progress, self.accounts)}


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    return Task(local_storage(tmp_path), 10, monkeypatch)


def users(progress: Progress) -> list[int]:
    return [status.user_id for found in progress.found.values() for status in found.accounts]


def test_accounts_are_compared_in_the_order_of_the_task_each_once(task: Task) -> None:
    progress = task.run()

    assert users(progress) == progress.done == list(range(1, 11))
    assert {status.compared_until for status in progress.found["s3"].accounts} == {HOURS.end}
    assert task.left_over() == {}


@pytest.mark.promise("reconciliation-in-convoys")
def test_a_killed_comparison_goes_on_and_meets_the_accounts_that_killed_it_last(task: Task) -> None:
    def kill(user_id: int) -> None:
        if user_id == 6:
            raise KilledError

    task.on_asked = kill
    with pytest.raises(KilledError):
        task.run()
    assert {*task.left_over()} == set(range(5, 11))

    with pytest.raises(KilledError):
        task.run()
    in_order = [*dict.fromkeys(task.asked)]
    assert ({*in_order[:2]}, in_order[-1]) == ({9, 10}, 6)
    assert {*task.left_over()} == {*range(5, 9)} - {*in_order[2:-1]}
    assert all("see its log" in reason.lower() for reason in task.left_over().values())

    task.on_asked = lambda _: None
    assert sorted(users(task.run())) == list(range(1, 11))
    assert task.left_over() == {}


@pytest.mark.promise("fair-time-limits")
def test_each_day_another_account_of_those_that_a_task_was_killed_with_is_the_first(task: Task) -> None:
    """Some of them take all the time of a task each day, and were compared longest ago."""
    firsts = set()
    for day in range(7):
        task.comparison = msgspec.structs.replace(
            task.comparison, hours=Window(HOURS.start, HOURS.end + timedelta(days=day))
        )
        task.files.save_progress(1, Progress(begun=[1, 2, 3, 4]))
        task.run()
        firsts.add(next(user_id for user_id in task.asked if user_id < 5))
    assert len(firsts) > 2


@pytest.mark.promise("reconciliation-in-convoys")
def test_what_the_time_limit_leaves_out_is_named_and_comes_first_the_next_day(task: Task) -> None:
    def slow(_user_id: int) -> None:
        task.now += MAX_SECONDS / 3

    task.on_asked = slow
    progress = task.run()

    assert {*task.left_over()} == {5, 6, 7, 8, 9, 10}
    assert all("limit of 20 minutes" in reason for reason in task.left_over().values())
    done = {each.user_id for each in progress.found["s3"].accounts if each.compared_until}
    behind = {each.user_id: LONGER for each in task.accounts if each.user_id not in done}
    [tomorrow] = share_out(HOURS, task.accounts, behind=behind, day=TODAY, at_most=500, tasks=10)
    assert {each.user_id for each in tomorrow.accounts[:6]} == {5, 6, 7, 8, 9, 10}


def test_a_comparison_that_is_cleared_compares_all_again(task: Task) -> None:
    task.run()

    assert users(task.run()) == list(range(1, 11))
    assert {*task.asked} == set(range(1, 11))


def test_an_account_that_cannot_be_compared_has_no_new_moment(task: Task) -> None:
    def refuse(user_id: int) -> None:
        if user_id == 3:
            raise TransientError("The database is away.")

    task.on_asked = refuse
    found = task.run().found["s3"]

    assert [each.user_id for each in found.accounts if each.compared_until is None] == [3]
    assert found.not_compared == {"3/jobs"}


# Sharing out


def test_accounts_of_one_source_and_bucket_share_a_task() -> None:
    sources = [{"type": "sql", "conn_id": f"store_{number % 2}"} for number in range(6)]
    accounts = [account(user_id=number, name="A", source=source) for number, source in enumerate(sources, start=1)]

    first, second = share_out(HOURS, accounts, behind={}, day=TODAY, at_most=3, tasks=10)

    assert [sorted(each.user_id for each in comparison.accounts) for comparison in (first, second)] == [
        [1, 3, 5],
        [2, 4, 6],
    ]
    assert first.label.endswith(" +2")


@pytest.mark.promise("reconciliation-in-convoys")
def test_no_account_is_without_a_task_however_few_tasks_airflow_maps() -> None:
    accounts = [account(user_id=number, name="A") for number in range(1, 101)]

    comparisons = share_out(HOURS, accounts, behind={}, day=TODAY, at_most=10, tasks=3)

    assert len(comparisons) == 3
    assert sorted(each.user_id for every in comparisons for each in every.accounts) == list(range(1, 101))


def test_each_day_another_account_is_the_first() -> None:
    accounts = [account(user_id=number, name="A") for number in range(1, 6)]
    days = [TODAY + timedelta(days=number) for number in range(30)]

    firsts = {
        share_out(HOURS, accounts, behind={}, day=day, at_most=10, tasks=3)[0].accounts[0].user_id for day in days
    }

    assert firsts == {1, 2, 3, 4, 5}


def test_accounts_that_were_compared_longest_ago_come_first() -> None:
    accounts = [account(user_id=number, name="A") for number in range(1, 6)]
    behind = {4: Window(DAY - timedelta(days=9), HOURS.end), 3: LONGER, 1: Window(DAY - timedelta(hours=1), HOURS.end)}

    [comparison] = share_out(HOURS, accounts, behind=behind, day=TODAY, at_most=10, tasks=3)

    order = [each.user_id for each in comparison.accounts]
    assert order[:3] == [4, 3, 1]
    assert {*order[3:]} == {2, 5}


@pytest.mark.promise("looked-back-further")
def test_an_account_with_a_longer_look_back_is_compared_over_it_and_counts_as_several(task: Task) -> None:
    assert [len(list(each.hours())) for each in (HOURS, LONGER)] == [2, 6]
    [task.comparison] = share_out(HOURS, task.accounts, behind={7: LONGER}, day=TODAY, at_most=500, tasks=10)
    groups = []
    save = task.files.save_progress
    task.files.save_progress = lambda number, progress: (groups.append([*progress.begun]), save(number, progress))[1]

    found = task.run().found["s3"]

    assert {(each.user_id, each.window) for each in found.windows} == {
        (user_id, hour) for user_id in range(1, 11) for hour in (LONGER if user_id == 7 else HOURS).hours()
    }
    assert [len(group) for group in groups if group] == [2, 4, 4]
    assert groups[0][0] == 7
