"""The difference between source and destination, document by document, without a write to either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from job_history.accounts.account import Account
from job_history.destinations import Delivery, Destination, OnDelivery
from job_history.documents.staged import StagedDocument, staged_documents
from job_history.ledger.items import items_at
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.run_slice import SliceTools, make_documents
from job_history.redaction import Redaction
from job_history.sources import Source
from job_history.storage import Storage


class Difference(msgspec.Struct, kw_only=True):
    """Of one window. `missing`: not at the destination; `altered`: there with other bytes; `same`: there with these
    bytes.

    `extra`: at the destination by the window's receipt, and no longer listed by the source. The ids are examples of
    each.
    """

    user_id: int
    name: str
    kind: EventKind
    window: Window
    same: int = 0
    missing: int = 0
    altered: int = 0
    extra: int = 0
    filtered: int = 0
    quarantined: int = 0
    missing_ids: list[str] = []
    altered_ids: list[str] = []
    extra_ids: list[str] = []

    @property
    def differs(self) -> bool:
        return bool(self.missing or self.altered or self.extra)


class ByReceipt:
    """A dry run for a destination that cannot be read: it uses what the window's receipt has as delivered."""

    def __init__(self, destination: Destination, ledger: Storage, slice_: Slice) -> None:
        self._destination = destination
        self._delivered = _delivered(ledger, slice_, destination.description())

    def description(self) -> dict[str, Any]:
        return self._destination.description()

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        """Report for each document what the result of a delivery would be."""
        for document in documents:
            sha256 = self._delivered.get(document.key, ("", None))[1]
            if sha256 is None:
                on_delivery(document, Delivery.DELIVERED)
            else:
                on_delivery(document, Delivery.ALREADY_PRESENT if sha256 == document.sha256 else Delivery.CONFLICT)


def difference(
    slice_: Slice,
    account: Account,
    *,
    source: Source[Record],
    dry_run: Destination,
    ledger: Storage,
    scratch: Storage,
    max_document_bytes: int,
    max_examples: int,
    redaction: Redaction | None = None,
) -> Difference:
    """Read the window from its source, make its documents as they would be today, and ask `dry_run` for each.

    `scratch` takes what is staged, and what would go to quarantine. `redaction` is made of the account's rules. Raises
    what the source and the destination raise.
    """
    tools = SliceTools(scratch, scratch, max_document_bytes, redaction)
    _, transformed = make_documents(slice_, account, source, tools)
    reported = Difference(
        user_id=account.user_id,
        name=account.name,
        kind=slice_.kind,
        window=slice_.window,
        filtered=sum(transformed.filtered.values()),
        quarantined=sum(transformed.quarantined.values()),
    )
    extra = _delivered(ledger, slice_, dry_run.description())

    def note(document: StagedDocument, delivery: Delivery, *_: object) -> None:
        extra.pop(document.key, None)
        if delivery is Delivery.ALREADY_PRESENT:
            reported.same += 1
        elif delivery is Delivery.CONFLICT:
            reported.altered += 1
            _add_example(reported.altered_ids, str(document.job_id), max_examples)
        else:
            reported.missing += 1
            _add_example(reported.missing_ids, str(document.job_id), max_examples)

    dry_run.deliver(staged_documents(scratch, transformed.documents_path), note)
    reported.extra = len(extra)
    reported.extra_ids = [job_id for job_id, _ in list(extra.values())[:max_examples]]
    return reported


def _add_example(ids: list[str], job_id: str, limit: int) -> None:
    if len(ids) < limit:
        ids.append(job_id)


def _delivered(ledger: Storage, slice_: Slice, description: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Return id and SHA-256, by key, of what exactly this destination has by the window's receipt.

    The newest list of a key comes last, and wins. Of an account that moved away and back, `elsewhere` has what is here.
    """
    receipt = read_receipt(ledger, slice_.user_id, slice_.kind, slice_.window)
    return {
        item.key: (item.job_id, item.sha256)
        for path in ([*receipt.elsewhere, *reversed(receipt.items)] if receipt else [])
        for item in items_at(ledger, path, description)
        if item.must_be_there and item.key is not None
    }
