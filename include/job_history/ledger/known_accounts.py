"""The accounts as of the last run: a run compares them to notice changed settings, and a list that lost half of
itself.

They are a hint: a file that cannot be decoded stops no run. They are kept as revisions, so that of two reports at once
none is lost.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from job_history.accounts.account import Account
from job_history.accounts.variable import ACCOUNTS_VARIABLE
from job_history.errors import PermanentError
from job_history.ledger.decoding import decoded
from job_history.storage import Storage

log = logging.getLogger(__name__)

FOLDER = "_control/accounts"
VERSION_1 = "_control/accounts.json"
_REVISION = re.compile(rf"{FOLDER}/r(\d{{6,}})\.json")
_UNNOTICED = "Changed settings and lost accounts go unnoticed in this run: %s"


class KnownAccounts(msgspec.Struct):
    """By `user_id`, as text: the settings, a JSON object whose names are in order. They hold no secret."""

    settings: dict[str, msgspec.Raw] = {}

    def __post_init__(self) -> None:
        """Raise ValueError if the settings of an account are no object."""
        if not all(bytes(settings).startswith(b"{") for settings in self.settings.values()):
            raise ValueError("the settings of an account are no object")

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> KnownAccounts:
        return cls({str(account.user_id): _json_of(account) for account in accounts})

    def differing(self, accounts: Iterable[Account]) -> dict[str, msgspec.Raw]:
        """Return the settings of the accounts that are new or were changed."""
        settings = ((str(account.user_id), _json_of(account)) for account in accounts)
        return {user_id: now for user_id, now in settings if self.settings.get(user_id) != now}

    def changes(self, account: Account) -> list[str]:
        """Return each changed setting with both values; nothing for a new account."""
        before = self.settings.get(str(account.user_id))
        if before is None:
            return []
        old, new = dict(_flat(msgspec.json.decode(before))), dict(_flat(account.model_dump(mode="json")))
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
            f"run again. If it was intended, delete the folder {FOLDER} in the ledger, and {VERSION_1} if it is there; "
            'then runs succeed again. To stop an account for a while, pause it instead ("enabled": false).'
        )


class _Newest(NamedTuple):
    """`revision` is 0 if there is none yet."""

    revision: int
    known: KnownAccounts


def read_known_accounts(ledger: Storage) -> KnownAccounts:
    """Return the accounts of the newest revision; none if there is no file, or one that cannot be read or decoded."""
    try:
        return _newest(ledger).known
    except PermanentError as unreadable:
        log.warning(_UNNOTICED, unreadable)
        return KnownAccounts()


def update_known_accounts(ledger: Storage, change: Callable[[KnownAccounts], KnownAccounts]) -> None:
    """Add the changed accounts as the next revision; if another report adds it first, change that one.

    A file that cannot be read or written is a warning.
    """
    refused = 0
    try:
        while True:
            revision, known = _newest(ledger)
            if revision < refused:
                log.warning(_UNNOTICED, f"{ledger.url(_path(refused))} exists and cannot be read. Delete it.")
                return
            changed, refused = change(known), revision + 1
            content = msgspec.json.encode(changed, order="deterministic")
            if changed == known or ledger.create(_path(refused), content):
                return
    except PermanentError as unwritable:
        log.warning(_UNNOTICED, unwritable)


def _path(revision: int) -> str:
    return f"{FOLDER}/r{revision:06d}.json"


def _newest(ledger: Storage) -> _Newest:
    revisions = {int(found[1]): path for path in ledger.paths(FOLDER) if (found := _REVISION.fullmatch(path))}
    revision = max(revisions, default=0)
    path = revisions.get(revision, VERSION_1)
    content = ledger.read(path)
    if content is None:
        return _Newest(revision, KnownAccounts())
    try:
        return _Newest(revision, decoded(content, KnownAccounts, ledger.url(path)))
    except PermanentError as damaged:
        log.warning(_UNNOTICED, damaged)
        return _Newest(revision, KnownAccounts())


def _json_of(account: Account) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(account.model_dump(mode="json"), order="deterministic"))


def _flat(settings: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(settings, dict) and settings:
        for key, value in settings.items():
            yield from _flat(value, f"{name}.{key}" if name else key)
    else:
        yield name, settings


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 100 else f"{text[:97]}..."
