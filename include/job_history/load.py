"""Load: hand the staged documents to the destination, and write down what became of each job or event."""

from __future__ import annotations

import logging

from job_history.account import Account
from job_history.destinations import Delivery, Destination
from job_history.errors import PermanentError, TransientError
from job_history.extract import Extracted
from job_history.items import Item, ItemWriter, item_writer
from job_history.known_jobs import lateness_before
from job_history.lateness import Late, Lateness
from job_history.outcome import Outcome
from job_history.progress import Progress, readable_bytes
from job_history.quarantine import Quarantine
from job_history.receipt import receipt_folder
from job_history.slice import Slice
from job_history.slice_outcome import SliceOutcome
from job_history.staging import staged_records
from job_history.storage import Storage
from job_history.transform import SetAside, StagedDocument, Transformed, staged_documents

log = logging.getLogger(__name__)


EXAMPLE_KEYS = 3
_OUTCOMES = {
    Delivery.DELIVERED: Outcome.DELIVERED,
    Delivery.REPEATED: Outcome.DELIVERED,
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
) -> SliceOutcome:
    """Deliver a slice. Raises TransientError where the books do not balance, and what the destination raises."""
    if (transformed.redaction.sha256 if transformed.redaction else None) != account.redaction_sha256:
        raise PermanentError(
            f"The redaction of {slice_.about} was changed since its documents were made: none of them was sent. Clear its "
            "transform task, so that they are made as the account now says."
        )
    log.info(
        "Asked for: %s documents (%s) of %s, to %s.",
        f"{transformed.documents:,}",
        readable_bytes(transformed.bytes),
        slice_.about,
        ", ".join(f"{name} {value}" for name, value in destination.description().items()),
    )
    progress = Progress(log, "Delivered", transformed.documents, of=slice_.kind.words)
    counts = dict.fromkeys(Delivery, 0)
    delivered_bytes = 0
    example_keys: list[str] = []
    folder = receipt_folder(slice_.user_id, slice_.kind, slice_.whole_window)
    items_path = f"{folder}/items-{slice_.run}-{slice_.number:04d}.parquet"
    lateness = Lateness()
    lateness_of = lateness_before(ledger, slice_)
    with item_writer(ledger, items_path, destination.description()) as items, Quarantine(ledger, slice_) as quarantine:

        def note(document: StagedDocument, delivery: Delivery, e_tag: str | None = None, /) -> None:
            nonlocal delivered_bytes
            counts[delivery] += 1
            size = len(document.body) + 1
            if delivery in {Delivery.DELIVERED, Delivery.REPEATED}:
                delivered_bytes += size
            if delivery is Delivery.CONFLICT:
                quarantine.add_conflict(document.job_id, document.key, document.sha256, document.body)
                log.error("Conflict: %s is there already, with other bytes. It was left as it is.", document.key)
            elif len(example_keys) < EXAMPLE_KEYS or document.key < example_keys[-1]:
                # The first by name: which uploads end first is chance, and a receipt is to be the same each time.
                example_keys[:] = sorted([*example_keys, document.key])[:EXAMPLE_KEYS]
            late = lateness_of(str(document.job_id), document.completed_at, extracted.read_at)
            if late is not None:
                lateness.add(late)
            items.append(_item(document, delivery, size, e_tag, late))
            progress.add(size)

        destination.deliver(staged_documents(staging, transformed.documents_path, transformed.redaction), note)
        _add_set_aside(items, staging, transformed.set_aside_path)
    outcome = SliceOutcome(
        extracted=extracted,
        transformed=transformed,
        delivered=counts[Delivery.DELIVERED] + counts[Delivery.REPEATED],
        already_present=counts[Delivery.ALREADY_PRESENT],
        conflicts=counts[Delivery.CONFLICT],
        delivered_bytes=delivered_bytes,
        load_seconds=round(progress.seconds, 3),
        items_path=items_path,
        quarantine_paths=sorted({*transformed.quarantine_paths, *quarantine.paths}),
        example_keys=example_keys,
        destination=destination.description(),
        settings_hash=account.settings_hash,
        repeated=counts[Delivery.REPEATED],
        lateness=lateness,
    )
    log.info("Went through %s.", progress)
    log.info("\n%s", _table(outcome))
    if not outcome.balanced:
        raise TransientError(
            f"The books of {slice_.about} do not balance: of {extracted.listed:,} listed {slice_.kind.words}, {outcome.delivered:,} were "
            f"delivered, {outcome.already_present:,} already present, {outcome.filtered:,} filtered and "
            f"{outcome.quarantined:,} quarantined. The window stays open; clear this slice from its extract task on."
        )
    return outcome


def _item(document: StagedDocument, delivery: Delivery, size: int, e_tag: str | None, late: Late | None) -> Item:
    worth_a_word = delivery in {Delivery.CONFLICT, Delivery.REPEATED}
    return Item(
        job_id=str(document.job_id),
        completed_at=document.completed_at,
        outcome=_OUTCOMES[delivery],
        detail=delivery.value if worth_a_word else "oversize" if document.oversize else None,
        key=document.key,
        sha256=document.sha256,
        bytes=size,
        # What a conflict has is another document's.
        e_tag=None if delivery is Delivery.CONFLICT else e_tag,
        late_seconds=late.found_after if late else None,
        unseen_seconds=late.unseen_after if late else None,
    )


def _add_set_aside(items: ItemWriter, staging: Storage, path: str) -> None:
    for job in staged_records(staging, path, SetAside):
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
    return "\n".join(f"{name:>24}  {number:>12,}" for name, number in rows.items())
