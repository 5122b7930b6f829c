"""First thing in a run: whose slices are held back, who is not asked again, and what the report makes of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.samples import DAY, RUN, MemorySource, account, record

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.errors.finding import Finding
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.pipeline.plan import plan
from job_history.pipeline.report import report
from job_history.pipeline.results import Plan
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.time_of_plan import IDLE_PREFLIGHT_SECONDS, PREFLIGHT_SECONDS
from job_history.preflight.blocking import block_failing_accounts
from job_history.preflight.check import CHECKS_AT_ONCE, Check
from job_history.preflight.notes import PreflightNotes
from job_history.storage import Storage, local_storage

NOW = datetime(2018, 5, 21, 2, 15, tzinfo=UTC)
TWO_HOURS = Window(DAY, DAY.replace(hour=2))
ACME, GLOBEX, INITECH = account(), account(5235, "Globex"), account(5236, "Initech")
NO_BUCKET = finding(Code.S3_NO_SUCH_BUCKET, "Account 5234 Acme, bucket acme-audit", detail="404")
BUSY = finding(Code.S3_BUSY, "Account 5234 Acme, bucket acme-audit", detail="503")
CLOCK = finding(Code.S3_CLOCK_OFF, "Account 5234 Acme, bucket acme-audit", seconds=600, direction="behind")


def planned(*accounts: Account, without_jobs: tuple[Account, ...] = (INITECH,)) -> Plan:
    """One job in the first of two hours, for each account that has any."""
    return plan(
        run=RUN,
        window=TWO_HOURS,
        accounts=Accounts({each.user_id: each for each in accounts}),
        chosen=[],
        destination="s3",
        source_of=lambda account, _: MemorySource([] if account in without_jobs else [record(user_id=account.user_id)]),
        max_jobs_per_slice=10,
    )


def idle(*accounts: Account) -> Plan:
    return planned(*accounts, without_jobs=accounts)


class Checks:
    """Returns the findings that it is given, and remembers whose destination it was asked for."""

    def __init__(self, **found: list[Finding] | Exception) -> None:
        self.found = {int(user_id.removeprefix("of_")): result for user_id, result in found.items()}
        self.asked: list[int] = []

    def of(self, account: Account) -> Check:
        self.asked.append(account.user_id)

        def check() -> list[Finding]:
            result = self.found.get(account.user_id, [])
            if isinstance(result, Exception):
                raise result
            return result

        return check


@pytest.fixture
def passed(tmp_path: Path) -> PreflightNotes:
    return PreflightNotes(local_storage(tmp_path / "ledger"))


def run(
    plan_: Plan, checks: Checks, passed: PreflightNotes, *accounts: Account
) -> list[tuple[int, int, list[Finding]]]:
    """Hold back, and return of each window its account, how many slices are left, and what holds it back."""
    block_failing_accounts(plan_, {each.user_id: each for each in accounts}, check_of=checks.of, passed=passed, now=NOW)
    return [(window.user_id, len(window.slices), window.blocked_by) for window in plan_.windows]


def test_error_finding_blocks_that_account_alone(passed: PreflightNotes) -> None:
    checks = Checks(of_5234=[CLOCK, NO_BUCKET])

    assert run(planned(ACME, GLOBEX), checks, passed, ACME, GLOBEX) == [
        (5234, 0, [NO_BUCKET]),
        (5234, 0, []),  # the hour without jobs had nothing to hold back
        (5235, 1, []),
        (5235, 0, []),
    ]
    assert passed.not_passed([ACME, GLOBEX]) == [ACME]


@pytest.mark.promise("preflight-idle")
def test_a_destination_that_never_passed_is_checked_in_hours_without_jobs(passed: PreflightNotes) -> None:
    checks, plan_ = Checks(of_5236=[CLOCK, NO_BUCKET]), planned(ACME, INITECH)

    windows = run(plan_, checks, passed, ACME, INITECH)

    assert checks.asked == [5234, 5236]
    assert windows[2:] == [(5236, 0, []), (5236, 0, [])]
    assert plan_.destination_problems == [f"preflight of account 5236 Initech: {NO_BUCKET}"]
    assert passed.not_passed([ACME, INITECH]) == [INITECH]


@pytest.mark.promise("preflight-idle")
@pytest.mark.parametrize("found", [NO_BUCKET, BUSY])
def test_in_hours_without_jobs_a_failed_destination_is_checked_once_a_day(
    passed: PreflightNotes, found: Finding
) -> None:
    asked = []
    for hours in range(50):
        checks = Checks(of_5236=[found])
        block_failing_accounts(
            planned(INITECH),
            {5236: INITECH},
            check_of=checks.of,
            passed=passed,
            now=NOW + timedelta(hours=hours),
        )
        asked += [hours for _ in checks.asked]
    assert asked == [0, 24, 48]


@pytest.mark.promise("preflight-idle")
def test_a_run_that_is_cleared_is_not_green_while_its_destination_still_fails(passed: PreflightNotes) -> None:
    for again in (False, True):
        plan_, checks = planned(INITECH), Checks(of_5236=[NO_BUCKET])
        block_failing_accounts(
            plan_, {5236: INITECH}, check_of=checks.of, passed=passed, now=NOW + timedelta(hours=again), again=again
        )
        assert plan_.destination_problems == [f"preflight of account 5236 Initech: {NO_BUCKET}"]


def test_a_failed_destination_that_was_corrected_is_checked_at_once_and_then_no_more(passed: PreflightNotes) -> None:
    corrected = account(5236, "Initech", destination={"type": "s3", "conn_id": "acme_s3", "bucket": "right"})
    asked = []
    for one, found in [(INITECH, [NO_BUCKET]), (INITECH, []), (corrected, []), (corrected, [NO_BUCKET])]:
        checks = Checks(of_5236=found)
        run(idle(one), checks, passed, one)
        asked.append(len(checks.asked))
    assert asked == [1, 0, 1, 0]


def test_of_idle_accounts_the_never_checked_come_first_and_then_the_oldest_failure(passed: PreflightNotes) -> None:
    accounts = [account(number, "Idle") for number in (1, 2, 3)]
    for number, days in ((1, 2), (2, 3)):
        passed.note_failed(accounts[number - 1], [NO_BUCKET], NOW - timedelta(days=days))
    assert [each.user_id for each in passed.due(accounts, NOW)] == [3, 2, 1]


def test_idle_accounts_that_no_time_is_left_for_are_first_in_the_next_run(passed: PreflightNotes) -> None:
    accounts = [account(number, "Idle") for number in range(1, 4)]
    by_id = {each.user_id: each for each in accounts}
    times = iter([0.0, 1.0, IDLE_PREFLIGHT_SECONDS + 1, IDLE_PREFLIGHT_SECONDS + 2, 99.0])
    checks = Checks(of_1=[NO_BUCKET], of_2=[NO_BUCKET], of_3=[NO_BUCKET])

    plan_ = idle(*accounts)
    block_failing_accounts(plan_, by_id, check_of=checks.of, passed=passed, now=NOW, clock=lambda: next(times))

    assert len(plan_.destination_problems) == 1
    assert len(passed.due(accounts, NOW)) == 2


def test_what_may_pass_holds_nothing_back_and_is_not_taken_for_passed(
    passed: PreflightNotes, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(planned(ACME), Checks(of_5234=[BUSY]), passed, ACME) == [(5234, 1, []), (5234, 0, [])]
    assert passed.not_passed([ACME]) == [ACME]
    assert ("WARNING", f"Preflight of account 5234 Acme: {BUSY}") in [
        (record.levelname, record.getMessage()) for record in caplog.records
    ]


def test_warning_is_logged_once_and_blocks_nothing(passed: PreflightNotes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        assert run(planned(ACME), Checks(of_5234=[CLOCK]), passed, ACME) == [(5234, 1, []), (5234, 0, [])]

    assert [message for message in caplog.messages if "S3_CLOCK_OFF" in message] == [
        f"Preflight of account 5234 Acme: {CLOCK}"
    ]


def test_who_passed_is_asked_again_with_other_settings_or_once_it_is_forgotten(passed: PreflightNotes) -> None:
    checks = Checks()
    changed = account(name="Acme Inc.")

    run(planned(ACME), checks, passed, ACME)
    run(planned(ACME), checks, passed, ACME)
    assert checks.asked == [5234]
    run(planned(changed), checks, passed, changed)
    assert checks.asked == [5234, 5234]
    passed.forget_passed(ACME)
    run(planned(ACME), checks, passed, ACME)
    assert checks.asked == [5234, 5234, 5234]


@pytest.mark.promise("preflight-blocks")
@pytest.mark.parametrize(
    ("fault", "code", "slices"),
    [
        (PermanentError("There is no Airflow connection 'nowhere'."), Code.CONNECTION_UNUSABLE, 0),
        (TransientError("Away."), Code.CHECK_BROKE, 1),
        (ZeroDivisionError("a bug"), Code.CHECK_BROKE, 1),
    ],
)
def test_a_check_that_breaks_stops_no_other(
    passed: PreflightNotes, caplog: pytest.LogCaptureFixture, fault: Exception, code: Code, slices: int
) -> None:
    left = run(planned(ACME, GLOBEX), Checks(of_5234=fault), passed, ACME, GLOBEX)

    assert [(user_id, count) for user_id, count, _ in left] == [(5234, slices), (5234, 0), (5235, 1), (5235, 0)]
    assert f"Preflight of account 5234 Acme: {code}: Account 5234 Acme: " in caplog.text


def test_accounts_that_no_time_is_left_for_go_on_unchecked(passed: PreflightNotes) -> None:
    times = iter([0.0, 1.0, PREFLIGHT_SECONDS + 1, PREFLIGHT_SECONDS + 2])
    plan_, checks = planned(ACME, GLOBEX), Checks(of_5234=[NO_BUCKET], of_5235=[NO_BUCKET])

    block_failing_accounts(
        plan_,
        {5234: ACME, 5235: GLOBEX},
        check_of=checks.of,
        passed=passed,
        now=NOW,
        clock=lambda: next(times),
    )

    assert sorted(len(window.slices) for window in plan_.windows) == [0, 0, 0, 1]
    assert passed.not_passed([ACME, GLOBEX]) == [ACME, GLOBEX]


@pytest.mark.promise("fair-time-limits")
def test_within_a_day_the_time_limit_leaves_no_account_unchecked(
    passed: PreflightNotes, caplog: pytest.LogCaptureFixture
) -> None:
    """Endpoints do not answer, and time is left for four of twelve accounts; the log names the others."""
    accounts = [account(number) for number in range(1, 13)]
    seen: set[int] = set()
    for hour in Window(DAY, DAY + timedelta(hours=24)).hours():
        checks = Checks(**{f"of_{number}": [BUSY] for number in range(1, 13)})
        plan_ = plan(
            run=RUN,
            window=hour,
            accounts=Accounts({each.user_id: each for each in accounts}),
            chosen=[],
            destination="s3",
            source_of=lambda account, _: MemorySource(
                [record(user_id=account.user_id, completed_at=format_time(hour.start))]  # noqa: B023
            ),
            max_jobs_per_slice=10,
        )
        block_failing_accounts(
            plan_,
            {each.user_id: each for each in accounts},
            check_of=checks.of,
            passed=passed,
            now=NOW,
            clock=lambda: len(checks.asked) * (PREFLIGHT_SECONDS / 3.5),  # noqa: B023
        )
        assert len(checks.asked) == 4
        left = ", ".join(str(number) for number in range(1, 13) if number not in checks.asked)
        assert f"8 accounts were not checked, because other checks took too long: {left}." in caplog.text
        seen |= set(checks.asked)
    assert seen == set(range(1, 13))


def test_few_more_connections_are_looked_up_than_checks_are_under_way(passed: PreflightNotes) -> None:
    """A connection has memory; a first plan checks as many as there are accounts."""
    accounts = [account(number) for number in range(1, 1_001)]
    looked_up = ended = most = 0

    def check_of(_: Account) -> Check:
        nonlocal looked_up, most
        looked_up += 1
        most = max(most, looked_up - ended)
        return check

    def check() -> list[Finding]:
        nonlocal ended
        time.sleep(0.002)
        ended += 1
        return []

    block_failing_accounts(
        planned(*accounts), {each.user_id: each for each in accounts}, check_of=check_of, passed=passed, now=NOW
    )

    assert looked_up == 1_000
    assert most <= 3 * CHECKS_AT_ONCE


def test_the_notes_of_a_plan_are_listed_once_whatever_the_number_of_accounts(tmp_path: Path) -> None:
    listed: list[str] = []

    class Counting(Storage):
        def paths(self, below: str) -> Iterator[str]:
            listed.append(below)
            return super().paths(below)

    ledger = local_storage(tmp_path / "ledger")
    notes = PreflightNotes(Counting(ledger.files, ledger.root))
    accounts = [account(number) for number in range(1, 51)]
    for account_ in accounts[:20]:
        notes.note_failed(account_, [NO_BUCKET], NOW - timedelta(days=2))
    listed.clear()

    run(planned(*accounts), Checks(), notes, *accounts)

    assert len(listed) <= 2
    assert list(ledger.paths("_control/preflight_failed")) == []


def test_report_has_code_cause_and_fix_and_the_window_stays_open(passed: PreflightNotes, tmp_path: Path) -> None:
    staging, ledger = local_storage(tmp_path / "staging"), local_storage(tmp_path / "ledger")
    plan_ = planned(ACME)
    run(plan_, Checks(of_5234=[NO_BUCKET]), passed, ACME)
    RunFiles(staging, RUN).save_plan(plan_)

    with pytest.raises(PermanentError) as failed:
        report(
            run=RUN,
            destinations=["s3"],
            staging=staging,
            ledger=ledger,
            finished_at=NOW,
            code_version="1",
            quarantine_threshold=10,
        )

    reported = f"preflight of account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z): {NO_BUCKET}"
    assert str(failed.value) == f"This run failed in 1 places; what is not named here was replicated.\n- {reported}"
    states = {
        hour: (receipt.state, receipt.counts.counted, receipt.faults)
        for hour in (0, 1)
        if (
            receipt := read_receipt(
                ledger, 5234, EventKind.JOBS, Window(DAY.replace(hour=hour), DAY.replace(hour=hour + 1))
            )
        )
    }
    assert states == {0: (WindowState.FAILED, 1, [reported]), 1: (WindowState.COMPLETE, 0, [])}
