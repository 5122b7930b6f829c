"""The entries of the Variable, each read as the DAGs read it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from job_history.accounts.account import Account
from job_history.accounts.variable import errors_by_place

Faults = dict[str, list[str]]
"""What is wrong with an entry, in sentences, by where it is: `destination.bucket`."""


@dataclass(frozen=True)
class Row:
    """An entry, as the table shows it. `account` is None where it cannot be used."""

    position: int
    account: Account | None
    user_id: str
    name: str
    faults: list[str]


def rows_of(entries: list[Any]) -> list[Row]:
    times_named = Counter(shown(entry, "user_id") for entry in entries)
    rows = []
    for position, entry in enumerate(entries):
        account, faults = read_entry(entry, times_named - Counter([shown(entry, "user_id")]))
        rows.append(Row(position, account, shown(entry, "user_id"), shown(entry, "name"), sentences(faults)))
    return rows


def read_entry(entry: Any, others: Counter[str]) -> tuple[Account | None, Faults]:
    """Return the account, or what is wrong with its entry. `others`: how often the other entries have which user_id."""
    try:
        account = Account.model_validate(entry)
    except ValidationError as invalid:
        return None, errors_by_place(invalid)
    if others[str(account.user_id)]:
        return None, {"user_id": [f"user_id {account.user_id} is there more than once; keep one of the entries"]}
    return account, {}


def user_ids_but(entries: list[Any], position: int | None) -> Counter[str]:
    """Count the user_ids of all entries but the one at the position."""
    return Counter(shown(entry, "user_id") for number, entry in enumerate(entries) if number != position)


def sentences(faults: Faults) -> list[str]:
    return [f"{place}: {detail}" if place else detail for place, all_said in faults.items() for detail in all_said]


def shown(entry: Any, key: str) -> str:
    """Return a value of an entry as text; nothing where it has none, or is no object at all."""
    return str(entry[key]) if isinstance(entry, dict) and key in entry else ""
