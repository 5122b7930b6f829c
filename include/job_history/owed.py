"""Which windows a run has to do with: those that are complete need nothing, whichever run completed them."""

from __future__ import annotations

from job_history.account import Account
from job_history.event_kind import EventKind
from job_history.plan import Stands
from job_history.receipt import WindowState, read_receipt
from job_history.storage import Storage
from job_history.timestamp import parse_time
from job_history.window import Window


def complete_windows(ledger: Storage) -> Stands:
    """Return what says of a window that it is complete, at the destination that the account has now.

    One that is complete but for quarantine is not: what was mended since is delivered when it is run again. Nor is one whose
    source was read before it was over.
    """

    def stands(account: Account, kind: EventKind, window: Window) -> str | None:
        receipt = read_receipt(ledger, account.user_id, kind, window)
        if receipt is None or receipt.state is not WindowState.COMPLETE:
            return None
        if not receipt.read_at or parse_time(receipt.read_at) < window.end:
            return None
        return receipt.state if receipt.destination_hash == account.destination_hash else None

    return stands
