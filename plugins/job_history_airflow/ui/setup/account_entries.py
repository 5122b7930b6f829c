"""The entries of the Variable with the accounts: how an address names one, and whether a run can use it."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from job_history.accounts.account import Account
from job_history.accounts.variable import errors_by_place

_USER_ID = re.compile(r"[0-9]{1,21}")
ENTRY_ID = rf"^({_USER_ID.pattern}|entry-[0-9a-f]{{16}})$"
"""What addresses call an entry: its user_id; or a hash of its content if no other entry may have the same name."""

ROWS_A_PAGE = 250

Errors = dict[str, list[str]]
"""The errors of an entry, in sentences, by place: `destination.bucket`."""


@dataclass(frozen=True)
class Row:
    """An entry as the table shows it. `account` is None if the entry cannot be used."""

    id: str
    account: Account | None
    user_id: str
    name: str
    errors: list[str]


@dataclass(frozen=True)
class Rows:
    """One page of the entries that match a search: `of` pages, the first is 1."""

    rows: list[Row]
    page: int
    of: int


def rows_of(entries: list[Any], search: str, page: int) -> Rows:
    """Return a page of the entries whose user_id and name contain the search; the last one if there are fewer."""
    wanted = search.casefold()
    found = [
        (entry_id, entry)
        for entry_id, entry in zip(entry_ids(entries), entries, strict=True)
        if wanted in f"{text_of(entry, 'user_id')} {text_of(entry, 'name')}".casefold()
    ]
    of = max(1, -(-len(found) // ROWS_A_PAGE))
    page = min(page, of)
    times_named = Counter(text_of(entry, "user_id") for entry in entries)
    rows = []
    for entry_id, entry in found[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE]:
        user_id = text_of(entry, "user_id")
        times_named[user_id] -= 1
        account, errors = read_entry(entry, times_named)
        times_named[user_id] += 1
        rows.append(Row(entry_id, account, user_id, text_of(entry, "name"), sentences(errors)))
    return Rows(rows, page, of)


def entry_ids(entries: list[Any]) -> list[str]:
    """Return what addresses call each entry.

    Equal entries have equal ids: it makes no difference which one is meant.
    """
    times_named = Counter(text_of(entry, "user_id") for entry in entries)
    return [
        user_id
        if _USER_ID.fullmatch(user_id := text_of(entry, "user_id")) and times_named[user_id] == 1
        else f"entry-{_content_hash(entry)}"
        for entry in entries
    ]


def position_of(entries: list[Any], entry_id: str) -> int | None:
    """Return the position of the entry that an address names, or None if there is none."""
    return next((number for number, each in enumerate(entry_ids(entries)) if each == entry_id), None)


def read_entry(entry: Any, others: Counter[str]) -> tuple[Account | None, Errors]:
    """Return the account, or the errors of its entry. `others` counts the user_ids of the other entries."""
    try:
        account = Account.model_validate(entry)
    except ValidationError as invalid:
        return None, errors_by_place(invalid)
    if others[str(account.user_id)]:
        return None, {"user_id": [f"user_id {account.user_id} is there more than once; keep one of the entries"]}
    return account, {}


def user_ids_except(entries: list[Any], position: int | None) -> Counter[str]:
    """Count the user_ids of all entries except the one at the position."""
    return Counter(text_of(entry, "user_id") for number, entry in enumerate(entries) if number != position)


def sentences(errors: Errors) -> list[str]:
    return [f"{place}: {each}" if place else each for place, of_place in errors.items() for each in of_place]


def text_of(entry: Any, key: str) -> str:
    """Return a value of an entry as text; empty if it has none, or is not an object."""
    return str(entry[key]) if isinstance(entry, dict) and key in entry else ""


def _content_hash(entry: Any) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()[:16]
