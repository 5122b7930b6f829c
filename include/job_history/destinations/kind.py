"""What a kind of destination is: its settings, and how to open, check and compare one. Others can add kinds.

A kind is an object of the entry-point group `job_history.destinations`; see docs/add-a-destination.md.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

from job_history.accounts.destination_registry import installed
from job_history.accounts.destination_settings import DestinationSettings
from job_history.destinations import Destination, Listable
from job_history.errors import PermanentError, ReplicationError
from job_history.errors.finding import Finding
from job_history.model.place import Place

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.model.slice import Slice
    from job_history.storage import Storage


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a destination is opened for: one slice's documents.

    `upload_concurrency` and `max_message_bytes` are the options of the config. `repair`: replace what differs, and send
    again what was sent. `dry_run`: nothing is written; each document is reported as a delivery would report it; only
    for kinds that are `readable`.
    """

    slice: Slice
    ledger: Storage
    upload_concurrency: int
    max_message_bytes: int
    repair: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class DocumentStore:
    """The store of an account's documents, below the destination's prefix: seals are copied into it.

    `overwrites`: it cannot create only. `description`: as that of the destination.
    """

    storage: Storage
    overwrites: bool
    description: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DestinationKind:
    """A kind of destination. Its functions raise PermanentError or TransientError.

    `name`: the `type` of an account's destination; `title`: what the set-up page calls it; `connection_types`: of the
    Airflow connections that it takes. `open` returns the destination of an account's slice; `check` looks up what the
    preflight needs, and returns the check, which may run in another thread; `place` returns where documents go now,
    None if the settings alone decide it. `open_listing` returns the destination for listing what it holds; None for one
    that cannot be listed. `readable`: a dry run can compare documents with what it holds.
    `open_store` returns the store, for the copy of the seals; None for one that keeps no objects.
    `recognises_repeats`: a document that is delivered again is there once.
    """

    name: str
    title: str
    settings: type[DestinationSettings]
    connection_types: tuple[str, ...]
    open: Callable[[Account, Opening], Destination]
    check: Callable[[Account], Callable[[], list[Finding]]]
    place: Callable[[Account], Place | None]
    open_listing: Callable[[Account], Listable] | None = None
    open_store: Callable[[Account], DocumentStore] | None = None
    readable: bool = False
    recognises_repeats: bool = False

    @property
    def listable(self) -> bool:
        return self.open_listing is not None


def installed_kinds() -> list[DestinationKind]:
    """Return all kinds that can be used, by name."""
    return [guarded(kind, installed().packages[kind.name]) for kind in installed().kinds.values()]


def kind_named(name: str) -> DestinationKind:
    """Return the kind of the name. Raises KeyError if it is not installed; an account that was read has one."""
    return guarded(installed().kinds[name], installed().packages[name])


def kind_of(account: Account) -> DestinationKind:
    """Return the kind of an account's destination."""
    return kind_named(account.destination.type)


def guarded(kind: DestinationKind, package: str) -> DestinationKind:
    """Return the kind with functions that raise no other error than PermanentError and TransientError.

    Any other is a fault of the package that provides the kind. The error names it, and shows no text of the
    exception, because that may quote a secret of the connection.
    """

    def guard(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            except ReplicationError:
                raise
            except Exception as error:  # noqa: BLE001 - it may be anything
                where = traceback.extract_tb(error.__traceback__)[-1]
                raise PermanentError(
                    f"The destination type {kind.name!r} failed with {type(error).__name__}, in line {where.lineno} of "
                    f"{where.filename}. Report this to those who maintain the package {package}, or install another "
                    "version of it."
                ) from None

        return call

    check = guard(kind.check)
    return replace(
        kind,
        open=guard(kind.open),
        check=lambda account: guard(check(account)),
        place=guard(kind.place),
        open_listing=kind.open_listing and guard(kind.open_listing),
        open_store=kind.open_store and guard(kind.open_store),
    )
