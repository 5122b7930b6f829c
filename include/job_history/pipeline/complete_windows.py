"""Complete windows: `missing_only` skips them, whichever run completed them."""

from __future__ import annotations

from collections.abc import Callable

from job_history.accounts.account import Account
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.place import Place, place_of
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.pipeline.plan import SkipWindow
from job_history.storage import Storage

PlaceOf = Callable[[Account], Place | None]


def complete_windows(ledger: Storage, account_place: PlaceOf) -> SkipWindow:
    """Return a predicate: is this window already complete at the account's current destination?

    `account_place` returns where an account's connection leads to now, or None if the settings alone decide it. It is
    called once an account, and only for accounts with a complete window.

    A window with quarantined records is not skipped: records that were fixed since are delivered when it runs again.
    One that is complete with quarantine only because of its account's unplaceable records is skipped. A window whose
    source was read before it ended is not skipped.
    """
    places: dict[int, Place | None] = {}

    def leads_elsewhere(account: Account, receipt: Receipt) -> bool:
        if account.user_id not in places:
            places[account.user_id] = account_place(account)
        now, then = places[account.user_id], place_of(receipt.destination)
        # The receipt of no jobs may not know where they would have gone.
        return now is not None and then.name is not None and not then.is_same(now)

    def skip(account: Account, kind: EventKind, window: Window) -> str | None:
        receipt = read_receipt(ledger, account.user_id, kind, window)
        if receipt is None or not _is_complete(receipt):
            return None
        if not receipt.read_at or parse_time(receipt.read_at) < window.end:
            return None
        if receipt.destination_hash != account.destination_hash or leads_elsewhere(account, receipt):
            return None
        return receipt.state

    return skip


def _is_complete(receipt: Receipt) -> bool:
    """Return whether running the window again could deliver nothing: it has no record that no window contains."""
    return receipt.state is WindowState.COMPLETE or (
        receipt.state is WindowState.COMPLETE_WITH_QUARANTINE
        and receipt.unplaceable is not None
        and not receipt.counts.quarantined
    )
