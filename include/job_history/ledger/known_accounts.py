"""The accounts as of the last run: a run compares them to notice changed settings, and a list that lost half of
itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from job_history.accounts.account import Account
from job_history.accounts.variable import ACCOUNTS_VARIABLE
from job_history.storage import Storage

PATH = "_control/accounts.json"


class KnownAccounts(msgspec.Struct):
    """By `user_id`, as text: the settings. They name connections, and hold no secret."""

    settings: dict[str, dict[str, Any]] = {}

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> KnownAccounts:
        return cls({str(account.user_id): account.model_dump(mode="json") for account in accounts})

    def differing(self, accounts: Iterable[Account]) -> dict[str, dict[str, Any]]:
        """Return the settings of the accounts that are new or were changed."""
        return {
            user_id: settings
            for user_id, settings in KnownAccounts.of(accounts).settings.items()
            if self.settings.get(user_id) != settings
        }

    def changes(self, account: Account) -> list[str]:
        """Return each changed setting with both values; nothing for a new account."""
        before = self.settings.get(str(account.user_id))
        if before is None:
            return []
        old, new = dict(_flat(before)), dict(_flat(account.model_dump(mode="json")))
        return [
            f"{name}: {_shown(old.get(name))} became {_shown(new.get(name))}"
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        ]

    def lost_half(self, entries: int) -> str | None:
        """Return a problem if at least half of the list is gone; never for a list of one."""
        known = len(self.settings)
        if known < 2 or entries * 2 > known:
            return None
        return (
            f"The Variable {ACCOUNTS_VARIABLE} has {entries} accounts, and had {known}. The remaining ones are "
            "replicated. If that was a mistake, bring the others back: the hours that they missed are open, and can be "
            f"run again. If it was intended, delete {PATH} in the ledger, and runs succeed again. To stop an account "
            "for a while, pause it instead "
            '("enabled": false).'
        )


def read_known_accounts(ledger: Storage) -> KnownAccounts:
    content = ledger.read(PATH)
    return KnownAccounts() if content is None else msgspec.json.decode(content, type=KnownAccounts)


def save_known_accounts(ledger: Storage, known: KnownAccounts) -> None:
    ledger.write(PATH, msgspec.json.encode(known, order="deterministic"))


def _flat(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(settings, dict) and settings:
        for key, value in settings.items():
            yield from _flat(value, f"{name}.{key}" if name else key)
    else:
        yield name, settings


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 100 else f"{text[:97]}..."
