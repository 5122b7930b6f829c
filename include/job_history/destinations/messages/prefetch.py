"""Work on an item while the next ones are made."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterator[Item]) -> Generator[Item]:
    """Give the items in order, the next one being made by a thread meanwhile; never more than that one.

    What goes wrong while an item is made is raised when its turn comes: all before it have been given by then.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="one-ahead") as maker:
        upcoming = maker.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = maker.submit(next, items, None)
            yield item


def with_next(items: Iterator[Item]) -> Generator[tuple[Item, Item | None]]:
    """Give each item with the one after it; None after the last, and after one whose next one cannot be made."""
    current = next(items, None)
    while current is not None:
        try:
            following = next(items, None)
        except Exception:
            yield current, None
            raise
        yield current, following
        current = following
