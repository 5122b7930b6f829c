"""What a task makes once for all of its accounts: how a connection reaches a bucket, and the clients for it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from cachetools import LRUCache

MAX_KEPT = 64
"""A client and its session have about 2 MB."""

Made = TypeVar("Made")

_made: ContextVar[LRUCache[Hashable, Any] | None] = ContextVar("made_for_all_accounts", default=None)


@contextmanager
def shared_clients() -> Iterator[None]:
    """Until the block ends, make what has the same key once, however many accounts use it. Then close it.

    At most `MAX_KEPT` are kept, those used last. For tasks: a connection that is changed meanwhile counts for the next
    task. A request or a command makes everything for itself, because the process goes on.
    """
    made: LRUCache[Hashable, Any] = LRUCache(MAX_KEPT)
    token = _made.set(made)
    try:
        yield
    finally:
        _made.reset(token)
        for each in made.values():
            if callable(close := getattr(each, "close", None)):
                close()


def shared(key: Hashable, make: Callable[[], Made]) -> Made:
    """Return what was made for the key in this block, or make it. What `make` raises is not kept."""
    made = _made.get()
    if made is None:
        return make()
    if key not in made:
        made[key] = make()
    return made[key]  # type: ignore[no-any-return]
