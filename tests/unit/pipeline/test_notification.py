"""What a report notifies: once per change, again after a day, and the recovery."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.samples import HOUR, receipt_of

from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.status_file import AccountStatus, Notified, Status
from job_history.model.event_kind import EventKind
from job_history.pipeline.notification import INSTALLATION, Notice, failing_after, left_by_backfills, notice_of
from job_history.pipeline.results import Plan
from job_history.pipeline.run_outcome import RunOutcome
from job_history.storage import local_storage

NOW = HOUR.end + timedelta(minutes=15)
URL = "http://airflow/status"


class World:
    """The status as one run leaves it to the next, and the failing accounts of each run."""

    def __init__(self, folder: Path) -> None:
        self.ledger = local_storage(folder)
        self.notified: dict[str, Notified] = {}
        self.left: dict[str, str] = {}

    def run(
        self,
        *failing: int,
        now: datetime = NOW,
        whole_list: bool = True,
        of: tuple[int, ...] = (),
        problems: Any = (),
        faults: Any = (),
    ) -> Notice | None:
        """End a run in which these accounts have an open window; remember what it notified."""
        accounts = [
            AccountStatus(user_id=each, name=f"A{each}", kind=EventKind.JOBS, open=1, oldest_open=HOUR)
            for each in failing
        ]
        status = Status(
            generated_at=now,
            left_by_backfills=self.left,
            accounts={each.key: each for each in accounts},
            open=len(accounts),
        )
        texts = [f"load of account {each} A{each}, window {HOUR}: No such bucket. Create it." for each in failing]
        outcome = RunOutcome(
            "run",
            [Plan("run", "s3", HOUR, [], list(faults), whole_list=whole_list)],
            [receipt(each) for each in of],
            [],
            now,
            [*texts, *problems, *faults],
            status,
        )
        failing = failing_after(outcome, status, self.ledger)
        notice = notice_of(failing, outcome, status, self.notified, now, status_url=URL)
        if notice is not None:
            self.notified = notice.notified
        return notice


def receipt(user_id: int) -> Receipt:
    return receipt_of(user_id=user_id, name="A")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.promise("notified-once")
def test_three_failing_accounts_are_one_message_with_cause_fix_and_link(world: World) -> None:
    notice = world.run(1, 2, 3)

    assert notice is not None
    message = notice.message
    assert [each.account for each in message.failing] == ["1 A1", "2 A2", "3 A3"]
    assert {(each.cause, each.fix) for each in message.failing} == {("load: No such bucket.", "Create it.")}
    assert all(text in message.text for text in ("1 A1", "2 A2", "3 A3", "Create it.", URL))
    assert "3 accounts" in message.subject


@pytest.mark.promise("notified-once")
def test_the_same_failures_are_notified_again_only_after_a_day(world: World) -> None:
    world.run(1, 2)

    assert [world.run(1, 2, now=NOW + timedelta(hours=hour)) for hour in range(1, 24)] == [None] * 23
    again = world.run(1, 2, now=NOW + timedelta(hours=24))
    assert again is not None
    assert [(each.key, each.still) for each in again.message.failing] == [("1", True), ("2", True)]


@pytest.mark.promise("notified-once")
def test_another_failing_account_is_notified_alone(world: World) -> None:
    world.run(1)

    notice = world.run(1, 2, now=NOW + timedelta(hours=1))

    assert notice is not None
    assert [each.key for each in notice.message.failing] == ["2"]


@pytest.mark.promise("notified-once")
def test_recovery_is_notified_once_when_the_last_open_window_is_closed(world: World) -> None:
    world.run(1, 2)

    assert world.run(1, 2, now=NOW + timedelta(hours=1)) is None
    first = world.run(2, now=NOW + timedelta(hours=2))
    last = world.run(now=NOW + timedelta(hours=3))
    assert first is not None
    assert last is not None
    assert (first.message.recovered, first.message.resolved) == (["1"], False)
    assert (last.message.recovered, last.message.resolved) == (["2"], True)
    assert world.run(now=NOW + timedelta(hours=4)) is None


def test_damaged_receipt_of_one_account_silences_no_notification(world: World) -> None:
    world.ledger.write(receipt_path(2, EventKind.JOBS, HOUR), b"{")
    accounts = [
        AccountStatus(user_id=each, name=f"A{each}", kind=EventKind.JOBS, open=1, oldest_open=HOUR) for each in (1, 2)
    ]
    status = Status(generated_at=NOW, accounts={each.key: each for each in accounts})

    failing = failing_after(RunOutcome("run", [], [], [], NOW, [], status), status, world.ledger)

    assert {key: (each.account, each.code) for key, each in failing.items()} == {
        "1": ("1 A1", ""),
        "2": ("2 A2", "LEDGER_FILE_DAMAGED"),
    }


def test_a_run_of_other_accounts_reports_no_recovery(world: World) -> None:
    problem = "Account 80 Bad: events is missing."
    world.run(problems=[problem])

    assert world.run(whole_list=False, of=(1,)) is None
    assert list(world.notified) == ["80"]


def test_a_plan_that_failed_is_notified_as_the_installation(world: World) -> None:
    status = Status(generated_at=NOW)
    outcome = RunOutcome("run", [], [], [], NOW, ["Destination s3: nothing was replicated: not JSON. Fix it."], status)

    notice = notice_of(failing_after(outcome, status, world.ledger), outcome, status, {}, NOW, status_url=URL)

    assert notice is not None
    assert [each.key for each in notice.message.failing] == [INSTALLATION]
    world.notified = notice.notified
    recovered = world.run(now=NOW + timedelta(hours=1))
    assert recovered is not None
    assert recovered.message.recovered == [INSTALLATION]


def test_a_recovery_is_notified_if_the_window_was_opened_after_the_first_notification(world: World) -> None:
    world.run(problems=["Account 5 A5: no such bucket. Create it."])
    remembered = world.run(5, now=NOW + timedelta(hours=1))
    recovered = world.run(now=NOW + timedelta(hours=2))

    assert remembered is not None
    assert remembered.message.failing == []
    assert recovered is not None
    assert recovered.message.recovered == ["5"]


def test_a_problem_without_an_open_window_has_no_recovery_message(world: World) -> None:
    """Too many quarantined records fail a run and close its window: the next run does not mean that they are gone."""
    world.run(problems=[f"Account 5 A5, window {HOUR.start_text}: too many are in quarantine. Correct them."])

    notice = world.run(now=NOW + timedelta(hours=1))

    assert notice is not None
    assert (notice.message.failing, notice.message.recovered, notice.notified) == ([], [], {})


@pytest.mark.promise("notified-once")
def test_an_account_whose_settings_can_be_used_again_has_recovered(world: World) -> None:
    world.run(faults=["Account 80 Bad: events is missing."])

    recovered = world.run(now=NOW + timedelta(hours=1))

    assert recovered is not None
    assert (recovered.message.recovered, recovered.message.resolved) == (["80"], True)


def test_further_problems_of_an_account_are_counted(world: World) -> None:
    notice = world.run(1, problems=["Account 1 A1: its source is away. Start it.", "Account 1 A1: and so on. Wait."])

    assert notice is not None
    assert [(each.key, each.others) for each in notice.message.failing] == [("1", 2)]
    assert "2 more problems" in notice.message.text


@pytest.mark.promise("notified-once")
def test_another_problem_of_the_installation_is_notified_while_the_first_lasts(world: World) -> None:
    first = "LEDGER_TOO_NEW: the ledger is of a newer release."
    world.run(problems=[first])

    notice = world.run(problems=[first, "CLOCK_OFF: a worker's clock is wrong."], now=NOW + timedelta(hours=1))

    assert notice is not None
    assert [each.key for each in notice.message.failing] == [f"{INSTALLATION} CLOCK_OFF"]


@pytest.mark.promise("notified-once")
def test_what_a_backfill_left_closed_and_wrong_is_notified_by_the_next_other_run(world: World) -> None:
    lost = f"extract of account 5 A5, window {HOUR}: the source no longer holds its jobs. Nothing can be done."
    outcome = RunOutcome("backfill", [], [receipt(5), receipt(6)], [], NOW, [lost], None)
    world.left = left_by_backfills(outcome, {})

    # A line of the report, whose secrets are masked, and nothing else (tests/e2e/test_canary.py searches those lines).
    assert world.left == {"5": lost}
    notice = world.run()

    assert notice is not None
    assert [each.key for each in notice.message.failing] == ["5"]
    repaired = RunOutcome("backfill", [], [receipt(5)], [], NOW, [], None)
    assert left_by_backfills(repaired, world.left) == {}


def test_open_windows_of_a_backfill_are_left_to_the_status() -> None:
    failed = receipt_of(WindowState.FAILED, user_id=5, name="A5")
    problem = f"load of account 5 A5, window {HOUR}: No such bucket. Create it."

    assert left_by_backfills(RunOutcome("backfill", [], [failed], [], NOW, [problem], None), {}) == {}
