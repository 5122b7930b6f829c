"""What the receipt of a slice's window knows about the slice's jobs. A load reads it once, with its item lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from job_history.accounts.account import Account
from job_history.ledger.item import EARLIER_SETTINGS, Item
from job_history.ledger.items import item_list
from job_history.ledger.lateness import Late
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt_store import read_receipt
from job_history.model.slice import Slice
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.storage import Storage


@dataclass
class PreviousRun:
    """Its memory grows with the slice, not with the window.

    `kept`: by id, documents that this destination has and that the account's settings would make otherwise today. A run
    of what is missing leaves them: compared, each would be a conflict, or be sent again. `delivered`: the SHA-256 of
    each document that this destination has; filled only on request.
    """

    kept: dict[str, Item] = field(default_factory=dict)
    delivered: set[bytes] = field(default_factory=set)
    _is_closed: bool = False
    _read_at: datetime | None = None
    _lateness: dict[str, Late | None] = field(default_factory=dict)

    def late(self, job_id: str, completed_at: str, read_at: str) -> Late | None:
        """Return how late a job is, if the earlier, closed run did not list it.

        `read_at`: when this run read the source.
        """
        if self._read_at is None:
            return None
        if job_id in self._lateness:
            return self._lateness[job_id]
        ended = parse_time(completed_at)
        unseen, found = ((moment - ended).total_seconds() for moment in (self._read_at, parse_time(read_at)))
        return Late(unseen_after=max(0, int(unseen)), found_after=max(0, int(found)))

    def add(self, item: Item, *, is_here: bool, changed: bool, with_delivered: bool) -> None:
        if self._read_at is not None:
            self._lateness.setdefault(item.job_id, item.late)
        if not is_here or not item.must_be_there or item.completed_at is None:
            return
        if with_delivered and item.sha256:
            self.delivered.add(bytes.fromhex(item.sha256))
        if self._is_closed and (changed or item.detail == EARLIER_SETTINGS):
            self.kept.setdefault(item.job_id, replace(item, outcome=Outcome.ALREADY_PRESENT, detail=EARLIER_SETTINGS))


def read_previous_run(
    ledger: Storage, slice_: Slice, account: Account, destination: dict[str, Any], *, with_delivered: bool = False
) -> PreviousRun:
    """Read the receipt of the slice's window, and its item lists if they are needed.

    `destination` is the description of the one that the slice goes to now. Raises PermanentError if the receipt is
    damaged.
    """
    receipt = read_receipt(ledger, slice_.user_id, slice_.kind, slice_.window)
    if receipt is None or not (receipt.state.closed or with_delivered):
        return PreviousRun()
    is_closed = receipt.state.closed
    read_at = parse_time(receipt.read_at) if is_closed and receipt.read_at else None
    previous = PreviousRun(_is_closed=is_closed, _read_at=read_at)
    changed = receipt.settings_hash != account.settings_hash
    # The newest first. Of an account that has moved away and is back, `elsewhere` has what is here.
    for path in [*receipt.items, *receipt.elsewhere]:
        items = item_list(ledger, path)
        is_here = items.went_to(destination)
        for item in items:
            if _is_in(slice_.part, item):
                previous.add(item, is_here=is_here, changed=changed, with_delivered=with_delivered)
    return previous


def _is_in(part: Window, item: Item) -> bool:
    # The time of a job that gave no document may be unreadable: it counts as known in each part.
    return item.key is None or item.completed_at is None or parse_time(item.completed_at) in part
