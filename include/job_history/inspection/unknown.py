"""Unknown objects of an account: the whole folder is listed, and each object looked for in every receipt."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import islice

import msgspec

from job_history.accounts.account import Account
from job_history.destinations import Listable
from job_history.documents.object_key import began_at
from job_history.ledger.items import item_lists
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import receipt_files
from job_history.ledger.receipt_store import read_by_files
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.reconciliation.findings import Objects
from job_history.reconciliation.unknown_objects import is_unknown
from job_history.storage import Storage
from job_history.storage.scratch_database import scratch_database

RECEIPTS_AT_ONCE = 200


class UnknownObjects(msgspec.Struct):
    """Of one account, in its whole folder."""

    account: str
    objects: Objects


def unknown_objects(account: Account, window: Window, bucket: Listable, ledger: Storage) -> UnknownObjects:
    """Return the objects in the account's folder that no receipt names and whose document is of a closed hour of
    `window`, or which are no documents. Nothing is written.

    Also of kinds of events that are switched off. Keys are kept on disk. Raises what the bucket and the ledger raise.
    """
    unknown, closed = Objects(), set[tuple[EventKind | None, Window]]()
    with scratch_database() as database:
        database.execute("CREATE TABLE listed (key TEXT PRIMARY KEY, began TEXT) WITHOUT ROWID")
        prefix = getattr(account.destination, "prefix", "")
        folder = f"{prefix}/{account.user_id}" if prefix else str(account.user_id)
        database.executemany(
            "INSERT OR IGNORE INTO listed VALUES (?, ?)",
            ((each.key, began_at(each.key)) for each in bucket.listing(folder) if not _is_of_another(each.key, folder)),
        )
        # A document is not of an hour before its own beginning.
        database.execute("DELETE FROM listed WHERE began >= ?", (window.end_text,))
        for receipt in _receipts(ledger, account):
            if receipt.state.closed and receipt.window.is_within(window):
                closed.add((receipt.kind, receipt.window))
            _take_out(database, receipt, ledger)
        for (key,) in database.execute("SELECT key FROM listed ORDER BY key"):
            kind = _kind_in(key, folder)
            if is_unknown(bucket, key, is_closed=lambda hour, kind=kind: (kind, hour) in closed):  # type: ignore[misc]
                unknown.add(key)
    return UnknownObjects(account.label, unknown)


def _is_of_another(key: str, folder: str) -> bool:
    """Return whether an object is of an account whose prefix lies in this folder: its document, or `_control/`."""
    if key.startswith(f"{folder}/_control/"):
        return True
    return _kind_in(key, folder) is None and bool(began_at(key))


def _kind_in(key: str, folder: str) -> EventKind | None:
    return next((kind for kind in EventKind if key.startswith(f"{folder}/{kind}/")), None)


def _receipts(ledger: Storage, account: Account) -> Iterator[Receipt]:
    files = iter(receipt_files(ledger.paths(f"receipts/{account.user_id}")).values())
    while some := list(islice(files, RECEIPTS_AT_ONCE)):
        yield from (receipt for receipt in read_by_files(ledger, some) if receipt is not None)


def _take_out(database: sqlite3.Connection, receipt: Receipt, ledger: Storage) -> None:
    for items in item_lists(ledger, [*receipt.items, *receipt.elsewhere]):
        database.executemany("DELETE FROM listed WHERE key = ?", ((item.key,) for item in items if item.key))
