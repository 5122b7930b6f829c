"""What a report knows at its end, for metrics, notifications and asset events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from job_history.ledger.receipt import Receipt
from job_history.ledger.status_file import Status
from job_history.model.timestamp import format_time
from job_history.pipeline.results import Plan


@dataclass(frozen=True)
class RunOutcome:
    """`receipts` are of this run, `newest` the revisions in the ledger now. `status` is None if it was not written.

    `unsealed`: windows of the ledger that wait for a seal.
    """

    run: str
    plans: list[Plan]
    receipts: list[Receipt]
    newest: list[Receipt]
    finished_at: datetime
    problems: list[str]
    status: Status | None
    unsealed: int = 0

    @property
    def created(self) -> list[Receipt]:
        """Return the receipts of this run whose revision this try created: a try that repeats a report creates none."""
        finished_at = format_time(self.finished_at)
        made = {
            (receipt.user_id, receipt.kind, receipt.window)
            for receipt in self.newest
            if any(entry.run == self.run and entry.finished_at == finished_at for entry in receipt.runs)
        }
        return [receipt for receipt in self.receipts if (receipt.user_id, receipt.kind, receipt.window) in made]

    @property
    def whole_list(self) -> bool:
        """Return whether the run was of all accounts of the Variable, and all of them were planned."""
        return bool(self.plans) and all(plan.whole_list for plan in self.plans)
