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
    ring = [item for account in sorted(by_account, key=_place) for item in by_account[account]]
    if not ring or limit <= 0:
        return ring
    first = int(hour.timestamp() // 3600) * limit % len(ring)
    return ring[first:] + ring[:first]


def _place(account: int) -> bytes:
    return hashlib.sha256(str(account).encode()).digest()
