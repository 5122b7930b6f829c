"""Complete windows: `missing_only` skips them, whichever run completed them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from job_history.accounts.account import Account
from job_history.errors import ReplicationError
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_store import FoundReceipt, look_up_receipt
from job_history.ledger.receipts_in_bulk import AskedReceipts, look_up_in_bulk
from job_history.limited_log import LimitedLog
from job_history.model.event_kind import EventKind
from job_history.model.place import Place, place_of
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.pipeline.plan import SeenWindow, SkipWindow
from job_history.storage import Storage

log = logging.getLogger(__name__)

RECEIPTS_AT_A_TIME = 5_000
"""Each has about 2 kB."""

PlaceOf = Callable[[Account], Place | None]


def complete_windows(
    ledger: Storage, account_place: PlaceOf, asked: Window | None = None, accounts: Sequence[Account] = ()
) -> SkipWindow:
    """Return a predicate: is this window already complete at the account's current destination?

    `account_place` returns where an account's connection leads to now, or None if the settings alone decide it. It is
    called once an account, and only for accounts with a complete window. `asked`: the window of the run; `accounts`:
    its accounts, in the order in which the predicate is called. Their receipts are read together, some accounts at a
    time, with one listing for each account and day. Those of other windows and accounts are read one by one.

    A window with quarantined records is not skipped: records that were fixed since are delivered when it runs again.
    One that is complete with quarantine only because of its account's unplaceable records is skipped. A window whose
    source was read before it ended is not skipped, nor is one if it is not known now where its account's connection
    leads.
    """
    places: dict[int, Place | ReplicationError | None] = {}
    lines = LimitedLog(log)
    receipts = _Receipts(ledger, list(asked.hours()) if asked else [], accounts)

    def leads_elsewhere(account: Account, receipt: Receipt) -> bool:
        if account.user_id not in places:
            try:
                places[account.user_id] = account_place(account)
            except ReplicationError as unknown:
                # Its tasks meet the error again, and fail under its name.
                lines.warning("Account %s: its complete windows are replicated again: %s", account.label, unknown)
                places[account.user_id] = unknown
        now, then = places[account.user_id], place_of(receipt.destination)
        if isinstance(now, ReplicationError):
            return True
        # The receipt of no jobs may not know where they would have gone.
        return now is not None and then.name is not None and not then.is_same(now)

    def is_complete(account: Account, window: Window, receipt: Receipt) -> bool:
        if not _is_complete(receipt) or not receipt.read_at or parse_time(receipt.read_at) < window.end:
            return False
        return receipt.destination_hash == account.destination_hash and not leads_elsewhere(account, receipt)

    def skip(account: Account, kind: EventKind, window: Window) -> SeenWindow:
        files, receipt = receipts.of(account.user_id, kind, window)
        if receipt is None or not is_complete(account, window, receipt):
            return SeenWindow(receipt_files=files)
        return SeenWindow(receipt.state, files)

    return skip


class _Receipts:
    """The receipts of some accounts at a time, which the plan asks for account by account, hour by hour."""

    def __init__(self, ledger: Storage, hours: list[Window], accounts: Sequence[Account]) -> None:
        self._ledger = ledger
        # An account's receipts are read together with those of the accounts after it.
        self._asked = [
            AskedReceipts(account.user_id, kind, hours)
            for account in accounts
            for kind in account.events.kinds
            if hours
        ]
        self._place_of = {(asked.user_id, asked.kind): place for place, asked in enumerate(self._asked)}
        self._at_a_time = max(RECEIPTS_AT_A_TIME // max(len(hours), 1), 1)
        self._read: dict[tuple[int, EventKind], dict[Window, FoundReceipt]] = {}

    def of(self, user_id: int, kind: EventKind, window: Window) -> FoundReceipt:
        if (user_id, kind) not in self._read and (place := self._place_of.get((user_id, kind))) is not None:
            self._read = self._together(self._asked[place : place + self._at_a_time])
        known = self._read.get((user_id, kind), {})
        return known[window] if window in known else look_up_receipt(self._ledger, user_id, kind, window)

    def _together(self, asked: list[AskedReceipts]) -> dict[tuple[int, EventKind], dict[Window, FoundReceipt]]:
        """If one of an account's cannot be read, each of its receipts is read alone, and only that one is an error."""
        return {
            (each.user_id, each.kind): {}
            if isinstance(found, ReplicationError)
            else dict(zip(each.windows, found, strict=True))
            for each, found in zip(asked, look_up_in_bulk(self._ledger, asked), strict=True)
        }


def _is_complete(receipt: Receipt) -> bool:
    """Return whether running the window again could deliver nothing: it has no record that no window contains."""
    return receipt.state is WindowState.COMPLETE or (
        receipt.state is WindowState.COMPLETE_WITH_QUARANTINE
        and receipt.unplaceable is not None
        and not receipt.counts.quarantined
    )
