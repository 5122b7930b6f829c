"""Which damaged objects a repair has brought back: only those that its load has written, or seen at the destination."""

from __future__ import annotations

from collections.abc import Iterable

from job_history.ledger.open_windows import OpenWindow
from job_history.ledger.receipt import Receipt
from job_history.reconciliation.findings import DamagedObject, Objects
from job_history.storage import Storage
from job_history.storage.scratch_database import scratch_database


def not_back(
    damaged: Iterable[DamagedObject], receipts: Iterable[Receipt], ledger: Storage
) -> dict[OpenWindow, Objects]:
    """Return the windows with damaged objects that their repair has not brought back, each with their number and keys.

    `receipts` are those of the repair's own runs: a window without one was not repaired. Raises what the ledger raises.
    """
    # It needs pyarrow, which each process that parses the DAGs would wait for.
    from job_history.ledger.items import items_at  # noqa: PLC0415

    with scratch_database() as database:
        database.execute("CREATE TABLE damaged (place TEXT, key TEXT, PRIMARY KEY (place, key)) WITHOUT ROWID")
        windows: dict[str, OpenWindow] = {}
        for each in damaged:
            window = OpenWindow(each.user_id, each.kind, each.window)
            windows[window.path] = window
            database.execute("INSERT OR IGNORE INTO damaged VALUES (?, ?)", (window.path, each.key))
        for receipt in receipts:
            place = OpenWindow.of(receipt).path
            if place not in windows or not receipt.state.closed:
                continue
            database.executemany(
                "DELETE FROM damaged WHERE place = ? AND key = ?",
                ((place, item.key) for path in receipt.items for item in items_at(ledger, path) if item.is_delivered),
            )
        left: dict[OpenWindow, Objects] = {}
        for place, key in database.execute("SELECT place, key FROM damaged ORDER BY place, key"):
            left.setdefault(windows[place], Objects()).add(key)
        return left
