"""Which accounts' destinations have passed, under which settings: so that not every run writes a probe, or posts a message."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from job_history.accounts.account import Account
from job_history.errors.finding import Finding
from job_history.model.timestamp import format_time
from job_history.storage import Storage

FOLDER = "_control/preflight"


class PassedPreflights:
    """A small file of the ledger for each account and settings that passed. Not there: the next run checks."""

    def __init__(self, ledger: Storage) -> None:
        self._ledger = ledger

    def lacking(self, accounts: Iterable[Account]) -> list[Account]:
        """Return those of the accounts that have not passed under their settings."""
        # One listing, however many accounts there are.
        noted = set(self._ledger.paths(FOLDER))
        return [account for account in accounts if _path(account) not in noted]

    def note(self, account: Account, found: list[Finding], at: datetime) -> None:
        """Remember that the account passed, with the warnings that it got."""
        self._ledger.write(
            _path(account),
            msgspec.json.encode(
                {
                    "user_id": account.user_id,
                    "settings_hash": account.settings_hash,
                    "passed_at": format_time(at),
                    "warnings": found,
                }
            ),
        )

    def forget(self, account: Account) -> None:
        """Have the next run check the account again."""
        self._ledger.delete(_path(account))


def _path(account: Account) -> str:
    return f"{FOLDER}/{account.user_id}-{account.settings_hash}.json"
