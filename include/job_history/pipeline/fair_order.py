"""A fair order: when a limit cuts a list of accounts, the accounts that are left out change every hour."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

Item = TypeVar("Item")


def fair_order(items: Iterable[Item], account_of: Callable[[Item], int], hour: datetime, limit: int) -> list[Item]:
    """Return the items in the order in which a list that is cut after `limit` items takes them.

    The accounts lie on a ring, in the order of a hash of their user_id. Each hour begins where the hour before was cut:
    over any number of hours, two accounts with one item an hour are taken equally often, to within one. An account's
    items stay in the order given, except those of the account that the hour begins in.
    """
    by_account: dict[int, list[Item]] = {}
    for item in items:
        by_account.setdefault(account_of(item), []).append(item)
    ring = [item for account in sorted(by_account, key=_hash) for item in by_account[account]]
    if not ring or limit <= 0:
        return ring
    first = int(hour.timestamp() // 3600) * limit % len(ring)
    return ring[first:] + ring[:first]


def order_of_hour(items: Iterable[Item], account_of: Callable[[Item], int], hour: datetime) -> list[Item]:
    """Return the items in the order in which a list that a time limit cuts takes them: another one each hour.

    How many items are taken is not known before, so the order is that of a hash of account and hour. An account's items
    stay in the order given.
    """
    places: dict[int, bytes] = {}

    def place(item: Item) -> bytes:
        account = account_of(item)
        if account not in places:
            places[account] = _hash(account, int(hour.timestamp() // 3600))
        return places[account]

    return sorted(items, key=place)


def turned(items: list[Item], hour: datetime) -> list[Item]:
    """Return the items, beginning with another one each hour: what a time limit cuts off at the end changes, and what
    lies beside each other stays so.
    """
    if not items:
        return items
    first = int.from_bytes(_hash(int(hour.timestamp() // 3600))) % len(items)
    return items[first:] + items[:first]


def names_of_hour(names: Iterable[str], hour: datetime) -> list[str]:
    """Return the names in the order of the hour: that of a hash of name and hour."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{name} {int(hour.timestamp() // 3600)}".encode()).digest())


def _hash(*numbers: int) -> bytes:
    return hashlib.sha256(" ".join(map(str, numbers)).encode()).digest()
