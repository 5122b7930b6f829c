"""Notes of preflights in the ledger: which destinations passed, and when those that never passed failed last.

So not every run writes a probe, or posts a message. Each note is about an account under its settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from threading import Lock

import msgspec

from job_history.accounts.account import Account
from job_history.errors.finding import Finding
from job_history.model.timestamp import format_time, parse_time_slug, time_slug
from job_history.storage import Storage

PASSED = "_control/preflight"
FAILED = "_control/preflight_failed"
# A little less than a day, so that the hourly run of the same hour checks again.
RECHECK_AFTER = timedelta(hours=23, minutes=30)


class PreflightNotes:
    """The notes of one plan. Each of their two folders is listed once, however many accounts and checks there are.

    Accounts may be noted in several threads, each account in one.
    """

    def __init__(self, ledger: Storage) -> None:
        self._ledger = ledger
        self._lock = Lock()
        self._passed: set[str] | None = None
        self._failed: dict[int, set[str]] | None = None

    def not_passed(self, accounts: Iterable[Account]) -> list[Account]:
        """Return the accounts that have not passed under their settings."""
        noted = self._passed_paths()
        return [account for account in accounts if _passed_path(account) not in noted]

    def due(self, accounts: Iterable[Account], now: datetime, *, failed_lately: bool = False) -> list[Account]:
        """Return the accounts that have not failed within a day: first those never checked, then the oldest failure.

        `failed_lately`: also those that have.
        """
        never = datetime.min.replace(tzinfo=UTC)
        failed = dict(_name_and_time(path) for paths in self._failed_paths().values() for path in paths)
        last = {_name(account): (failed.get(_name(account)) or never, account) for account in accounts}
        due = [
            (failed_at, account)
            for failed_at, account in last.values()
            if failed_lately or now - failed_at >= RECHECK_AFTER
        ]
        return [account for _, account in sorted(due, key=lambda each: each[0])]

    def note_passed(self, account: Account, found: list[Finding], at: datetime) -> None:
        """Remember that the account passed, with its warnings."""
        path = _passed_path(account)
        self._ledger.write(
            path,
            msgspec.json.encode(
                {
                    "user_id": account.user_id,
                    "settings_hash": account.settings_hash,
                    "passed_at": format_time(at),
                    "warnings": found,
                }
            ),
        )
        self._passed_paths().add(path)
        self._forget_failures(account)

    def note_failed(self, account: Account, found: list[Finding], at: datetime) -> None:
        """Remember when the account failed, in the name of the note, and with which findings."""
        self._forget_failures(account)
        path = f"{FAILED}/{_name(account)}-{time_slug(at)}.json"
        self._ledger.write(path, msgspec.json.encode({"user_id": account.user_id, "findings": found}))
        self._failed_paths()[account.user_id] = {path}

    def forget_passed(self, account: Account) -> None:
        """Have the next run check the account again."""
        self._ledger.delete(_passed_path(account))
        if self._passed is not None:
            self._passed.discard(_passed_path(account))

    def _passed_paths(self) -> set[str]:
        with self._lock:
            if self._passed is None:
                self._passed = set(self._ledger.paths(PASSED))
            return self._passed

    def _failed_paths(self) -> dict[int, set[str]]:
        """Return the notes of failures, by user_id."""
        with self._lock:
            if self._failed is None:
                self._failed = _by_user_id(self._ledger.paths(FAILED))
            return self._failed

    def _forget_failures(self, account: Account) -> None:
        for path in self._failed_paths().pop(account.user_id, set()):
            self._ledger.delete(path)


def _by_user_id(paths: Iterable[str]) -> dict[int, set[str]]:
    """A file of another name is no note, and stops no run."""
    found: dict[int, set[str]] = {}
    for path in paths:
        name, at = _name_and_time(path)
        user_id = name.partition("-")[0]
        if at is not None and user_id.isdecimal():
            found.setdefault(int(user_id), set()).add(path)
    return found


def _name_and_time(path: str) -> tuple[str, datetime | None]:
    """Return whose note of a failure has this path, and of when; None for a file that is no note."""
    name, _, stamp = path.rpartition("/")[2].removesuffix(".json").rpartition("-")
    try:
        return name, parse_time_slug(stamp)
    except ValueError:
        return name, None


def _name(account: Account) -> str:
    return f"{account.user_id}-{account.settings_hash}"


def _passed_path(account: Account) -> str:
    return f"{PASSED}/{_name(account)}.json"
