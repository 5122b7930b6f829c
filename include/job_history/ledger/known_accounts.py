"""The accounts as the last run saw them: by it a run notices changed settings, and a list that lost half of itself."""

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
        """Return the settings of those accounts that are new or were changed."""
        return {
            user_id: settings
            for user_id, settings in KnownAccounts.of(accounts).settings.items()
            if self.settings.get(user_id) != settings
        }

    def changes(self, account: Account) -> list[str]:
        """Say what is set otherwise now, a setting each; nothing for an account that is new."""
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
        """Say so where the list has so few entries that at least half of it is gone; not for a list of one."""
        known = len(self.settings)
        if known < 2 or entries * 2 > known:
            return None
        return (
            f"The Variable {ACCOUNTS_VARIABLE} has {entries} accounts, and had {known}. Whatever is left is replicated. If "
            "that was a mistake, bring the others back: each hour that they miss is owed, and can be run again. If it was "
            f"meant, delete {PATH} in the ledger, and runs succeed again. To stop an account for a while, pause it instead "
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
