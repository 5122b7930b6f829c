"""What a report knows at its end, for metrics, notifications and asset events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from job_history.ledger.receipt import Receipt
from job_history.ledger.status_file import Status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.results import Plan

Key = tuple[int, EventKind, Window]


@dataclass(frozen=True)
class RunOutcome:
    """`receipts` are of this run, `newest` the revisions in the ledger now. `status` is None if it was not written.

    `unsealed`: windows of the ledger that wait for a seal; None: not known. `announced`: windows that an earlier try of
    the report announced.
    """

    run: str
    plans: list[Plan]
    receipts: list[Receipt]
    newest: list[Receipt]
    finished_at: datetime
    problems: list[str]
    status: Status | None
    unsealed: int | None = 0
    announced: frozenset[Key] = frozenset()

    @property
    def created(self) -> list[Receipt]:
        """Return the receipts of this run whose revision this try, or `close` before it, created.

        A try that repeats a report creates none.
        """
        newest = {(receipt.user_id, receipt.kind, receipt.window): receipt for receipt in self.newest}
        return [own for own in self.receipts if self._is_created(own, newest)]

    def _is_created(self, own: Receipt, newest: Mapping[Key, Receipt]) -> bool:
        key = (own.user_id, own.kind, own.window)
        if key in self.announced or key not in newest:
            return False
        entries = {(entry.run, entry.finished_at) for entry in newest[key].runs}
        return any((entry.run, entry.finished_at) in entries for entry in own.runs)

    @property
    def closed_first(self) -> list[Receipt]:
        """Return those of `created` whose windows no earlier run had closed."""
        newest = {(receipt.user_id, receipt.kind, receipt.window): receipt for receipt in self.newest}
        return [
            own
            for own in self.created
            if own.state.closed
            and not any(
                entry.state.closed and entry.run != self.run for entry in newest[own.user_id, own.kind, own.window].runs
            )
        ]

    @property
    def whole_list(self) -> bool:
        """Return whether the run was of all accounts of the Variable, and all of them were planned."""
        return bool(self.plans) and all(plan.whole_list for plan in self.plans)
