"""For a destination that cannot recognise a repeat: what its receipts say it has is not sent again by a later run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from job_history.destinations import Delivery, Destination, OnDelivery
from job_history.documents.staged import StagedDocument
from job_history.ledger.items import items_at
from job_history.ledger.receipt_store import read_receipt
from job_history.model.slice import Slice
from job_history.model.timestamp import parse_time
from job_history.storage import Storage


class SkipDelivered:
    """Hands on the documents that an earlier run of the window has not delivered with these very bytes."""

    def __init__(self, destination: Destination, ledger: Storage, slice_: Slice) -> None:
        self._destination = destination
        self._there = _delivered_before(ledger, slice_, destination.description())

    def description(self) -> dict[str, Any]:
        return self._destination.description()

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        """Deliver what is new; what is there is told as ALREADY_PRESENT. Raises what the destination raises."""

        def new() -> Iterator[StagedDocument]:
            for document in documents:
                if bytes.fromhex(document.sha256) in self._there:
                    on_delivery(document, Delivery.ALREADY_PRESENT)
                else:
                    yield document

        self._destination.deliver(new(), on_delivery)


def _delivered_before(ledger: Storage, slice_: Slice, description: dict[str, Any]) -> set[bytes]:
    """Return the SHA-256 of each document of the slice's part that this very destination has, by the window's receipt."""
    receipt = read_receipt(ledger, slice_.user_id, slice_.kind, slice_.window)
    part = slice_.part
    return {
        bytes.fromhex(item.sha256)
        for path in (receipt.items if receipt else [])
        for item in items_at(ledger, path, description)
        if item.is_delivered and item.sha256 and item.completed_at and parse_time(item.completed_at) in part
    }
