"""What other packages return and raise as kinds of destination, held to the interface.

Any error but PermanentError and TransientError is a fault of the package that provides the kind, and so is an answer of
another shape. The error names the package, and shows no text of the exception, because that may quote a secret.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import msgspec

from job_history.destinations import CountsCopies, Delivery, OnDelivery, StoredObject
from job_history.documents.staged import StagedDocument
from job_history.errors import PermanentError, ReplicationError

_OURS = ("job_history.", "job_history_airflow.")


@dataclass(frozen=True)
class Guard:
    """Calls functions of a kind. `name`: of the kind; `package`: with version, for messages."""

    name: str
    package: str

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call it. Raises PermanentError or TransientError, and no other Exception."""
        try:
            return function(*arguments)
        except ReplicationError:
            raise
        except Exception as error:  # noqa: BLE001 - it may be anything
            raise self.failed(error) from None

    def failed(self, error: Exception) -> PermanentError:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return self.broken(f"failed with {type(error).__name__}, in line {where.lineno} of {where.filename}")

    def broken(self, what: str) -> PermanentError:
        """Return the error for what the kind did; `what` follows its name."""
        return PermanentError(
            f"The destination type {self.name!r} {what}. Report this to those who maintain the package "
            f"{self.package}, or install another version of it."
        )

    def expect(self, found: Any, of: type | tuple[type, ...], function: str) -> Any:
        """Return what a function returned. Raises PermanentError if it is of another type."""
        if not isinstance(found, of):
            raise self.broken(f"returned {type(found).__name__} from {function!r}, which is not the interface's type")
        return found

    def destination(self, found: Any, *methods: str) -> Any:
        """Return a destination, or what lists one, that holds to the interface. Ours are returned as they are."""
        if type(found).__module__.startswith(_OURS):
            return found
        if missing := [method for method in methods if not callable(getattr(found, method, None))]:
            raise self.broken(f"returned {type(found).__name__}, which has no {missing[0]!r}")
        counts = isinstance(found, CountsCopies)
        return GuardedCounting(found, self) if counts else GuardedDestination(found, self)


class GuardedDestination:
    """A destination of another package. It reports each document once, or fails."""

    def __init__(self, destination: Any, guard: Guard) -> None:
        self._destination = destination
        self._guard = guard

    def description(self) -> dict[str, Any]:
        found: dict[str, Any] = self._guard.call(self._destination.description)
        self._guard.expect(found, dict, "description")
        if not isinstance(found.get("type"), str) or not _is_json(found):
            raise self._guard.broken("returned a description without 'type', or one that is no JSON")
        return found

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        reports = _Reports(documents, on_delivery, self._guard)
        try:
            self._destination.deliver(reports.taken(), reports.note)
        except ReplicationError:
            if reports.error is None:
                raise
        except Exception as error:  # noqa: BLE001 - it may be anything
            if reports.error is None:
                raise self._guard.failed(error) from None
        reports.check()

    def listing(self, folder: str) -> Iterator[StoredObject]:
        entries = iter(self._guard.call(self._destination.listing, folder))
        while (found := self._guard.call(next, entries, None)) is not None:
            yield self._guard.expect(found, StoredObject, "listing")

    def read(self, key: str) -> bytes | None:
        content: bytes | None = self._guard.call(self._destination.read, key)
        self._guard.expect(content, (bytes, type(None)), "read")
        return content


class GuardedCounting(GuardedDestination):
    """One that also counts copies."""

    def expect_repeats(self, of: AbstractSet[bytes]) -> None:
        self._guard.call(self._destination.expect_repeats, of)

    def delivered_before(self, document: StagedDocument) -> Delivery:
        delivery: Delivery = self._guard.call(self._destination.delivered_before, document)
        self._guard.expect(delivery, Delivery, "delivered_before")
        return delivery


class _Reports:
    """Which documents were given, and not yet reported. `error`: the first that is ours, or shows a broken report.

    It is kept because the other package may catch it. Methods are called from several threads.
    """

    def __init__(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery, guard: Guard) -> None:
        self._documents = documents
        self._on_delivery = on_delivery
        self._guard = guard
        self._open = set[tuple[int, str]]()
        self._all_taken = False
        self.error: Exception | None = None

    def taken(self) -> Iterator[StagedDocument]:
        try:
            for document in self._documents:
                self._open.add((document.number, document.key))
                yield document
        except Exception as error:
            self.error = self.error or error
            raise
        self._all_taken = True

    def note(
        self, document: StagedDocument, delivery: Delivery, e_tag: str | None = None, version_id: str | None = None, /
    ) -> None:
        try:
            self._close(document, delivery)
            self._on_delivery(document, delivery, e_tag, version_id)
        except Exception as error:
            self.error = self.error or error
            raise

    def _close(self, document: StagedDocument, delivery: Delivery) -> None:
        self._guard.expect(delivery, Delivery, "deliver")
        reported = (document.number, document.key)
        if reported not in self._open:
            raise self._guard.broken(f"reported {document.key} twice, or without having been given it")
        self._open.remove(reported)

    def check(self) -> None:
        """Raise what was kept, or PermanentError if documents were left out."""
        if self.error is not None:
            raise self.error from None
        if not self._all_taken:
            raise self._guard.broken("did not take all documents, and raised nothing")
        if self._open:
            raise self._guard.broken(f"did not report {len(self._open):,} documents, {min(self._open)[1]} first")


def _is_json(found: dict[str, Any]) -> bool:
    try:
        msgspec.json.encode(found)
    except (TypeError, ValueError):
        return False
    return True
