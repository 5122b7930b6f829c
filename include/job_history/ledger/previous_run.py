"""What its window's receipt knows of a slice's jobs: those that it did not list are late, those delivered may be kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from job_history.accounts.account import Account
from job_history.ledger.items import EARLIER_SETTINGS, Item, items_at
from job_history.ledger.lateness import Late
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt_store import read_receipt
from job_history.model.slice import Slice
from job_history.model.timestamp import parse_time
from job_history.storage import Storage


def lateness_lookup(ledger: Storage, slice_: Slice) -> Callable[[str, str, str], Late | None]:
    """Return what says of a job (its id, `completed_at`, and when the source was read now) whether and how it is late.

    Memory grows with the slice, not with the window, and only where the window was closed by an earlier run.
    """
    receipt = read_receipt(ledger, slice_.user_id, slice_.kind, slice_.window)
    if receipt is None or not receipt.state.closed or not receipt.read_at:
        return lambda _job_id, _completed_at, _read_at: None
    part, first_read_at = slice_.part, parse_time(receipt.read_at)
    known = {
        item.job_id: item.late
        for path in receipt.items
        for item in items_at(ledger, path)
        # The time of a job that gave no document may not be readable.
        if item.key is None or item.completed_at is None or parse_time(item.completed_at) in part
    }

    def late(job_id: str, completed_at: str, read_at: str) -> Late | None:
        if job_id in known:
            return known[job_id]
        ended = parse_time(completed_at)
        unseen, found = ((moment - ended).total_seconds() for moment in (first_read_at, parse_time(read_at)))
        return Late(unseen_after=max(0, int(unseen)), found_after=max(0, int(found)))

    return late


def kept_from_earlier_settings(
    ledger: Storage, slice_: Slice, account: Account, destination: dict[str, Any]
) -> dict[str, Item]:
    """Return, by id, the documents that this destination has and that the account's settings would make otherwise today.

    A run that is about what is missing leaves them as they are: compared, each would be a conflict, or be sent again.
    """
    receipt = read_receipt(ledger, slice_.user_id, slice_.kind, slice_.window)
    if receipt is None or not receipt.state.closed:
        return {}
    changed, part = receipt.settings_hash != account.settings_hash, slice_.part
    return {
        item.job_id: replace(item, outcome=Outcome.ALREADY_PRESENT, detail=EARLIER_SETTINGS)
        for path in receipt.items
        for item in items_at(ledger, path, destination)
        if (changed or item.detail == EARLIER_SETTINGS)
        and item.is_delivered
        and item.completed_at
        and parse_time(item.completed_at) in part
    }
