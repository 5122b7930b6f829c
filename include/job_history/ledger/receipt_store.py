"""Stores receipts in the ledger, and decides which of two readings of a window is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from job_history.errors import PermanentError
from job_history.ledger.receipt import REDRIVE, Receipt, WindowState
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage

MAX_RUNS_REMEMBERED = 50


def receipt_folder(user_id: int, kind: EventKind, window: Window) -> str:
    """Return the folder of a window in the ledger: the receipt, and the item lists beside it."""
    return f"receipts/{user_id}/{kind}/{window.start:%Y%m%d}/{window.slug}"


def receipt_path(user_id: int, kind: EventKind, window: Window) -> str:
    return f"{receipt_folder(user_id, kind, window)}/receipt.json"


def read_receipt(ledger: Storage, user_id: int, kind: EventKind, window: Window) -> Receipt | None:
    """Read a receipt; None if there is none. Raises PermanentError if the file is not a receipt."""
    path = receipt_path(user_id, kind, window)
    return _decoded(ledger, path, ledger.read(path))


def read_receipts(ledger: Storage, user_id: int, kind: EventKind, windows: Iterable[Window]) -> list[Receipt | None]:
    """Read the receipts of several windows. Raises as above."""
    paths = [receipt_path(user_id, kind, window) for window in windows]
    return [_decoded(ledger, path, content) for path, content in zip(paths, ledger.read_all(paths), strict=True)]


def _decoded(ledger: Storage, path: str, content: bytes | None) -> Receipt | None:
    try:
        return None if content is None else msgspec.json.decode(content, type=Receipt)
    except msgspec.DecodeError as error:
        raise PermanentError(
            f"{ledger.url(path)} is not a receipt ({error}). Delete it and run the window again."
        ) from error


def save_receipt(ledger: Storage, receipt: Receipt) -> Receipt:
    """Merge a run's receipt into the window's, with the entries of earlier runs, and return the one that is kept.

    Rules, in order: (1) a report repeated after a redrive changes nothing; (2) a closed window stays closed; (3) the
    later reading of the source wins; (4) a pause does not clear an earlier failure.
    """
    window = receipt.window
    earlier = read_receipt(ledger, receipt.user_id, receipt.kind, window)
    newest = receipt
    if earlier is not None and _was_redriven_since(earlier, receipt):
        return earlier
    if earlier is not None:
        runs = [entry for entry in earlier.runs if entry.run != receipt.runs[-1].run] + receipt.runs
        if (earlier.state.closed and (not receipt.state.closed or receipt.read_at < earlier.read_at)) or (
            earlier.state is not WindowState.DISABLED and receipt.state is WindowState.DISABLED
        ):
            newest = earlier
        elif not receipt.state.closed:
            # What earlier runs delivered is still at the destination.
            receipt.items = list(dict.fromkeys([*receipt.items, *earlier.items]))
        newest.runs = runs[-MAX_RUNS_REMEMBERED:]
    ledger.write(
        receipt_path(receipt.user_id, receipt.kind, window), msgspec.json.format(msgspec.json.encode(newest), indent=1)
    )
    if earlier is not None and newest is receipt:
        for path in {*earlier.quarantine} - {*receipt.quarantine}:
            ledger.delete(path)
    return newest


def _was_redriven_since(earlier: Receipt, receipt: Receipt) -> bool:
    runs = [entry.run for entry in earlier.runs]
    if receipt.read_at != earlier.read_at or receipt.runs[-1].run not in runs:
        return False
    return any(run.startswith(REDRIVE) for run in runs[runs.index(receipt.runs[-1].run) + 1 :])


def delete_superseded_items(ledger: Storage, receipt: Receipt, before: datetime) -> None:
    """Delete the window's item lists that `receipt` does not name and that were written before then.

    Not at once: an earlier run whose failed slices are cleared still needs the lists of its slices that succeeded.
    """
    window = receipt.window
    named = {receipt_path(receipt.user_id, receipt.kind, window), *receipt.items}
    for path in list(ledger.paths_untouched_since(before, below=receipt_folder(receipt.user_id, receipt.kind, window))):
        if path not in named:
            ledger.delete(path)
