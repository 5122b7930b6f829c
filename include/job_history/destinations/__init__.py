"""Where documents go. A destination takes a stream of them and reports the result of each."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from job_history.documents.staged import StagedDocument


class Delivery(StrEnum):
    """What a destination did with a document.

    REPEATED: delivered, and may be there more than once. REPEATED_BEFORE: it was there already, maybe more than once,
    and was not sent. CONFLICT: its key was there with other bytes, and was left so.
    """

    DELIVERED = "delivered"
    REPEATED = "repeated"
    REPEATED_BEFORE = "repeated_before"
    ALREADY_PRESENT = "already_present"
    CONFLICT = "conflict"


class OnDelivery(Protocol):
    """Called once with the result of each document, in any order.

    `e_tag` is the store's digest of the bytes, and `version_id` its version of the object, if it has them. It may be
    called from several threads: a destination may take its documents in one, and report them in another.
    """

    def __call__(
        self, document: StagedDocument, delivery: Delivery, e_tag: str | None = None, version_id: str | None = None, /
    ) -> None: ...


class Destination(Protocol):
    """What the contract suite for destinations holds each of them to."""

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        """Deliver every document, and call `on_delivery` once for each, in any order.

        Raises PermanentError or TransientError at the first fault of the destination itself; what was delivered until
        then stays, and a second call finds it there.
        """
        ...

    def description(self) -> dict[str, Any]:
        """Return the destination's description for receipts, without secrets."""
        ...


@runtime_checkable
class CountsCopies(Protocol):
    """A destination that cannot recognise a repeat, and has a record of what was sent to it."""

    def expect_repeats(self, of: AbstractSet[bytes]) -> None:
        """Record each of these documents (their SHA-256), which a receipt has as delivered here, as repeated if it is
        sent. Call this before `deliver`.
        """
        ...

    def delivered_before(self, document: StagedDocument) -> Delivery:
        """Return ALREADY_PRESENT or REPEATED_BEFORE for a document that a receipt has as delivered here.

        Raises PermanentError or TransientError.
        """
        ...


class StoredObject(NamedTuple):
    """An object as a listing shows it."""

    key: str
    bytes: int
    e_tag: str | None


class Listable(Protocol):
    """A destination that can say what it holds. Faults are PermanentError or TransientError."""

    def listing(self, folder: str) -> Iterator[StoredObject]:
        """List the objects whose keys begin with the folder."""
        ...

    def read(self, key: str) -> bytes | None:
        """Return an object; None if there is none."""
        ...

    def description(self) -> dict[str, Any]:
        """Return the destination's description for receipts."""
        ...
