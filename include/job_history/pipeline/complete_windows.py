"""Which windows a run has to do with: those that are complete need nothing, whichever run completed them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from job_history.accounts.account import Account
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.pipeline.plan import SkipWindow
from job_history.storage import Storage

PlaceOf = Callable[[Account], str | None]


def complete_windows(ledger: Storage, place_of: PlaceOf) -> SkipWindow:
    """Return what says of a window that it is complete, at the destination that the account has now.

    `place_of` says where an account's connection leads to now, as receipts do (`place_in`), or None where the settings alone
    say it. It is asked once an account, and only for those that have a complete window.

    One that is complete but for quarantine is not: what was mended since is delivered when it is run again. Nor is one whose
    source was read before it was over.
    """
    places: dict[int, str | None] = {}

    def leads_elsewhere(account: Account, receipt: Receipt) -> bool:
        if account.user_id not in places:
            places[account.user_id] = place_of(account)
        now, then = places[account.user_id], place_in(receipt.destination)
        return now is not None and then is not None and now != then

    def stands(account: Account, kind: EventKind, window: Window) -> str | None:
        receipt = read_receipt(ledger, account.user_id, kind, window)
        if receipt is None or receipt.state is not WindowState.COMPLETE:
            return None
        if not receipt.read_at or parse_time(receipt.read_at) < window.end:
            return None
        if receipt.destination_hash != account.destination_hash or leads_elsewhere(account, receipt):
            return None
        return receipt.state

    return stands


def place_in(destination: dict[str, Any]) -> str | None:
    """Return the bucket, or the name of the HTTP source, that a receipt's destination tells of."""
    place = destination.get("target") or destination.get("bucket")
    return None if place is None else str(place)
