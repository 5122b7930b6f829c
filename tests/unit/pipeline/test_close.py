"""Between the stages: finished windows get their receipts, and the rest gets tasks of its own, in a fair order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.unit.samples import HOUR, RUN, outcome

from job_history.errors import PermanentError, TransientError
from job_history.ledger.open_windows import OpenWindows
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_store import read_receipt
from job_history.ledger.status_file import read_status
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.pipeline import close as close_module
from job_history.pipeline.close import Closing, dealt_out, finished, slices_for_tasks_of_their_own
from job_history.pipeline.closed_file import ClosedFile
from job_history.pipeline.report import RunFailedError, report
from job_history.pipeline.results import Plan, PlannedWindow
from job_history.pipeline.run_files import Failure, RunFiles
from job_history.storage import Storage, local_storage


class Run:
    """A run of windows with one slice each; an account without jobs has none."""

    def __init__(self, folder: Path) -> None:
        self.staging, self.ledger = local_storage(folder / "staging"), local_storage(folder / "ledger")
        self.files = RunFiles(self.staging, RUN)
        self.plans = [Plan(RUN, "s3", HOUR, [], [])]

    def add(self, user_id: int, *, jobs: bool = True) -> Slice:
        slice_ = Slice(run=RUN, user_id=user_id, name="Acme", window=HOUR, part=HOUR)
        planned = PlannedWindow(
            user_id=user_id,
            name="Acme",
            window=HOUR,
            enabled=True,
            counted=1 if jobs else 0,
            slices=[slice_] if jobs else [],
            settings_hash="0",
            destination={"type": "s3", "bucket": "acme-audit"},
            planned_at="2018-05-21T01:10:00.000000Z",
        )
        self.plans[0].windows.append(planned)
        return slice_

    def waiting(self) -> list[int]:
        return sorted(slice_.user_id for slice_ in slices_for_tasks_of_their_own(self.plans, self.files))

    def close(self) -> list[int]:
        """Do what the task `close` does; return the accounts whose windows it closed."""
        waiting = slices_for_tasks_of_their_own(self.plans, self.files)
        closing = Closing(
            run=RUN,
            files=self.files,
            ledger=self.ledger,
            marks=OpenWindows(self.ledger),
            finished_at=datetime(2018, 5, 21, 2, tzinfo=UTC),
            code_version="0",
        )
        closed = list(closing.those_possible(finished(self.plans, waiting)))
        ClosedFile(self.staging, RUN).save(closed)
        return [window.user_id for window in closed]

    def report(self, *, is_last_try: bool = False, destinations: list[str] | None = None) -> list[int]:
        """Report; return the accounts in the order in which the report has them."""
        receipts = report(
            run=RUN,
            destinations=destinations or ["s3"],
            staging=self.staging,
            ledger=self.ledger,
            finished_at=datetime(2018, 5, 21, 3, tzinfo=UTC),
            code_version="0",
            quarantine_threshold=10,
            is_last_try=is_last_try,
        )
        return [receipt.user_id for receipt in receipts]

    def state(self, user_id: int) -> WindowState | None:
        receipt = read_receipt(self.ledger, user_id, EventKind.JOBS, HOUR)
        return None if receipt is None else receipt.state


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_slices_without_an_outcome_wait_unless_they_failed_for_good(run: Run) -> None:
    run.add(1)
    run.files.save_failure(run.add(2), Failure("load", "the bucket is away", transient=True))
    run.files.save_failure(run.add(3), Failure("load", "no such bucket"))
    run.add(4, jobs=False)

    assert run.waiting() == [1, 2]


def test_receipts_of_finished_windows_are_there_before_the_slow_ones_are_done(run: Run) -> None:
    run.add(1)
    run.files.save_failure(run.add(2), Failure("load", "no such bucket"))
    run.add(3, jobs=False)

    assert run.close() == [2, 3]
    assert [run.state(user_id) for user_id in (1, 2, 3)] == [None, WindowState.FAILED, WindowState.COMPLETE]


@pytest.mark.promise("strict-decoding")
def test_a_folder_in_place_of_a_receipt_stops_its_own_account_alone(run: Run) -> None:
    run.add(1, jobs=False)
    run.add(2, jobs=False)
    run.ledger.write(f"{receipt_path(1, EventKind.JOBS, HOUR)}/x", b"")

    assert run.close() == [1, 2]
    closed = list(ClosedFile(run.staging, RUN).read())
    assert [len(each.problems) for each in closed] == [1, 0]
    assert receipt_path(1, EventKind.JOBS, HOUR) in closed[0].problems[0]
    assert run.state(2) is WindowState.COMPLETE


def test_closed_windows_are_read_as_they_were_saved(run: Run) -> None:
    run.add(1, jobs=False)
    run.add(2, jobs=False)
    run.add(3, jobs=False)
    run.close()
    closed_file = ClosedFile(run.staging, RUN)
    closed = list(closed_file.read())
    closed[2] = replace(closed[2], newest=replace(closed[2].newest, revision=7))

    closed_file.save(closed)
    saved = list(closed_file.read())
    closed_file.note_announced()
    announced = list(closed_file.read())

    assert saved == closed
    assert [each.newest and each.newest.revision for each in saved] == [1, 1, 7]
    assert [each.announced for each in [*saved, *announced]] == [False] * 3 + [True] * 3
    closed_file.delete()
    closed_file.note_announced()
    assert list(closed_file.read()) == []


class Busy(Storage):
    """A ledger that cannot write the receipts of one account."""

    def create(self, path: str, content: bytes) -> bool:
        if path.startswith("receipts/1/"):
            raise TransientError("busy")
        return super().create(path, content)


def test_a_store_that_fails_for_one_window_lets_the_others_be_closed(run: Run) -> None:
    """`close` leaves it to the report: if it failed, no large account and none that failed would get a task."""
    free, run.ledger = run.ledger, Busy(run.ledger.files, run.ledger.root)
    for user_id in range(1, 41):
        run.add(user_id, jobs=False)

    assert run.close() == list(range(2, 41))
    assert [run.state(user_id) for user_id in range(1, 41)] == [None, *[WindowState.COMPLETE] * 39]

    run.ledger = free
    run.files.save_plan(run.plans[0])
    run.report()
    assert run.state(1) is WindowState.COMPLETE


def test_a_receipt_that_no_try_can_write_is_a_problem_of_its_window_alone(run: Run) -> None:
    """Else nothing would be sealed, no status written and nothing notified, for one account."""
    run.ledger = Busy(run.ledger.files, run.ledger.root)
    run.add(1, jobs=False)
    run.add(2, jobs=False)
    run.files.save_plan(run.plans[0])

    with pytest.raises(TransientError, match="busy"):
        run.report()
    assert run.state(2) is WindowState.COMPLETE
    assert read_status(run.ledger) is None
    with pytest.raises(RunFailedError, match=r"Account 1 .*its receipt could not be written: busy"):
        run.report(is_last_try=True)
    assert read_status(run.ledger) is not None


def test_windows_that_the_report_closes_keep_their_place_among_the_others(run: Run) -> None:
    """Else an account with one late window would have all its others in memory at once, for its seals and status."""
    waiting = [run.add(user_id) for user_id in (1, 2, 3)][1]
    run.add(4, jobs=False)
    for slice_ in run.plans[0].slices:
        if slice_ is not waiting:
            run.files.save_outcome(slice_, outcome(slice_, delivered=1))
    run.files.save_plan(run.plans[0])
    assert run.close() == [1, 3, 4]
    run.files.save_outcome(waiting, outcome(waiting, delivered=1))

    assert run.report() == [1, 2, 3, 4]


class Unreadable(Storage):
    """A staging area that refuses to read, or to delete, one account's files."""

    refused: str

    def read(self, path: str) -> bytes | None:
        self._check("read", path)
        return super().read(path)

    def delete_all(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._check("delete", path)
            super().delete_all([path])

    def _check(self, what: str, path: str) -> None:
        if self.refused == what and "/1/" in path:
            raise PermanentError(f"{path}: access denied")


@pytest.mark.parametrize("refused", ["read", "delete"])
def test_a_staged_file_that_is_refused_holds_no_other_account_up(run: Run, refused: str) -> None:
    first, second = run.add(1), run.add(2)
    for slice_ in (first, second):
        run.files.save_outcome(slice_, outcome(slice_, delivered=1))
    run.files.save_plan(run.plans[0])
    staging = Unreadable(run.staging.files, run.staging.root)
    staging.refused = refused
    run.staging, run.files = staging, RunFiles(staging, RUN)

    assert run.waiting() == ([1] if refused == "read" else [])
    assert run.close() == ([2] if refused == "read" else [1, 2])
    if refused == "read":
        with pytest.raises(RunFailedError, match="its result cannot be read"):
            run.report()
    else:
        run.report()
    assert run.state(1) is (WindowState.FAILED if refused == "read" else WindowState.COMPLETE)
    assert run.state(2) is WindowState.COMPLETE
    assert read_status(run.ledger) is not None


def test_a_window_that_cannot_be_closed_is_a_problem_and_stops_no_other(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.add(1, jobs=False)
    run.add(2, jobs=False)
    run.files.save_plan(run.plans[0])
    make = close_module.make_receipt

    def odd(planned: PlannedWindow, *args: Any, **options: Any) -> Any:
        if planned.user_id == 1:
            raise ValueError("odd")
        return make(planned, *args, **options)

    monkeypatch.setattr(close_module, "make_receipt", odd)
    with pytest.raises(RunFailedError, match=r"Account 1 .*its receipt could not be written: odd"):
        run.report()
    assert run.state(2) is WindowState.COMPLETE


@pytest.mark.parametrize("file", ["plan-sumo_logic.json", "findings-sumo_logic.json", "findings-s3.json"])
def test_a_damaged_file_of_one_kind_of_destination_is_a_problem_and_stops_no_other(run: Run, file: str) -> None:
    run.add(1, jobs=False)
    run.files.save_plan(run.plans[0])
    run.files.save_plan(Plan(RUN, "sumo_logic", HOUR, [], []))
    run.staging.write(f"runs/{RUN}/{file}", b"{")

    with pytest.raises(RunFailedError, match=file):
        run.report(destinations=["s3", "sumo_logic"])
    assert run.state(1) is WindowState.COMPLETE
    assert read_status(run.ledger) is not None


def test_windows_whose_note_is_gone_are_closed_by_the_report(run: Run) -> None:
    run.add(1, jobs=False)
    run.files.save_plan(run.plans[0])
    run.close()
    run.staging.delete(f"runs/{RUN}/closed_windows.jsonl.zst")

    run.report()
    assert run.state(1) is WindowState.COMPLETE


def test_report_takes_over_what_close_wrote_and_closes_the_rest(run: Run) -> None:
    run.add(1)
    run.add(2, jobs=False)
    run.close()
    run.files.save_plan(run.plans[0])

    with pytest.raises(RunFailedError) as failed:
        run.report()

    assert str(failed.value).count("account 1 Acme") == 1
    assert [run.state(user_id) for user_id in (1, 2)] == [WindowState.FAILED, WindowState.COMPLETE]
    complete = read_receipt(run.ledger, 2, EventKind.JOBS, HOUR)
    assert complete is not None
    assert [entry.finished_at for entry in complete.runs] == ["2018-05-21T02:00:00Z"]


def test_beyond_the_map_length_chains_have_several_slices_and_none_is_left_out(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    for user_id in range(1, 11):
        run.add(user_id)

    chains = dealt_out(slices_for_tasks_of_their_own(run.plans, run.files), 4)

    assert sorted(slice_.user_id for chain in chains for slice_ in chain) == list(range(1, 11))
    assert sorted(map(len, chains)) == [2, 2, 3, 3]
    assert "max_map_length" in caplog.text
    assert "1, 2, 3, 4, 5, 6, 7, 8, 9, 10" in caplog.text


def test_within_the_map_length_each_slice_has_a_chain_of_its_own(run: Run) -> None:
    for user_id in range(1, 5):
        run.add(user_id)
    waiting = slices_for_tasks_of_their_own(run.plans, run.files)
    assert dealt_out(waiting, 4) == [[slice_] for slice_ in waiting]
    assert dealt_out([], 4) == []
