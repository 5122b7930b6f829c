"""Notes of preflights in the ledger: which destinations passed, and when those that never passed failed last.

So not every run writes a probe, or posts a message. Each note is about an account under its settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from job_history.accounts.account import Account
from job_history.errors.finding import Finding
from job_history.model.timestamp import format_time
from job_history.storage import Storage

PASSED = "_control/preflight"
FAILED = "_control/preflight_failed"
# A little less than a day, so that the hourly run of the same hour checks again.
RECHECK_AFTER = timedelta(hours=23, minutes=30)
_STAMP = "%Y%m%dT%H%M%SZ"


class PreflightNotes:
    """Reading costs one listing of a folder, however many accounts there are."""

    def __init__(self, ledger: Storage) -> None:
        self._ledger = ledger

    def not_passed(self, accounts: Iterable[Account]) -> list[Account]:
        """Return the accounts that have not passed under their settings."""
        noted = set(self._ledger.paths(PASSED))
        return [account for account in accounts if _passed_path(account) not in noted]

    def due(self, accounts: Iterable[Account], now: datetime, *, failed_lately: bool = False) -> list[Account]:
        """Return the accounts that have not failed within a day: first those never checked, then the oldest failure.

        `failed_lately`: also those that have.
        """
        failed = self._failures()
        never = datetime.min.replace(tzinfo=UTC)
        last = {_name(account): (failed.get(_name(account), never), account) for account in accounts}
        due = [
            (failed_at, account)
            for failed_at, account in last.values()
            if failed_lately or now - failed_at >= RECHECK_AFTER
        ]
        return [account for _, account in sorted(due, key=lambda each: each[0])]

    def note_passed(self, account: Account, found: list[Finding], at: datetime) -> None:
        """Remember that the account passed, with its warnings."""
        self._ledger.write(
            _passed_path(account),
            msgspec.json.encode(
                {
                    "user_id": account.user_id,
                    "settings_hash": account.settings_hash,
                    "passed_at": format_time(at),
                    "warnings": found,
                }
            ),
        )
        self._forget_failures(account)

    def note_failed(self, account: Account, found: list[Finding], at: datetime) -> None:
        """Remember when the account failed, in the name of the note, and with which findings."""
        self._forget_failures(account)
        path = f"{FAILED}/{_name(account)}-{at.astimezone(UTC):{_STAMP}}.json"
        self._ledger.write(path, msgspec.json.encode({"user_id": account.user_id, "findings": found}))

    def forget_passed(self, account: Account) -> None:
        """Have the next run check the account again."""
        self._ledger.delete(_passed_path(account))

    def _failures(self) -> dict[str, datetime]:
        names = (path.rpartition("/")[2].removesuffix(".json").rpartition("-") for path in self._ledger.paths(FAILED))
        # A file of another name is no note of ours, and a note is a hint: it stops no run.
        return {name: at for name, _, stamp in names if (at := _moment(stamp)) is not None}

    def _forget_failures(self, account: Account) -> None:
        for path in list(self._ledger.paths(FAILED)):
            if path.startswith(f"{FAILED}/{account.user_id}-"):
                self._ledger.delete(path)


def _moment(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _name(account: Account) -> str:
    return f"{account.user_id}-{account.settings_hash}"


def _passed_path(account: Account) -> str:
    return f"{PASSED}/{_name(account)}.json"
