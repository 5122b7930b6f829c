"""What a report knows at its end, for metrics, notifications and asset events."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import Recorded
from job_history.ledger.status_file import Status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.results import Plan

Key = tuple[int, EventKind, Window]


@dataclass(frozen=True)
class RunOutcome:
    """`receipts` are of this run, `newest` the revisions in the ledger now, in the same order.

    `status` is None if it was not written. `unsealed`: windows of the ledger that wait for a seal; None: not known.
    `announced`: windows that an earlier try of the report announced.
    """

    run: str
    plans: list[Plan]
    receipts: Collection[Receipt]
    newest: Collection[Recorded]
    finished_at: datetime
    problems: list[str]
    status: Status | None
    unsealed: int | None = 0
    announced: Collection[Key] = frozenset()

    @property
    def created(self) -> Iterator[Receipt]:
        """Yield the receipts of this run whose revision this try, or `close` before it, created.

        A try that repeats a report creates none.
        """
        return (own for own, _ in self._created())

    @property
    def closed_first(self) -> Iterator[Receipt]:
        """Yield those of `created` whose windows no earlier run had closed."""
        for own, newest in self._created():
            if own.state.closed and not any(entry.state.closed and entry.run != self.run for entry in newest.runs):
                yield own

    def _created(self) -> Iterator[tuple[Receipt, Receipt]]:
        for own, (newest, *_) in zip(self.receipts, self.newest, strict=True):
            entries = {(entry.run, entry.finished_at) for entry in newest.runs}
            is_created = any((entry.run, entry.finished_at) in entries for entry in own.runs)
            if is_created and (own.user_id, own.kind, own.window) not in self.announced:
                yield own, newest

    @property
    def whole_list(self) -> bool:
        """Return whether the run was of all accounts of the Variable, and all of them were planned."""
        return bool(self.plans) and all(plan.whole_list for plan in self.plans)
