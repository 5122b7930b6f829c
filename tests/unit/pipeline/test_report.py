"""Report: every account and window of a run is in it, and nothing that failed is green."""

import errno
import logging
import os
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import HOUR, RUN, account, outcome

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger.known_accounts import KnownAccounts, read_known_accounts
from job_history.ledger.open_windows import OpenWindows
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_history import read_history
from job_history.ledger.receipt_store import add_revision, read_receipt
from job_history.ledger.status_file import ExpectedBy, read_status
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.pipeline.close import Closing
from job_history.pipeline.closed_file import ClosedFile
from job_history.pipeline.old_runs import delete_old_runs
from job_history.pipeline.report import report
from job_history.pipeline.results import Extracted, Plan, PlannedWindow
from job_history.pipeline.run_files import Failure, RunFiles
from job_history.pipeline.run_outcome import RunOutcome
from job_history.pipeline.shared_staging import STAGED_FILES_KEPT
from job_history.pipeline.worker_clock import ClockOff
from job_history.storage import local_storage

FINISHED = datetime.now(UTC)
WINDOW = "window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z)"
LARGE = ("jobs.jsonl.zst", "documents.jsonl.zst")


class Run:
    """A run whose tasks have all ended; what each slice came to is left to the test."""

    def __init__(self, folder: Path) -> None:
        self.staging = local_storage(folder / "staging")
        self.ledger = local_storage(folder / "ledger")
        self.files = RunFiles(self.staging, RUN)

    def plan(self, *windows: PlannedWindow, faults: list[str] | None = None, destination: str = "s3") -> None:
        self.files.save_plan(Plan(RUN, destination, HOUR, list(windows), faults or []))
        for planned in windows:
            for slice_ in planned.slices:
                for name in LARGE:
                    self.staging.write(f"{slice_.folder}/{name}", b"large")

    def report(self, destinations: list[str] | None = None, **options: Any) -> Collection[Receipt]:
        return report(
            run=RUN,
            destinations=["s3"] if destinations is None else destinations,
            staging=self.staging,
            ledger=self.ledger,
            finished_at=FINISHED,
            code_version="0.1.0",
            quarantine_threshold=10,
            **options,
        )

    def failure(self, destinations: list[str] | None = None) -> str:
        with pytest.raises(PermanentError) as failed:
            self.report(destinations)
        return str(failed.value)

    def receipt(self, user_id: int) -> Receipt:
        found = read_receipt(self.ledger, user_id, EventKind.JOBS, HOUR)
        assert found is not None
        return found

    def staged(self, slice_: Slice) -> list[str]:
        return sorted(path.rpartition("/")[2] for path in self.staging.paths(slice_.folder) if path.endswith(".zst"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def window_of(one: Account, *, slices: int = 1, counted: int | None = 1) -> PlannedWindow:
    return PlannedWindow(
        user_id=one.user_id,
        name=one.name,
        window=HOUR,
        enabled=one.enabled,
        counted=counted,
        slices=[
            Slice(
                run=RUN,
                user_id=one.user_id,
                name=one.name,
                window=HOUR,
                part=HOUR,
                number=number,
                of=slices,
            )
            for number in range(1, slices + 1)
        ],
        settings_hash=one.settings_hash,
        destination={"type": "s3"},
    )


ACME, GLOBEX, IDLE, PAUSED = account(), account(77, "Globex"), account(78, "Idle"), account(79, "Paused", enabled=False)


def test_a_successful_run_writes_a_receipt_for_each_account(run: Run) -> None:
    acme = window_of(ACME, slices=2, counted=5)
    run.plan(acme, window_of(IDLE, slices=0, counted=0), window_of(PAUSED, slices=0, counted=None))
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=2, filtered={"aborted": 1}))
    run.files.save_outcome(acme.slices[1], outcome(acme.slices[1], delivered=1, already_present=1))
    receipts = run.report()
    assert [(one.user_id, str(one.state), one.counts.counted, one.counts.delivered) for one in receipts] == [
        (5234, "complete", 5, 3),
        (78, "complete", 0, 0),
        (79, "disabled", 0, 0),
    ]
    assert [run.receipt(one.user_id).counts for one in receipts] == [one.counts for one in receipts]
    assert [run.staged(slice_) for slice_ in acme.slices] == [[], []]


def test_failed_accounts_are_reported_and_the_others_are_replicated(run: Run) -> None:
    acme, globex = window_of(ACME), window_of(GLOBEX)
    run.plan(acme, globex, faults=["Account 80 Bad: events is missing."])
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=1))
    run.files.save_failure(globex.slices[0], Failure("load", "Bucket globex-audit: the store answered 403."))
    detail = f"load of account 77 Globex, {WINDOW}: Bucket globex-audit: the store answered 403."
    assert run.failure() == (
        "This run failed in 2 places; what is not named here was replicated.\n"
        "- Account 80 Bad: events is missing.\n"
        f"- {detail}"
    )
    states = [(str(run.receipt(user_id).state), run.receipt(user_id).faults) for user_id in (5234, 77)]
    assert states == [("complete", []), ("failed", [detail])]
    # The one that failed can be loaded again without asking its source.
    assert (run.staged(acme.slices[0]), run.staged(globex.slices[0])) == ([], sorted(LARGE))


@pytest.mark.promise("report-gives-reasons")
@pytest.mark.parametrize("quarantined", [0, 1])
def test_a_failed_run_claims_nothing_of_records_that_only_a_warning_names(
    run: Run, quarantined: int, caplog: pytest.LogCaptureFixture
) -> None:
    acme, globex = window_of(ACME), window_of(GLOBEX)
    run.plan(acme, globex)
    reasons = {"bad_json": quarantined} if quarantined else {}
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=1 - quarantined, quarantined=reasons))
    run.files.save_failure(globex.slices[0], Failure("load", "Bucket globex-audit: the store answered 403."))

    with caplog.at_level("INFO", "job_history.pipeline"):
        failure = run.failure()

    # The log begins with what failed; warnings come after it.
    assert "FAILED" in caplog.messages[0]
    assert any("in quarantine" in message for message in caplog.messages[1:]) is bool(quarantined)
    assert ("what is not named here was replicated" in failure) is not bool(quarantined)
    assert ("neither here nor in the warnings was" in failure) is bool(quarantined)


def test_a_slice_without_a_result_fails_the_window(run: Run, check_message: CheckMessage) -> None:
    acme = window_of(ACME, slices=2, counted=2)
    run.plan(acme)
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=1))
    failure = run.failure()

    receipt = run.receipt(5234)
    [detail] = receipt.faults
    assert (str(receipt.state), receipt.counts.delivered) == ("failed", 1)
    assert failure.splitlines()[1:] == [f"- {detail}"]
    assert detail.startswith(f"account 5234 Acme, {WINDOW}, part 2 of 2")
    check_message(detail)


@pytest.mark.promise("failures-stay")
def test_a_receipt_that_cannot_be_read_fails_its_account_and_the_others_have_theirs(run: Run) -> None:
    run.plan(window_of(ACME, slices=0, counted=0), window_of(IDLE, slices=0, counted=0))
    run.ledger.write(receipt_path(ACME.user_id, EventKind.JOBS, HOUR), b"{")
    detail = run.failure()
    assert detail.startswith("This run failed in 1 places")
    assert f"- Account 5234 Acme, {WINDOW}: its receipt could not be written: LEDGER_FILE_DAMAGED: file://" in detail
    assert run.receipt(IDLE.user_id).state == "complete"


@pytest.mark.promise("source-shrank")
def test_a_source_that_lists_less_than_half_fails_the_run_and_its_repeated_report(run: Run) -> None:
    run.plan(window_of(ACME, slices=0, counted=0), window_of(IDLE, slices=0, counted=0))
    run.report()
    [before] = read_history(run.ledger, ACME.user_id, EventKind.JOBS, HOUR)
    counts = msgspec.structs.replace(before.counts, counted=50, listed=50, delivered=50)
    run.ledger.delete_below("receipts")
    runs = [msgspec.structs.replace(before.runs[0], run="earlier", counts=counts)]
    add_revision(run.ledger, msgspec.structs.replace(before, counts=counts, runs=runs))
    for _ in range(2):
        detail = run.failure()
        assert f"- {Code.SOURCE_SHRANK}: Account 5234 Acme, {WINDOW}: " in detail
        assert "Idle" not in detail
    assert len(read_history(run.ledger, ACME.user_id, EventKind.JOBS, HOUR)) == 2
    assert [str(receipt.state) for receipt in run.report(accept_fewer=True)] == ["complete", "complete"]


def test_conflicts_close_the_window_and_fail_the_run(run: Run, check_message: CheckMessage) -> None:
    acme = window_of(ACME, counted=3)
    run.plan(acme)
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=1, conflicts=2))
    failure = run.failure()

    assert "- Account 5234 Acme, window 2018-05-21T00:00:00Z: 2 documents" in failure
    check_message(failure)
    assert (str(run.receipt(5234).state), run.receipt(5234).counts.quarantined) == (
        "complete_with_quarantine",
        {"conflict": 2},
    )


def test_quarantine_below_the_threshold_is_logged_and_does_not_fail_the_run(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    acme = window_of(ACME, counted=3)
    run.plan(acme)
    done = outcome(acme.slices[0], delivered=1, quarantined={"bad_json": 2}, quarantine_paths=["_control/q.jsonl.zst"])
    run.files.save_outcome(acme.slices[0], done)
    with caplog.at_level(logging.WARNING):
        [receipt] = run.report()
    assert str(receipt.state) == "complete_with_quarantine"
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        (
            "WARNING",
            "Account 5234 Acme, window 2018-05-21T00:00:00Z: in quarantine 2 (bad_json 2). Fix the source and run the "
            f"window again. They are in:\n{run.ledger.url('_control/q.jsonl.zst')}",
        )
    ]


def test_jobs_that_were_counted_and_not_listed_fail_the_run(run: Run, check_message: CheckMessage) -> None:
    acme = window_of(ACME, counted=1_200)
    run.plan(acme)
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0]))
    failure = run.failure()

    [detail] = run.receipt(5234).faults
    assert str(run.receipt(5234).state) == "failed"
    assert failure.splitlines()[1:] == [f"- {detail}"]
    assert detail.startswith(f"Account 5234 Acme, {WINDOW}: ")
    assert "1,200 jobs" in detail
    check_message(detail)


def test_a_run_without_a_plan_fails(run: Run, check_message: CheckMessage) -> None:
    run.plan(destination="sumo_logic")
    failure = run.failure(["s3", "sumo_logic"])

    assert "Destination s3" in failure
    assert "Destination sumo_logic" not in failure
    check_message(failure)


@pytest.mark.promise("report-log-short")
def test_warnings_of_many_accounts_are_cut_and_their_number_is_logged(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "job_history")
    windows = [window_of(account(user_id)) for user_id in range(1, 26)]
    run.plan(*windows)
    for planned in windows:
        run.files.save_outcome(planned.slices[0], outcome(planned.slices[0], delivered=0, quarantined={"bad_json": 1}))

    run.report()

    warnings = [each for each in caplog.messages if "in quarantine" in each or "more like these" in each]
    assert (len(warnings), warnings[-1]) == (21, "... and 5 more like these.")


def test_the_report_repeats_why_nothing_was_planned(run: Run) -> None:
    run.files.save_task_failure("wait_until_settled", "The run has the unknown parameter 'account'.")
    assert "Nothing was replicated, because `wait_until_settled` failed: The run has" in run.failure([])
    run.files.save_task_failure("plan", "The Airflow Variable job_history_accounts is not valid JSON.")

    failure = run.failure([])

    assert "Nothing was replicated, because `plan` failed: The Airflow Variable" in failure
    assert "what is not named here was replicated" not in failure


def test_a_plan_that_succeeds_after_a_failed_try_is_reported_alone(run: Run) -> None:
    run.files.save_task_failure("plan", "the database is away")
    run.files.begin_plan()
    run.plan(window_of(ACME, slices=0, counted=0))
    assert [receipt.state for receipt in run.report()] == ["complete"]


def test_a_plan_that_is_killed_is_not_explained_by_an_earlier_failure_of_the_wait(run: Run) -> None:
    run.files.save_task_failure("wait_until_settled", "an earlier try")
    run.files.begin_plan()

    failure = run.failure(["s3"])

    assert "an earlier try" not in failure
    assert "see the log of `plan`" in failure


def test_a_problem_of_both_destinations_is_reported_once(run: Run) -> None:
    for destination in ("s3", "sumo_logic"):
        run.plan(destination=destination, faults=["Account 80 Bad: events is missing."])
    assert run.failure(["s3", "sumo_logic"]).count("Account 80 Bad") == 1


def test_a_repeated_report_gives_the_same_result(run: Run) -> None:
    acme = window_of(ACME)
    run.plan(acme)
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=1))
    first = list(run.report())
    assert list(run.report()) == first
    assert len(run.receipt(5234).runs) == 1


def test_a_cleared_slice_that_succeeds_completes_the_window(run: Run) -> None:
    acme = window_of(ACME)
    run.plan(acme)
    run.files.save_failure(acme.slices[0], Failure("extract", "the database is away"))
    run.failure()
    run.files.begin(acme.slices[0])
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=1))
    [receipt] = run.report()
    assert (str(receipt.state), run.receipt(5234).counts) == ("complete", receipt.counts)


@pytest.mark.promise("quarantine-threshold")
def test_too_much_quarantine_fails_the_run_and_closes_the_window(run: Run) -> None:
    acme, globex = window_of(ACME), window_of(GLOBEX)
    run.plan(acme, globex)
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=80, quarantined={"bad_json": 20}))
    run.files.save_outcome(globex.slices[0], outcome(globex.slices[0], delivered=99, quarantined={"bad_json": 1}))

    failure = run.failure()

    assert "- Account 5234 Acme, window 2018-05-21T00:00:00Z: " in failure
    assert "bad_json 20" in failure
    assert "Globex" not in failure
    assert {str(run.receipt(user_id).state) for user_id in (5234, 77)} == {"complete_with_quarantine"}


def test_counts_that_do_not_balance_leave_the_window_open(run: Run, check_message: CheckMessage) -> None:
    acme = window_of(ACME, counted=2)
    run.plan(acme)
    short = outcome(acme.slices[0], delivered=1, extracted=Extracted("", counted=2, listed=1, seconds=0))
    run.files.save_outcome(acme.slices[0], short)
    failure = run.failure()

    assert f"- Account 5234 Acme, {WINDOW}: " in failure
    check_message(failure)
    assert (str(run.receipt(5234).state), run.receipt(5234).gap) == ("failed", 1)


def test_staged_files_of_old_runs_are_deleted(run: Run, tmp_path: Path) -> None:
    old, young = STAGED_FILES_KEPT * 2, timedelta(hours=1)
    # The same bucket may hold a ledger, or what was delivered: nothing but runs is ours to delete.
    for name, age in (("runs/old", old), ("runs/young", young), ("5234", old), ("receipts/5234", old)):
        run.staging.write(f"{name}/jobs.jsonl.zst", b"large")
        moment = (FINISHED - age).timestamp()
        os.utime(tmp_path / "staging" / name / "jobs.jsonl.zst", (moment, moment))
    assert delete_old_runs(run.staging, FINISHED - STAGED_FILES_KEPT) == []
    assert sorted(run.staging.paths("")) == [
        "5234/jobs.jsonl.zst",
        "receipts/5234/jobs.jsonl.zst",
        "runs/young/jobs.jsonl.zst",
    ]


def test_old_files_that_cannot_be_deleted_are_a_problem_and_the_report_goes_on(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("1", "2", "3"):
        run.staging.write(f"runs/old/{name}", b"")
        os.utime(tmp_path / "staging" / "runs" / "old" / name, (0, 0))
    delete = run.staging.files.delete

    def refusing(path: str) -> None:
        if path == "runs/old/1":
            raise OSError(errno.EPERM, "Operation not permitted")
        delete(path)

    monkeypatch.setattr(run.staging.files, "delete", refusing)
    run.plan(window_of(account(), slices=0, counted=0))

    assert "runs/old/1" in run.failure()
    assert list(run.staging.paths("runs/old")) == ["runs/old/1"]
    assert run.receipt(5234).state == "complete"
    assert read_status(run.ledger) is not None


# What changed under way


def test_a_failure_after_an_outcome_fails_the_window(run: Run) -> None:
    """A slice that was delivered, cleared, and failed at its second time is a slice that failed."""
    planned = window_of(account())
    run.plan(planned)
    run.files.save_outcome(planned.slices[0], outcome(planned.slices[0], delivered=1))
    run.files.save_failure(planned.slices[0], Failure("load", "the source is away"))
    assert "the source is away" in run.failure()
    assert run.receipt(5234).state == "failed"


@pytest.mark.promise("settings-change-during-plan")
def test_an_account_in_no_plan_fails_the_run(run: Run) -> None:
    """Its destination was changed while the plans were made, so that each thought it the other's."""
    for destination in ("s3", "sumo_logic"):
        run.files.save_plan(Plan(RUN, destination, HOUR, [], [], considered=[5234]))
    assert "Account 5234 is in 0 of this run's plans instead of one" in run.failure(["s3", "sumo_logic"])


def test_an_account_in_exactly_one_plan_is_no_problem(run: Run) -> None:
    planned = window_of(account(), slices=0, counted=0)
    run.files.save_plan(Plan(RUN, "s3", HOUR, [planned], [], considered=[5234], planned=[5234]))
    run.files.save_plan(Plan(RUN, "sumo_logic", HOUR, [], [], considered=[5234]))
    assert [receipt.user_id for receipt in run.report(["s3", "sumo_logic"])] == [5234]


def test_accounts_are_forgotten_only_if_the_whole_list_was_planned(run: Run) -> None:
    def planned(*accounts: Account, whole_list: bool) -> Plan:
        ids = [each.user_id for each in accounts]
        settings = KnownAccounts.of(accounts).settings
        return Plan(RUN, "s3", HOUR, [], [], considered=ids, planned=ids, settings=settings, whole_list=whole_list)

    known = []
    for accounts, whole_list in [([1, 2], True), ([2, 3], False), ([2, 3], True)]:
        run.files.save_plan(planned(*(account(user_id=number) for number in accounts), whole_list=whole_list))
        run.report()
        known.append(sorted(read_known_accounts(run.ledger).settings))

    assert known == [["1", "2"], ["1", "2", "3"], ["2", "3"]]


@pytest.mark.promise("open-windows")
def test_the_report_marks_failed_windows_and_deletes_the_marks_of_closed_ones(run: Run) -> None:
    acme, globex = window_of(ACME), window_of(GLOBEX)
    run.plan(acme, globex)
    run.files.save_outcome(globex.slices[0], outcome(globex.slices[0], delivered=1))
    run.failure()
    assert {mark.user_id for mark in OpenWindows(run.ledger).windows} == {5234}
    status = read_status(run.ledger)
    assert status is not None
    assert (status.states, status.accounts["5234/jobs"].open) == ({"complete": 1, "failed": 1}, 1)

    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=1))
    run.report()

    assert OpenWindows(run.ledger).windows == set()


@pytest.mark.promise("clock-off")
def test_a_worker_whose_clock_is_off_makes_the_run_red_and_its_windows_complete(run: Run) -> None:
    acme = window_of(ACME, slices=2, counted=2)
    run.plan(acme)
    for slice_ in acme.slices:
        result = outcome(slice_, delivered=1)
        result.extracted.clock_off = ClockOff("worker-7", 300)
        run.files.save_outcome(slice_, result)

    assert run.failure().count(f"{Code.CLOCK_OFF}: Worker worker-7") == 1
    assert (run.receipt(5234).state, run.receipt(5234).faults) == ("complete", [])


@pytest.mark.promise("silence")
@pytest.mark.parametrize("fault", ["no plan", "an account without settings"])
def test_a_run_that_did_not_plan_each_account_moves_no_expected_by(run: Run, fault: str) -> None:
    """The Variable is malformed for days: each run reports, and yet a watch must not be reassured."""
    expected = ExpectedBy(replication=FINISHED + timedelta(hours=2))
    if fault != "no plan":
        run.plan(faults=["Account 80 Bad: events is missing."])

    with pytest.raises(PermanentError):
        run.report(expected=expected)
    status = read_status(run.ledger)
    assert status is not None
    assert status.expected_by == ExpectedBy()

    run.plan()
    run.report(expected=expected)
    status = read_status(run.ledger)
    assert status is not None
    assert status.expected_by == expected


@pytest.mark.promise("metrics")
def test_a_report_that_is_killed_while_it_notifies_announces_nothing_twice(run: Run) -> None:
    acme = window_of(ACME)
    run.plan(acme)
    run.files.save_outcome(acme.slices[0], outcome(acme.slices[0], delivered=1))
    marks = OpenWindows(run.ledger)
    closing = Closing(
        run=RUN, files=run.files, ledger=run.ledger, marks=marks, finished_at=FINISHED, code_version="0.1.0"
    )
    ClosedFile(run.staging, RUN).save(closing.all_of([acme]))
    announced: list[Receipt] = []

    def killed(_: RunOutcome) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.report(announce=lambda found: announced.extend(found.created), notify=killed)
    run.report(announce=lambda found: announced.extend(found.created))

    assert [each.user_id for each in announced] == [ACME.user_id]
