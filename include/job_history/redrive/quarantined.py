"""The quarantine of a window as a source: its records as the source gave them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from job_history.errors import PermanentError, QuarantineReason
from job_history.ledger.quarantine import QuarantineEntry, reason_of
from job_history.ledger.receipt import Receipt
from job_history.model.record import Record
from job_history.model.window import Window
from job_history.storage import Storage
from job_history.storage.staging import staged_records


def records_and_conflicts(paths: list[str]) -> tuple[list[str], list[str]]:
    """Return the files of records, and those of documents that were in conflict."""
    conflicts = [path for path in paths if reason_of(path) is QuarantineReason.CONFLICT]
    return [path for path in paths if path not in conflicts], conflicts


def entries(ledger: Storage, paths: list[str], receipt: Receipt) -> Iterator[QuarantineEntry]:
    """Stream the entries. Raises PermanentError at the end if they are not as many as in the receipt."""
    reasons = {reason_of(path) for path in paths}
    expected = sum(count for reason, count in receipt.counts.quarantined.items() if reason in reasons)
    found = 0
    for path in paths:
        for entry in staged_records(ledger, path, QuarantineEntry):
            found += 1
            yield entry
    if found != expected:
        raise PermanentError(
            f"Account {receipt.label}, window {receipt.window.start_text}: its receipt has {expected:,} in quarantine, "
            f"and there are {found:,}: a later run failed after it had quarantined records. Run the window again."
        )


@dataclass
class _Listing:
    counted: int
    records: Iterator[Record]
    counted_by: str = "quarantine"

    def __iter__(self) -> Iterator[Record]:
        return self.records


class QuarantinedRecords:
    """A source of one window's records in quarantine; the receipt is the independent count."""

    def __init__(self, ledger: Storage, paths: list[str], receipt: Receipt) -> None:
        self._ledger = ledger
        self._paths = paths
        self._receipt = receipt

    def count(self, user_id: int, window: Window) -> int:  # noqa: ARG002 - there is only one window here
        return sum(
            count for reason, count in self._receipt.counts.quarantined.items() if reason != QuarantineReason.CONFLICT
        )

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[_Listing]:  # noqa: ARG002
        """Give the records as they were read then: with their lines, if lines were asked for at the time."""
        yield _Listing(self.count(user_id, window), self._records())

    def _records(self) -> Iterator[Record]:
        for entry in entries(self._ledger, self._paths, self._receipt):
            record = entry.event or entry.record
            if record is not None:
                yield record
