"""What a kind of destination is: its settings, and how to open, check and compare one. Others can add kinds.

A kind is an object of the entry-point group `job_history.destinations`; see docs/add-a-destination.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from types import NoneType
from typing import TYPE_CHECKING, Any

from job_history.accounts.destination_registry import installed
from job_history.accounts.destination_settings import DestinationSettings
from job_history.destinations import Destination, Listable
from job_history.destinations.guard import Guard
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
    """Return the kind with functions that raise and return what the interface allows, and nothing else."""
    guard = Guard(kind.name, package)
    open_listing, open_store = kind.open_listing, kind.open_store

    def checked(check: Callable[[], list[Finding]]) -> list[Finding]:
        findings: list[Finding] = guard.expect(guard.call(check), (list, tuple), "check")
        return [guard.expect(found, Finding, "check") for found in findings]

    return replace(
        kind,
        open=lambda *given: guard.destination(guard.call(kind.open, *given), "deliver", "description"),
        check=lambda account: partial(checked, guard.call(kind.check, account)),
        place=lambda account: guard.expect(guard.call(kind.place, account), (Place, NoneType), "place"),
        open_listing=open_listing
        and (lambda *given: guard.destination(guard.call(open_listing, *given), "listing", "read", "description")),
        open_store=open_store
        and (lambda *given: guard.expect(guard.call(open_store, *given), DocumentStore, "open_store")),
    )
