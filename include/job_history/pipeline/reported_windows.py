"""The windows of a run as its report sees them: closed by `close`, or by the report itself."""

from __future__ import annotations

from collections.abc import Iterator

from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import Recorded
from job_history.packed_records import PackedRecords
from job_history.pipeline.close import ClosedWindow, Closing, Key
from job_history.pipeline.closed_file import ClosedFile
from job_history.pipeline.results import Plan, PlannedWindow
from job_history.pipeline.worker_clock import ClockOff


class ReportedWindows:
    """`receipts` are the run's own, `newest` the newest revisions of the same windows, in the same order.

    Windows without a receipt have a problem only. `announced`: windows that an earlier try of the report announced.
    """

    def __init__(self, closing: Closing, closed_file: ClosedFile) -> None:
        self.receipts = PackedRecords(Receipt)
        self.newest = PackedRecords(Recorded)
        self.announced: set[Key] = set()
        self.clocks: list[ClockOff] = []
        self.problems: list[str] = []
        self._closing = closing
        # In the order of the plans, as they are gone through here: of all windows, one is in memory.
        self._closed_before = closed_file.read()
        self._next = next(self._closed_before, None)

    def add(self, plan: Plan) -> None:
        """Add the windows of a plan, and close those that are not closed yet. Raises as `Closing.all_of`."""
        for closed in self._closing.all_of(self._closed_or_planned(plan)):
            self._add(closed)

    def _closed_or_planned(self, plan: Plan) -> Iterator[ClosedWindow | PlannedWindow]:
        for planned in plan.windows:
            if self._next is not None and self._next.key == planned.key:
                yield self._next
                self._next = next(self._closed_before, None)
            else:
                yield planned

    def _add(self, closed: ClosedWindow) -> None:
        self.problems += closed.problems
        self.clocks += closed.clocks
        if closed.announced:
            self.announced.add(closed.key)
        if closed.own is not None and closed.newest is not None:
            self.receipts.append(closed.own)
            self.newest.append(Recorded(closed.newest, closed.is_new, closed.sha256))
