"""Close: write the receipts of finished windows before the slow ones are done, and say which slices need own tasks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.ledger.acknowledgements import count_repeated
from job_history.ledger.open_windows import OpenWindows
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import record
from job_history.limited_log import LimitedLog
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.fair_order import order_of_hour
from job_history.pipeline.make_receipt import make_receipt
from job_history.pipeline.problems import slice_results
from job_history.pipeline.results import Plan, PlannedWindow, SliceOutcome
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.worker_clock import ClockOff
from job_history.progress import readable_ids
from job_history.storage import Storage, one_after_another

log = logging.getLogger(__name__)

Key = tuple[int, EventKind, Window]


class ClosedWindow(msgspec.Struct, frozen=True):
    """What a run wrote of a window: its own receipt, the newest revision after it, and the problems that it has.

    Both receipts are None if none could be written. `announced`: a report has announced it. `is_new`: this
    process created the newest revision. `sha256`: of the newest revision's file. `clocks`: workers whose clock was off
    when they read.
    """

    user_id: int
    kind: EventKind
    window: Window
    own: Receipt | None
    newest: Receipt | None
    problems: list[str]
    announced: bool = False
    is_new: bool = False
    sha256: str = ""
    clocks: list[ClockOff] = []

    @property
    def key(self) -> Key:
        return self.user_id, self.kind, self.window


@dataclass(frozen=True, kw_only=True)
class Closing:
    """What closing a run's windows needs."""

    run: str
    files: RunFiles
    ledger: Storage
    marks: OpenWindows
    finished_at: datetime
    code_version: str
    accepts_fewer: bool = False
    is_last_try: bool = False
    not_deleted: LimitedLog = field(default_factory=lambda: LimitedLog(log))

    def those_possible(self, windows: Iterable[PlannedWindow]) -> Iterator[ClosedWindow]:
        """Close windows, several at once: each has a folder of its own, and a write to a bucket takes its time.

        One whose receipt cannot be written now is left to the report, and holds no other up.
        """
        lines = LimitedLog(log)

        def close(planned: PlannedWindow) -> ClosedWindow | None:
            try:
                return self.window(planned)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
                lines.warning("Account %s, window %s is left to the report: %s", planned.label, planned.window, error)
                return None

        with lines:
            yield from filter(None, one_after_another(close, windows))

    def all_of(self, windows: Iterable[PlannedWindow | ClosedWindow]) -> Iterator[ClosedWindow]:
        """Close windows that are not closed yet. One that cannot be closed stops no other, and has a problem.

        A transient error is raised when all others are closed; at the last try it is such a problem, too.
        """
        waiting: list[TransientError] = []

        def close(window: PlannedWindow | ClosedWindow) -> ClosedWindow | None:
            if isinstance(window, ClosedWindow):
                return window
            try:
                return self.window(window)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
                if isinstance(error, TransientError) and not self.is_last_try:
                    waiting.append(error)
                    return None
                return _without_receipt(window, [], error)

        yield from filter(None, one_after_another(close, windows))
        if waiting:
            raise waiting[0]

    def window(self, planned: PlannedWindow) -> ClosedWindow:
        """Write a window's receipt, and delete what its run no longer needs."""
        results = slice_results(planned, self.files)
        outcomes, problems = list(results.outcomes.values()), results.problems
        repeated = 0
        if len(outcomes) < len(planned.slices):
            repeated, unreadable = self._repeated_by(each for each in planned.slices if each not in results.outcomes)
            # The load may have failed on the same file, and its message names it.
            if unreadable is not None and not any(str(unreadable) in each for each in problems):
                about = f"Account {planned.label}, window {planned.window}"
                problems.append(f"{about}: repeats could not be counted: {unreadable}")
        receipt = make_receipt(
            planned,
            outcomes,
            problems,
            unrecoverable=results.unrecoverable,
            repeated=repeated,
            run=self.run,
            finished_at=self.finished_at,
            code_version=self.code_version,
            accepts_fewer=self.accepts_fewer,
        )
        try:
            self.marks.before(receipt)
            recorded = record(self.ledger, receipt, seen=planned.receipt_files)
            self.marks.after(recorded.receipt)
        except PermanentError as unwritten:
            return _without_receipt(planned, problems, unwritten)
        if receipt.state.closed:
            self._delete_staged_files(planned, results.outcomes)
        clocks = [outcome.extracted.clock_off for outcome in outcomes if outcome.extracted.clock_off]
        return ClosedWindow(
            *planned.key,
            own=receipt,
            newest=recorded.receipt,
            problems=problems,
            is_new=recorded.is_new,
            sha256=recorded.sha256,
            clocks=clocks,
        )

    def _delete_staged_files(self, planned: PlannedWindow, outcomes: Mapping[Slice, SliceOutcome]) -> None:
        """Delete the large files of a closed window. Those that are left are deleted with the run's, days later."""
        try:
            for slice_, outcome in outcomes.items():
                self.files.delete_staged_files(slice_, outcome)
        except ReplicationError as error:
            about = f"Account {planned.label}, window {planned.window}"
            self.not_deleted.warning("%s: its staged files were not deleted: %s", about, error)

    def _repeated_by(self, failed: Iterable[Slice]) -> tuple[int, PermanentError | None]:
        """Return how many documents were sent again by loads that left no outcome, or the error if none can be read."""
        try:
            return sum(count_repeated(self.ledger, slice_) for slice_ in failed), None
        except PermanentError as unreadable:
            return 0, unreadable


def _without_receipt(planned: PlannedWindow, problems: list[str], unwritten: Exception) -> ClosedWindow:
    about = f"Account {planned.label}, window {planned.window}"
    return ClosedWindow(
        *planned.key, None, None, [*problems, f"{about}: its receipt could not be written: {unwritten}"]
    )


def slices_for_tasks_of_their_own(plans: list[Plan], files: RunFiles) -> list[Slice]:
    """Return the slices without an outcome, except those that failed for good, in the order of the hour."""
    slices = (slice_ for plan in plans for planned in plan.windows for slice_ in planned.slices)
    looked_up = one_after_another(_if_needs_task(files), slices)
    needs = [slice_ for slice_ in looked_up if slice_ is not None]
    # The oldest hours first: they are the first that a reconciliation no longer looks back to.
    of_hour = order_of_hour(needs, lambda slice_: slice_.user_id, plans[0].window.start) if plans else []
    return sorted(of_hour, key=lambda slice_: slice_.window.start)


def dealt_out(slices: list[Slice], chains: int) -> list[list[Slice]]:
    """Deal the slices out to at most so many chains of tasks: beyond that, chains have several, one more at most."""
    if len(slices) > chains:
        log.warning(
            "%s slices need tasks of their own, more than Airflow maps in one run ([core] max_map_length = %s), so "
            "that chains of tasks have several each. Raise max_map_length if they take too long. Accounts: %s.",
            f"{len(slices):,}",
            f"{chains:,}",
            readable_ids(slice_.user_id for slice_ in slices),
        )
    return [slices[first::chains] for first in range(min(chains, len(slices)))]


def finished(plans: list[Plan], waiting: list[Slice]) -> Iterator[PlannedWindow]:
    """Yield the windows of which no slice waits for a task of its own."""
    waits = {(slice_.user_id, slice_.kind, slice_.window) for slice_ in waiting}
    return (planned for plan in plans for planned in plan.windows if planned.key not in waits)


def _if_needs_task(files: RunFiles) -> Callable[[Slice], Slice | None]:
    def if_needs_task(slice_: Slice) -> Slice | None:
        try:
            if files.outcome(slice_) is not None:
                return None
            failure = files.failure(slice_)
        except ReplicationError:
            # Its own task meets the error again, and fails under the account's name.
            return slice_
        return slice_ if failure is None or failure.transient else None

    return if_needs_task
