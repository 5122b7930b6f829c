"""Load: deliver the staged documents, and record the outcome of each job or event."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from job_history.accounts.account import Account
from job_history.destinations import CountsCopies, Delivery, Destination
from job_history.documents.staged import StagedDocument, staged_documents
from job_history.errors import PermanentError, TransientError
from job_history.ledger.in_order import in_order
from job_history.ledger.item import Item
from job_history.ledger.items import ItemWriter, ListHeader, item_writer, new_list_path
from job_history.ledger.previous_run import read_previous_run
from job_history.ledger.quarantine import Quarantine
from job_history.ledger.receipt_files import window_folder
from job_history.model.slice import Slice
from job_history.pipeline.load_books import LoadBooks
from job_history.pipeline.results import Extracted, SkippedRecord, SliceOutcome, Transformed
from job_history.progress import Progress, readable_bytes
from job_history.storage import Storage
from job_history.storage.staging import staged_records
from job_history.tables import text_table

log = logging.getLogger(__name__)


def load(
    slice_: Slice,
    account: Account,
    *,
    extracted: Extracted,
    transformed: Transformed,
    destination: Destination,
    staging: Storage,
    ledger: Storage,
    repair: bool = False,
    skip_delivered: bool = False,
    count_repeats: bool = False,
) -> SliceOutcome:
    """Deliver a slice, and write its item list.

    If the account's settings were changed since the window was closed, documents that its receipt has are kept as they
    are, unless this is a `repair`. `skip_delivered` is for destinations that cannot recognise a repeat: documents that
    the receipt has with the same bytes are not sent again, and counted as `repeated` if the acknowledgements have more
    than one copy of them; with `count_repeats` they are sent, and counted as `repeated`.

    Raises PermanentError if the redaction was changed since the transform, TransientError if the counts do not balance,
    and what the destination raises.
    """
    _check_redaction(slice_, account, transformed)
    log.info(
        "Asked for: %s documents (%s) of %s, to %s.",
        f"{transformed.documents:,}",
        readable_bytes(transformed.bytes),
        slice_.about,
        ", ".join(f"{name} {value}" for name, value in destination.description().items()),
    )
    folder = window_folder(slice_.user_id, slice_.kind, slice_.window)
    items_path = new_list_path(folder, slice_.run, f"{slice_.number:04d}")
    header = ListHeader(slice_.user_id, slice_.kind, slice_.window, destination.description())
    previous = read_previous_run(
        ledger, slice_, account, destination.description(), with_delivered=skip_delivered or count_repeats
    )
    with (
        item_writer(ledger, items_path, header) as items,
        in_order(items) as ordered,
        Quarantine(ledger, slice_) as quarantine,
    ):
        books = LoadBooks(
            items=ordered,
            quarantine=quarantine,
            progress=Progress(log, "Delivered", transformed.documents, of=slice_.kind.words),
            previous=previous,
            read_at=extracted.read_at,
        )

        def to_deliver() -> Iterator[StagedDocument]:
            for document in staged_documents(staging, transformed.documents_path, transformed.redaction):
                earlier = None if repair else previous.kept.get(str(document.job_id))
                # Under another prefix it is not there yet.
                if earlier is not None and earlier.key == document.key:
                    books.keep(document.number, earlier)
                elif skip_delivered and bytes.fromhex(document.sha256) in previous.delivered:
                    books.note(document, _delivered_before(document, destination))
                else:
                    yield document

        if count_repeats and isinstance(destination, CountsCopies):
            destination.expect_repeats(previous.delivered)
        destination.deliver(to_deliver(), books.note)
        if transformed.skipped_path is not None:
            _add_skipped(items, staging, transformed.skipped_path)
    outcome = SliceOutcome(
        extracted=extracted,
        transformed=transformed,
        delivered=books.counts[Delivery.DELIVERED] + books.counts[Delivery.REPEATED],
        already_present=books.counts[Delivery.ALREADY_PRESENT] + books.counts[Delivery.REPEATED_BEFORE],
        conflicts=books.counts[Delivery.CONFLICT],
        delivered_bytes=books.delivered_bytes,
        load_seconds=round(books.progress.seconds, 3),
        items_path=items_path,
        quarantine_paths=sorted({*transformed.quarantine_paths, *quarantine.paths}),
        example_keys=books.example_keys,
        destination=destination.description(),
        settings_hash=account.settings_hash,
        repeated=books.counts[Delivery.REPEATED] + books.counts[Delivery.REPEATED_BEFORE],
        lateness=books.lateness,
        repair=repair,
    )
    log.info("Processed %s.", books.progress)
    if books.kept:
        log.info(
            "The account's settings were changed since the window was closed: %s documents that were delivered before "
            "were kept as they are. Mode repair compares them.",
            f"{books.kept:,}",
        )
    log.info("\n%s", _table(outcome))
    _check_balance(slice_, outcome)
    return outcome


def _check_redaction(slice_: Slice, account: Account, transformed: Transformed) -> None:
    if (transformed.redaction.sha256 if transformed.redaction else None) != account.redaction_sha256:
        raise PermanentError(
            f"The redaction of {slice_.about} was changed since its documents were made, so none of them was sent. "
            "Clear its transform task: it makes them by the account's current rules."
        )


def _check_balance(slice_: Slice, outcome: SliceOutcome) -> None:
    if not outcome.balanced:
        raise TransientError(
            f"The counts of {slice_.about} do not balance: of {outcome.extracted.listed:,} listed "
            f"{slice_.kind.words}, {outcome.delivered:,} were delivered, {outcome.already_present:,} already present, "
            f"{outcome.filtered:,} filtered and {outcome.quarantined:,} quarantined. The window stays open; run the "
            "hour again."
        )


def _delivered_before(document: StagedDocument, destination: Destination) -> Delivery:
    """A run that failed after it had sent the document again is in no item list."""
    if isinstance(destination, CountsCopies):
        return destination.delivered_before(document)
    return Delivery.ALREADY_PRESENT


def _add_skipped(items: ItemWriter, staging: Storage, path: str) -> None:
    for job in staged_records(staging, path, SkippedRecord):
        items.append(Item(str(job.job_id), job.completed_at, job.outcome, job.detail))


def _table(outcome: SliceOutcome) -> str:
    rows = {
        "counted by the source": outcome.extracted.counted,
        "listed": outcome.extracted.listed,
        "delivered": outcome.delivered,
        "already present": outcome.already_present,
        "of them late": outcome.lateness.jobs,
        "filtered": outcome.filtered,
        "quarantined": outcome.quarantined,
    }
    return text_table(["jobs", "number"], rows.items())
