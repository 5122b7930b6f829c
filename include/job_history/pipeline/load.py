"""Load: deliver the staged documents, and record the outcome of each job or event."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from job_history.accounts.account import Account
from job_history.destinations import CountsCopies, Delivery, Destination
from job_history.documents.staged import StagedDocument, staged_documents
from job_history.errors import PermanentError, TransientError
from job_history.ledger.in_order import InOrder, in_order
from job_history.ledger.item import Item
from job_history.ledger.items import ItemWriter, ListHeader, item_writer, new_list_path
from job_history.ledger.lateness import Late, Lateness
from job_history.ledger.outcome import Outcome
from job_history.ledger.previous_run import PreviousRun, read_previous_run
from job_history.ledger.quarantine import Quarantine
from job_history.ledger.receipt_files import window_folder
from job_history.limited_log import LimitedLog
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted, SkippedRecord, SliceOutcome, Transformed
from job_history.progress import Progress, readable_bytes
from job_history.storage import Storage
from job_history.storage.staging import staged_records
from job_history.tables import text_table

log = logging.getLogger(__name__)

EXAMPLE_KEYS = 3
_OUTCOMES = {
    Delivery.DELIVERED: Outcome.DELIVERED,
    Delivery.REPEATED: Outcome.DELIVERED,
    Delivery.REPEATED_BEFORE: Outcome.ALREADY_PRESENT,
    Delivery.ALREADY_PRESENT: Outcome.ALREADY_PRESENT,
    Delivery.CONFLICT: Outcome.QUARANTINED,
}


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
        books = _Books(
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


@dataclass
class _Books:
    """Records the outcome of each document as it happens: the items, and their sums. Called from several threads."""

    items: InOrder
    quarantine: Quarantine
    progress: Progress
    previous: PreviousRun
    read_at: str
    counts: dict[Delivery, int] = field(default_factory=lambda: dict.fromkeys(Delivery, 0))
    delivered_bytes: int = 0
    example_keys: list[str] = field(default_factory=list)
    lateness: Lateness = field(default_factory=Lateness)
    kept: int = 0
    conflicts: LimitedLog = field(default_factory=lambda: LimitedLog(log))
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def note(
        self, document: StagedDocument, delivery: Delivery, e_tag: str | None = None, version_id: str | None = None, /
    ) -> None:
        if delivery is Delivery.DELIVERED and bytes.fromhex(document.sha256) in self.previous.delivered:
            delivery = Delivery.REPEATED
        with self.one_at_a_time:
            size = len(document.body) + 1
            if delivery in {Delivery.DELIVERED, Delivery.REPEATED}:
                self.delivered_bytes += size
            if delivery is Delivery.CONFLICT:
                self.quarantine.add_conflict(document.job_id, document.key, document.sha256, document.body)
                self.conflicts.error(
                    "Conflict: %s exists already, with other bytes. It was left as it is.", document.key
                )
            late = self.previous.late(str(document.job_id), document.completed_at, self.read_at)
            self._add(document.number, delivery, _item(document, delivery, size, (e_tag, version_id), late))

    def keep(self, number: int, earlier: Item) -> None:
        """Keep a document as an earlier run delivered it."""
        with self.one_at_a_time:
            self.kept += 1
            self._add(number, Delivery.ALREADY_PRESENT, earlier)

    def _add(self, number: int, delivery: Delivery, item: Item) -> None:
        self.counts[delivery] += 1
        if item.late is not None:
            self.lateness.add(item.late)
        # The first by name: which uploads end first is chance, and a receipt should be the same each time.
        is_early = len(self.example_keys) < EXAMPLE_KEYS or (item.key or "") < self.example_keys[-1]
        if item.is_delivered and item.key is not None and is_early:
            self.example_keys[:] = sorted([*self.example_keys, item.key])[:EXAMPLE_KEYS]
        self.items.add(number, item)
        self.progress.add(item.bytes or 0)


def _item(
    document: StagedDocument,
    delivery: Delivery,
    size: int,
    stored: tuple[str | None, str | None],
    late: Late | None,
) -> Item:
    # What a conflict has is another document's.
    e_tag, version_id = (None, None) if delivery is Delivery.CONFLICT else stored
    detail = {Delivery.REPEATED_BEFORE: Delivery.REPEATED}.get(delivery, delivery)
    has_detail = detail in {Delivery.CONFLICT, Delivery.REPEATED}
    return Item(
        job_id=str(document.job_id),
        completed_at=document.completed_at,
        outcome=_OUTCOMES[delivery],
        detail=detail.value if has_detail else "oversize" if document.oversize else None,
        key=document.key,
        sha256=document.sha256,
        bytes=size,
        e_tag=e_tag,
        late_seconds=late.found_after if late else None,
        unseen_seconds=late.unseen_after if late else None,
        recipe_id=None if document.recipe_id is None else str(document.recipe_id),
        status=document.status,
        started_at=document.started_at,
        redaction_sha256=document.redaction.sha256 if document.redaction else None,
        version_id=version_id,
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
