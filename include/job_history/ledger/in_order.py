"""Items in the order of their documents, although destinations report them in the order in which uploads end."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from job_history.ledger.item import Item
from job_history.ledger.items import ItemWriter
from job_history.storage.scratch_database import scratch_database

MAX_IN_MEMORY = 1_000
"""Items that wait for an earlier one, about 0.5 kB each. Rarely are as many uploads in flight."""


class InOrder:
    """Appends numbered items to a list in the order of their numbers, from 0.

    Items that wait for an earlier one are kept in memory, and those above `MAX_IN_MEMORY` on disk: one upload that
    takes long does not stop the others, of which there may be many meanwhile.
    """

    def __init__(self, items: ItemWriter, database: sqlite3.Connection) -> None:
        self._items = items
        self._next = 0
        self._in_memory: dict[int, Item] = {}
        self._database = database
        self._on_disk = 0
        database.execute("CREATE TABLE waiting (number INTEGER PRIMARY KEY, item BLOB)")

    def add(self, number: int, item: Item) -> None:
        """Add an item, in any order. The caller makes sure that one thread at a time does."""
        if number == self._next:
            self._append(item)
            while (waiting := self._taken(self._next)) is not None:
                self._append(waiting)
        elif len(self._in_memory) < MAX_IN_MEMORY:
            self._in_memory[number] = item
        else:
            self._database.execute(
                "INSERT OR IGNORE INTO waiting VALUES (?, ?)", (number, msgspec.msgpack.encode(item))
            )
            self._on_disk += 1

    def _append(self, item: Item) -> None:
        self._items.append(item)
        self._next += 1

    def _taken(self, number: int) -> Item | None:
        if (item := self._in_memory.pop(number, None)) is not None or not self._on_disk:
            return item
        deleted = self._database.execute("DELETE FROM waiting WHERE number = ? RETURNING item", (number,)).fetchall()
        self._on_disk -= len(deleted)
        return msgspec.msgpack.decode(deleted[0][0], type=Item) if deleted else None


@contextmanager
def in_order(items: ItemWriter) -> Iterator[InOrder]:
    """Open an `InOrder`. What comes after a number that is never added is left out: each document must be reported."""
    with scratch_database() as database:
        yield InOrder(items, database)
