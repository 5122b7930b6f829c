"""Transform: make staged records into staged documents. Pure: it asks nobody, and the same input gives the same output."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator

import msgspec

from job_history.accounts.account import Account
from job_history.documents.event_document import event_document_of
from job_history.documents.job_document import Document, DocumentRules, document_of
from job_history.errors import BadRecordError, PermanentError
from job_history.ledger.outcome import Outcome
from job_history.ledger.quarantine import Quarantine
from job_history.model.admin_event import EventRecord
from job_history.model.job import Id, final_status
from job_history.model.record import RECORD_TYPES, Record, status_without_a_file
from job_history.model.slice import Slice
from job_history.pipeline.extract import Extracted
from job_history.progress import Progress, readable_bytes, readable_counts
from job_history.redaction import Policy, Redaction
from job_history.storage import Storage
from job_history.storage.staging import StagedWriter, staged_records, staged_writer

log = logging.getLogger(__name__)

MOST_LOGGED_FAULTS = 20


class StagedDocument(msgspec.Struct):
    """A document on its way to the destination. `body` is the document without the newline that ends it.

    Of an admin event, `job_id` is the id in its key and `completed_at` when it occurred; so in all that follows.
    """

    key: str
    job_id: Id
    completed_at: str
    sha256: str
    body: msgspec.Raw
    oversize: bool = False
    redaction: Policy | None = None

    def content(self) -> bytes:
        return bytes(self.body) + b"\n"


class _StagedText(msgspec.Struct, omit_defaults=True):
    """The same in its file, as text: msgspec would go through a JSON value, and stop at half a surrogate pair."""

    key: str
    job_id: Id
    completed_at: str
    sha256: str
    text: str
    oversize: bool = False


class SetAside(msgspec.Struct):
    """A listed job or event that gives no document: `detail` is its status, or the reason of quarantine."""

    job_id: Id | None
    completed_at: str | None
    outcome: Outcome
    detail: str


class DocumentedJob(msgspec.Struct, frozen=True):
    """The first or the last job (or event) of a slice, by its end."""

    completed_at: str
    job_id: str

    def __lt__(self, other: DocumentedJob) -> bool:
        # The order of texts is the order of time, but for the `Z` behind seconds with and without a fraction.
        return (self.completed_at[:-1], self.job_id) < (other.completed_at[:-1], other.job_id)


class Transformed(msgspec.Struct):
    """What became of what was listed; `quarantine_paths` lie in the ledger, the other paths in staging."""

    documents_path: str
    set_aside_path: str
    documents: int
    filtered: dict[str, int]
    quarantined: dict[str, int]
    quarantine_paths: list[str]
    oversize: int
    bytes: int
    first_job: DocumentedJob | None
    last_job: DocumentedJob | None
    seconds: float
    redaction: Policy | None = None


def transform(
    slice_: Slice,
    account: Account,
    extracted: Extracted,
    *,
    staging: Storage,
    ledger: Storage,
    max_document_bytes: int,
    redaction: Redaction | None = None,
) -> Transformed:
    """Stage the documents of a slice, and put into quarantine what cannot become one.

    `redaction` is made of the account's rules; None where it has none. Quarantine keeps records as they came.
    """
    policy = redaction.policy if redaction else None
    if (policy.sha256 if policy else None) != account.redaction_sha256:
        raise PermanentError(f"The redaction of {slice_.about} is not the account's: nothing was made of its records.")
    if extracted.line_details not in {None, account.events.line_details}:
        raise PermanentError(
            f"line_details of {slice_.about} was changed since its jobs were read. Clear its extract task, so that they are "
            "read as the account now says."
        )
    rules = DocumentRules(
        user_id=account.user_id,
        prefix=account.destination.key_prefix,
        line_details=account.events.line_details,
        max_document_bytes=max_document_bytes,
    )
    documents_path = f"{slice_.folder}/documents.jsonl.zst"
    set_aside_path = f"{slice_.folder}/set-aside.jsonl.zst"
    log.info("Asked for: documents of %s, from %s.", slice_.about, staging.url(extracted.path))
    progress = Progress(log, "Made documents of", extracted.listed, of=slice_.kind.words)
    filtered: Counter[str] = Counter()
    oversize = 0
    first: DocumentedJob | None = None
    last: DocumentedJob | None = None
    with (
        staged_writer(staging, documents_path) as documents,
        staged_writer(staging, set_aside_path) as set_aside,
        Quarantine(ledger, slice_) as quarantine,
    ):
        for record in staged_records(staging, extracted.path, RECORD_TYPES[slice_.kind]):
            if (status := status_without_a_file(record)) is not None:
                filtered[status] += 1
                set_aside.append(_set_aside(record, Outcome.FILTERED, status))
                progress.add()
                continue
            try:
                document = _document_of(redaction.record(record) if redaction else record, rules)
            except BadRecordError as fault:
                quarantine.add_record(record, fault.reason, fault.explanation)
                set_aside.append(_set_aside(record, Outcome.QUARANTINED, fault.reason))
                if quarantine.counts.total() <= MOST_LOGGED_FAULTS:
                    log.warning("%s %s goes to quarantine: %s.", slice_.kind.word.capitalize(), record.id, fault)
                progress.add()
                continue
            stage_document(documents, document)
            oversize += document.oversize
            job = DocumentedJob(document.completed_at, str(document.job_id))
            first, last = min(first or job, job), max(last or job, job)
            progress.add(len(document.body))
    log.info(
        "Made %s: %s documents (%s), filtered %s, in quarantine %s, oversize %s.",
        progress,
        f"{documents.records:,}",
        readable_bytes(progress.bytes),
        readable_counts(filtered),
        readable_counts(quarantine.counts),
        oversize,
    )
    return Transformed(
        documents_path=documents_path,
        set_aside_path=set_aside_path,
        documents=documents.records,
        filtered=dict(filtered),
        quarantined=dict(quarantine.counts),
        quarantine_paths=quarantine.paths,
        oversize=oversize,
        bytes=progress.bytes,
        first_job=first,
        last_job=last,
        seconds=round(progress.seconds, 3),
        redaction=policy,
    )


def staged_documents(staging: Storage, path: str, redaction: Policy | None = None) -> Iterator[StagedDocument]:
    """Stream what a transform staged, under this policy. Raises TransientError where the file is not whole."""
    for staged in staged_records(staging, path, _StagedText):
        yield StagedDocument(
            key=staged.key,
            job_id=staged.job_id,
            completed_at=staged.completed_at,
            sha256=staged.sha256,
            body=msgspec.Raw(staged.text.encode()),
            oversize=staged.oversize,
            redaction=redaction,
        )


def _document_of(record: Record, rules: DocumentRules) -> Document:
    if isinstance(record, EventRecord):
        return event_document_of(record, rules)
    return document_of(record, final_status(record.status) or "failed", rules)


def stage_document(documents: StagedWriter, document: Document) -> None:
    documents.append(
        _StagedText(
            key=document.key,
            job_id=document.job_id,
            completed_at=document.completed_at,
            sha256=hashlib.sha256(document.body).hexdigest(),
            text=document.body[:-1].decode(),
            oversize=document.oversize,
        )
    )


def _set_aside(record: Record, outcome: Outcome, detail: str) -> SetAside:
    return SetAside(record.id, record.moment, outcome, detail)
