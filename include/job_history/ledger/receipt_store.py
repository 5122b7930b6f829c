"""Where receipts are kept in the ledger, and which of two readings of a window stands."""

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
    """Return where the ledger keeps what belongs to a window: the receipt, and the item lists beside it."""
    return f"receipts/{user_id}/{kind}/{window.start:%Y%m%d}/{window.slug}"


def receipt_path(user_id: int, kind: EventKind, window: Window) -> str:
    return f"{receipt_folder(user_id, kind, window)}/receipt.json"


def read_receipt(ledger: Storage, user_id: int, kind: EventKind, window: Window) -> Receipt | None:
    """Raises PermanentError where what is there is no receipt."""
    path = receipt_path(user_id, kind, window)
    return _decoded(ledger, path, ledger.read(path))


def read_receipts(ledger: Storage, user_id: int, kind: EventKind, windows: Iterable[Window]) -> list[Receipt | None]:
    """Read the receipts of several windows. Raises as above."""
    paths = [receipt_path(user_id, kind, window) for window in windows]
    return [_decoded(ledger, path, content) for path, content in zip(paths, ledger.read_all(paths), strict=True)]


def _decoded(ledger: Storage, path: str, content: bytes | None) -> Receipt | None:
    try:
        return None if content is None else msgspec.json.decode(content, type=Receipt)
    except msgspec.DecodeError as fault:
        raise PermanentError(
            f"{ledger.url(path)} is no receipt ({fault}). Delete it and run the window again."
        ) from fault


def save_receipt(ledger: Storage, receipt: Receipt) -> Receipt:
    """Write a run's receipt over the window's, keep the story of earlier runs, and return what stands now.

    A window that is closed stays closed when a later run of it fails: what was delivered is delivered. The failure is
    told among its runs. A pause owes nothing, and forgives nothing: what failed before it is owed still. Nor does a run that read the source earlier replace one that read it later, whichever ended first;
    nor one that is reported again what a redrive has made of it since.
    """
    window = receipt.window
    earlier = read_receipt(ledger, receipt.user_id, receipt.kind, window)
    stands = receipt
    if earlier is not None and _was_redriven_since(earlier, receipt):
        return earlier
    if earlier is not None:
        runs = [entry for entry in earlier.runs if entry.run != receipt.runs[-1].run] + receipt.runs
        if (earlier.state.closed and (not receipt.state.closed or receipt.read_at < earlier.read_at)) or (
            earlier.state is not WindowState.DISABLED and receipt.state is WindowState.DISABLED
        ):
            stands = earlier
        elif not receipt.state.closed:
            # What earlier runs delivered is still there.
            receipt.items = list(dict.fromkeys([*receipt.items, *earlier.items]))
        stands.runs = runs[-MAX_RUNS_REMEMBERED:]
    ledger.write(
        receipt_path(receipt.user_id, receipt.kind, window), msgspec.json.format(msgspec.json.encode(stands), indent=1)
    )
    if earlier is not None and stands is receipt:
        for path in {*earlier.quarantine} - {*receipt.quarantine}:
            ledger.delete(path)
    return stands


def _was_redriven_since(earlier: Receipt, receipt: Receipt) -> bool:
    runs = [entry.run for entry in earlier.runs]
    if receipt.read_at != earlier.read_at or receipt.runs[-1].run not in runs:
        return False
    return any(run.startswith(REDRIVE) for run in runs[runs.index(receipt.runs[-1].run) + 1 :])


def delete_superseded_items(ledger: Storage, receipt: Receipt, before: datetime) -> None:
    """Delete the window's item lists that the standing receipt does not name, where they were written before then.

    Not at once: an earlier run whose failed slices are cleared still counts on those of its slices that succeeded.
    """
    window = receipt.window
    named = {receipt_path(receipt.user_id, receipt.kind, window), *receipt.items}
    for path in list(ledger.paths_untouched_since(before, below=receipt_folder(receipt.user_id, receipt.kind, window))):
        if path not in named:
            ledger.delete(path)
