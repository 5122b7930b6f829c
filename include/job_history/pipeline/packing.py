"""Packs small slices of many accounts into convoys, each of which one chain of tasks handles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")

CONVOY_SECONDS = 600.0
"""Estimated seconds that a step of a convoy may take."""
SLICE_SECONDS = 120.0
"""Seconds that a step of a convoy may take for one slice. Then it ends the slice, which gets tasks of its own."""


@dataclass(frozen=True)
class Load:
    """What a slice brings to its convoy. `together`: slices with the same text share a source and a bucket."""

    account: int
    jobs: int
    seconds: float
    together: str = ""


@dataclass(frozen=True)
class Limits:
    """What a convoy may hold. A slice that alone exceeds `jobs`, `seconds` or `slice_seconds` is large, and gets tasks
    of its own: a convoy would end it, and it would be read twice.
    """

    jobs: int
    accounts: int
    seconds: float = CONVOY_SECONDS
    slice_seconds: float = SLICE_SECONDS

    def is_large(self, load: Load) -> bool:
        return load.jobs > self.jobs or load.seconds > min(self.seconds, self.slice_seconds)


@dataclass
class _Convoy(Generic[Item]):
    items: list[Item] = field(default_factory=list)
    accounts: set[int] = field(default_factory=set)
    jobs: int = 0
    seconds: float = 0.0

    def has_room(self, load: Load, limits: Limits) -> bool:
        return (
            self.jobs + load.jobs <= limits.jobs
            and self.seconds + load.seconds <= limits.seconds
            and len(self.accounts | {load.account}) <= limits.accounts
        )

    def add(self, item: Item, load: Load) -> None:
        self.items.append(item)
        self.accounts.add(load.account)
        self.jobs += load.jobs
        self.seconds += load.seconds


def pack(items: Iterable[Item], load_of: Callable[[Item], Load], limits: Limits) -> tuple[list[list[Item]], list[Item]]:
    """Return convoys, and the large items that get none; each item is in one of them, in the order given.

    Items that share a source and a bucket are packed one after the other, so that a convoy has few of both.
    """
    large: list[Item] = []
    groups: dict[str, list[tuple[Item, Load]]] = {}
    for item in items:
        load = load_of(item)
        if limits.is_large(load):
            large.append(item)
        else:
            groups.setdefault(load.together, []).append((item, load))
    convoys = list(_filled((each for group in groups.values() for each in group), limits))
    return convoys, large


def _filled(items: Iterable[tuple[Item, Load]], limits: Limits) -> Iterator[list[Item]]:
    convoy: _Convoy[Item] = _Convoy()
    for item, load in items:
        if convoy.items and not convoy.has_room(load, limits):
            yield convoy.items
            convoy = _Convoy()
        convoy.add(item, load)
    if convoy.items:
        yield convoy.items
