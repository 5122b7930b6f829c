"""The objects that a bucket should hold by the receipts.

They are kept on disk, because they grow with the look-back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import NamedTuple

from job_history.destinations import StoredObject
from job_history.documents.object_key import began_at, day_folder
from job_history.ledger.item import Item
from job_history.model.window import Window
from job_history.storage.scratch_database import scratch_database


class Damage(NamedTuple):
    """An object that is missing or has other bytes than were delivered; `window` is the slug of the window that
    delivered it.
    """

    window: str
    key: str
    is_lost: bool


class ExpectedObjects:
    """Objects by key, each with the window whose receipt names it."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.create_function("shuffled", 1, lambda text: sha256(text.encode()).digest(), deterministic=True)
        database.execute(
            "CREATE TABLE expected (key TEXT PRIMARY KEY, bytes INT, e_tag TEXT, window TEXT, folder TEXT, found INT)"
        )
        # Documents that are named, and must not be there: conflicts, whose object is another document's.
        database.execute("CREATE TABLE named (key TEXT PRIMARY KEY) WITHOUT ROWID")
        database.execute("CREATE TABLE unlisted (folder TEXT, began TEXT, key TEXT, PRIMARY KEY (folder, began, key))")

    def add(self, window: str, items: Iterable[Item]) -> None:
        for item in items:
            if item.key is None:
                continue
            if item.must_be_there:
                self._database.execute(
                    "INSERT OR REPLACE INTO expected VALUES (?, ?, ?, ?, ?, 0)",
                    (item.key, item.bytes, item.e_tag, window, day_folder(item.key)),
                )
            else:
                self._database.execute("INSERT OR IGNORE INTO named VALUES (?)", (item.key,))

    def __len__(self) -> int:
        return int(self._database.execute("SELECT count(*) FROM expected").fetchone()[0])

    def folders(self) -> list[str]:
        """Return the folders to list: one for each recipe and day, of which a window has few."""
        return [folder for (folder,) in self._database.execute("SELECT DISTINCT folder FROM expected ORDER BY folder")]

    def note(self, folder: str, objects: Iterable[StoredObject]) -> None:
        """Note which objects exist: with the bytes that were delivered, or with others, or named by no receipt."""
        for stored in objects:
            noted = self._database.execute(
                "UPDATE expected SET found = CASE WHEN bytes = ?1 AND coalesce(e_tag = ?2, TRUE) THEN 1 ELSE 2 END "
                "WHERE key = ?3",
                (stored.bytes, stored.e_tag, stored.key),
            )
            if not noted.rowcount:
                self._database.execute(
                    "INSERT OR IGNORE INTO unlisted SELECT ?1, ?2, ?3 WHERE NOT EXISTS "
                    "(SELECT 1 FROM named WHERE key = ?3)",
                    (folder, began_at(stored.key), stored.key),
                )

    def unlisted(self, folder: str, hours: Window, limit: int) -> tuple[list[str], int]:
        """Return keys that exist and that no receipt names, and how many of them were left out.

        They are those that are no key of a document, and, of the others, at most `limit` of those that began in these
        hours by the time in the key: in an order that changes with `hours`, so that no key is left out each time.
        """
        bad = self._database.execute("SELECT key FROM unlisted WHERE folder = ? AND began = '' ORDER BY key", (folder,))
        good = "FROM unlisted WHERE folder = ? AND began >= ? AND began < ?"
        these = (folder, hours.start_text, hours.end_text)
        ((count,),) = self._database.execute(f"SELECT count(*) {good}", these)
        taken = self._database.execute(
            f"SELECT key {good} ORDER BY shuffled(key || ?) LIMIT ?", (*these, hours.end_text, limit)
        )
        return [key for rows in (bad, sorted(taken)) for (key,) in rows], max(0, count - limit)

    def damages(self) -> Iterator[Damage]:
        for window, key, found in self._database.execute(
            "SELECT window, key, found FROM expected WHERE found <> 1 ORDER BY window, key"
        ):
            yield Damage(window, key, is_lost=not found)


@contextmanager
def expected_objects() -> Iterator[ExpectedObjects]:
    """Open an empty collection in a temporary file."""
    with scratch_database() as database:
        yield ExpectedObjects(database)
