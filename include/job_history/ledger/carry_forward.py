"""Carry forward: what earlier readings of a window delivered, and the new one lacks, is named by the new receipt too.

A receipt never forgets a delivery, whatever its source forgets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from job_history.ledger.item import EARLIER_SETTINGS, Item
from job_history.ledger.items import ListHeader, item_list, item_writer, items_at
from job_history.ledger.outcome import Outcome
from job_history.storage import Storage
from job_history.storage.scratch_database import scratch_database


@dataclass(frozen=True)
class Carried:
    """`path`: the list of the items with outcome `gone`, None if there are none; `count`: their number. `elsewhere`:
    lists of documents that went to another place, for the receipt to name on.
    """

    path: str | None
    count: int
    elsewhere: list[str]


def carry_forward(
    ledger: Storage,
    earlier_lists: Iterable[str],
    new_lists: Iterable[str],
    header: ListHeader,
    to: str,
    *,
    settings_changed: bool = False,
) -> Carried:
    """Write, as the list `to`, the documents of earlier lists at the place of `header` that no new list delivered.

    `earlier_lists`: those of the earlier receipt, the newest first, with its `elsewhere` at the end. If a key is in
    several, the newest counts. `settings_changed`: the account's settings are not those of the earlier receipt, so the
    same jobs would give other documents today. Memory is bounded by the largest list; keys are kept on disk. Writes
    nothing if there is nothing to carry. Raises PermanentError if a list is missing or damaged.
    """
    new = list(new_lists)
    earlier = [path for path in dict.fromkeys(earlier_lists) if path not in new]
    if not earlier:
        return Carried(None, 0, [])
    elsewhere: list[str] = []
    with scratch_database() as database:
        # Without row ids, the table is its own index.
        database.execute("CREATE TABLE known (key TEXT PRIMARY KEY) WITHOUT ROWID")
        add = "INSERT OR IGNORE INTO known VALUES (?)"

        def here() -> Iterator[Item]:
            for path in earlier:
                items = item_list(ledger, path)
                if items.went_to(header.destination):
                    yield from (item for item in items if item.must_be_there)
                else:
                    elsewhere.append(path)

        delivered = (item for path in new for item in items_at(ledger, path, header.destination) if item.is_delivered)
        database.executemany(add, ((item.key,) for item in delivered))
        gone = (
            replace(
                item,
                outcome=Outcome.GONE,
                detail=EARLIER_SETTINGS if settings_changed or item.detail == EARLIER_SETTINGS else None,
            )
            for item in here()
            if database.execute(add, (item.key,)).rowcount
        )
        return _written(ledger, to, header, gone, elsewhere)


def _written(ledger: Storage, to: str, header: ListHeader, gone: Iterator[Item], elsewhere: list[str]) -> Carried:
    """Write the list, if there is an item. `elsewhere` is complete once `gone` has ended."""
    first = next(gone, None)
    if first is None:
        return Carried(None, 0, elsewhere)
    count = 1
    with item_writer(ledger, to, header) as items:
        items.append(first)
        for item in gone:
            items.append(item)
            count += 1
    return Carried(to, count, elsewhere)
