"""Complete windows: `missing_only` skips them, whichever run completed them."""

from __future__ import annotations

from collections.abc import Callable

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_store import read_receipt, read_receipts
from job_history.model.event_kind import EventKind
from job_history.model.place import Place, place_of
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.pipeline.plan import SkipWindow
from job_history.storage import Storage

PlaceOf = Callable[[Account], Place | None]


def complete_windows(ledger: Storage, account_place: PlaceOf, asked: Window | None = None) -> SkipWindow:
    """Return a predicate: is this window already complete at the account's current destination?

    `account_place` returns where an account's connection leads to now, or None if the settings alone decide it. It is
    called once an account, and only for accounts with a complete window. `asked`: the window of the run; if it has
    several hours, an account's receipts are read together, with one listing for each day.

    A window with quarantined records is not skipped: records that were fixed since are delivered when it runs again.
    One that is complete with quarantine only because of its account's unplaceable records is skipped. A window whose
    source was read before it ended is not skipped.
    """
    places: dict[int, Place | None] = {}
    receipts = _Receipts(ledger, list(asked.hours()) if asked else [])

    def leads_elsewhere(account: Account, receipt: Receipt) -> bool:
        if account.user_id not in places:
            places[account.user_id] = account_place(account)
        now, then = places[account.user_id], place_of(receipt.destination)
        # The receipt of no jobs may not know where they would have gone.
        return now is not None and then.name is not None and not then.is_same(now)

    def skip(account: Account, kind: EventKind, window: Window) -> str | None:
        receipt = receipts.of(account.user_id, kind, window)
        if receipt is None or not _is_complete(receipt):
            return None
        if not receipt.read_at or parse_time(receipt.read_at) < window.end:
            return None
        if receipt.destination_hash != account.destination_hash or leads_elsewhere(account, receipt):
            return None
        return receipt.state

    return skip


class _Receipts:
    """The receipts of one account at a time, which the plan asks for hour by hour."""

    def __init__(self, ledger: Storage, hours: list[Window]) -> None:
        self._ledger, self._hours = ledger, hours
        self._user_id: int | None = None
        self._read: dict[EventKind, dict[Window, Receipt | None]] = {}

    def of(self, user_id: int, kind: EventKind, window: Window) -> Receipt | None:
        if len(self._hours) < 2:
            return read_receipt(self._ledger, user_id, kind, window)
        if user_id != self._user_id:
            self._user_id, self._read = user_id, {}
        if kind not in self._read:
            self._read[kind] = self._together(user_id, kind)
        known = self._read[kind]
        return known[window] if window in known else read_receipt(self._ledger, user_id, kind, window)

    def _together(self, user_id: int, kind: EventKind) -> dict[Window, Receipt | None]:
        """Return nothing if one of them is damaged: each is read by itself then, and only that one is an error."""
        try:
            return dict(zip(self._hours, read_receipts(self._ledger, user_id, kind, self._hours), strict=True))
        except PermanentError:
            return {}


def _is_complete(receipt: Receipt) -> bool:
    """Return whether running the window again could deliver nothing: it has no record that no window contains."""
    return receipt.state is WindowState.COMPLETE or (
        receipt.state is WindowState.COMPLETE_WITH_QUARANTINE
        and receipt.unplaceable is not None
        and not receipt.counts.quarantined
    )
