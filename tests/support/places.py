"""The places that a run passes on its way, so that a test can strike just there.

Each wrapper does what it wraps does, and calls `passes` with the name of a place before and after: `before list`,
`after put`, ...
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import requests

from job_history.destinations import Delivery, Destination, OnDelivery
from job_history.documents.staged import StagedDocument
from job_history.ledger.receipt_files import receipt_files
from job_history.model.job import JobRecord
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window

Passes = Callable[[str], None]


def in_the_main_thread(passes: Passes) -> Passes:
    """Leave out what other threads pass, which is at no certain time: so the same seed strikes at the same place."""

    def passes_if_there(place: str) -> None:
        if threading.current_thread() is threading.main_thread():
            passes(place)

    return passes_if_there


class WatchedSource:
    """`count`; `list` is the listing's beginning, `fetch` all of its records, and `record` is after each of them."""

    def __init__(self, source: Any, passes: Passes) -> None:
        self._source, self._passes = source, passes

    def count(self, user_id: int, window: Window) -> int:
        self._passes("before count")
        counted: int = self._source.count(user_id, window)
        self._passes("after count")
        return counted

    def counts(self, user_ids: Sequence[int], window: Window) -> list[int]:
        self._passes("before count")
        counted: list[int] = self._source.counts(user_ids, window)
        self._passes("after count")
        return counted

    def unplaceable(self, user_id: int) -> Unplaceable:
        found: Unplaceable = self._source.unplaceable(user_id)
        self._passes("after unplaceable")
        return found

    def unplaceables(self, user_ids: Sequence[int]) -> Generator[Unplaceable]:
        yield from self._source.unplaceables(user_ids)
        self._passes("after unplaceable")

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        self._passes("before ids")
        yield from self._source.ids(user_id, window)
        self._passes("after ids")

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[Any]:
        self._passes("before list")
        with self._source.listing(user_id, window, line_details=line_details) as listing:
            self._passes("after list")
            yield _WatchedListing(listing, self._passes)


class _WatchedListing:
    def __init__(self, listing: Any, passes: Passes) -> None:
        self.counted, self.counted_by = listing.counted, listing.counted_by
        self._listing, self._passes = listing, passes

    def __iter__(self) -> Iterator[JobRecord]:
        self._passes("before fetch")
        for record in self._listing:
            self._passes("record")
            yield record
        self._passes("after fetch")


def _name_of(path: str) -> str:
    if "/acknowledged/" in path:
        return "acknowledgement"
    return "receipt" if receipt_files([path]) else PurePosixPath(path).stem


class WatchedStorage:
    """`stage` is a whole file that is streamed, `write` each piece of it; a file written at once has its own name.

    So the receipt is `before receipt` and `after receipt`. What Sumo Logic took is `before` and `after
    acknowledgement`.
    """

    def __init__(self, storage: Any, passes: Passes) -> None:
        self._storage, self._passes = storage, passes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def write(self, path: str, content: bytes) -> None:
        name = _name_of(path)
        self._passes(f"before {name}")
        self._storage.write(path, content)
        self._passes(f"after {name}")

    def create(self, path: str, content: bytes) -> bool:
        name = _name_of(path)
        self._passes(f"before {name}")
        created: bool = self._storage.create(path, content)
        self._passes(f"after {name}")
        return created

    @contextmanager
    def writer(self, path: str) -> Iterator[Any]:
        self._passes("before stage")
        with self._storage.writer(path) as file:
            write = file.write

            def watched_write(content: Any) -> int:
                self._passes("write")
                written: int = write(content)
                return written

            file.write = watched_write
            yield file
        self._passes("after stage")


class WatchedDestination:
    """`put` is a document: before it is taken up, and after the destination has reported the result."""

    def __init__(self, destination: Destination, passes: Passes) -> None:
        self._destination, self._passes = destination, passes

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        def taken() -> Iterator[StagedDocument]:
            for document in documents:
                self._passes("before put")
                yield document

        def noted(document: StagedDocument, delivery: Delivery, *stored: str | None) -> None:
            on_delivery(document, delivery, *stored)
            self._passes("after put")

        self._destination.deliver(taken(), noted)

    def expect_repeats(self, of: AbstractSet[bytes]) -> None:
        self._destination.expect_repeats(of)  # type: ignore[attr-defined]

    def delivered_before(self, document: StagedDocument) -> Delivery:
        found: Delivery = self._destination.delivered_before(document)  # type: ignore[attr-defined]
        return found

    def description(self) -> dict[str, Any]:
        return self._destination.description()


def watched_session(session: requests.Session, passes: Passes) -> requests.Session:
    """`post` is a request to Sumo Logic: before it is sent, and after its answer, before anything noted it."""
    send = session.send

    def watched_send(*arguments: Any, **options: Any) -> requests.Response:
        passes("before post")
        response = send(*arguments, **options)
        passes("after post")
        return response

    session.send = watched_send  # type: ignore[method-assign]
    return session
