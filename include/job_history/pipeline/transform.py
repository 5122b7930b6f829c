"""Transform: make staged documents of staged records.

Pure: it asks no other system, and the same input gives the same output.
"""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import ExitStack

from job_history.accounts.account import Account
from job_history.documents.event_document import event_document_of
from job_history.documents.job_document import Document, DocumentRules, document_of
from job_history.documents.staged import stage_document
from job_history.errors import BadRecordError, PermanentError
from job_history.errors.quoting import quoted
from job_history.ledger.outcome import Outcome
from job_history.ledger.policies import keep_policy
from job_history.ledger.quarantine import Quarantine
from job_history.ledger.receipt import JobRef
from job_history.limited_log import LimitedLog
from job_history.model.admin_event import EventRecord
from job_history.model.job import final_status
from job_history.model.record import RECORD_TYPES, Record, status_without_a_file
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted, SkippedRecord, Transformed
from job_history.progress import Progress, readable_bytes, readable_counts
from job_history.redaction import Redaction
from job_history.storage import Storage
from job_history.storage.staging import WriterIfNeeded, staged_records, staged_writer

log = logging.getLogger(__name__)


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

    `redaction` is made of the account's rules; None if it has none. Quarantine keeps records as the source gave them.
    """
    _check_settings(slice_, account, extracted, redaction)
    if redaction:
        keep_policy(ledger, redaction)
    rules = DocumentRules(
        user_id=account.user_id,
        prefix=account.destination.key_prefix,
        line_details=account.events.line_details,
        max_document_bytes=max_document_bytes,
    )
    documents_path = f"{slice_.folder}/documents.jsonl.zst"
    log.info("Asked for: documents of %s, from %s.", slice_.about, staging.url(extracted.path))
    progress = Progress(log, "Made documents of", extracted.listed, of=slice_.kind.words)
    word = slice_.kind.word.capitalize()
    filtered: Counter[str] = Counter()
    oversize = 0
    first: JobRef | None = None
    last: JobRef | None = None
    with (
        staged_writer(staging, documents_path) as documents,
        ExitStack() as if_needed,
        Quarantine(ledger, slice_) as quarantine,
        LimitedLog(log) as faults,
    ):
        skipped = WriterIfNeeded(staging, f"{slice_.folder}/skipped.jsonl.zst", if_needed)
        for record in staged_records(staging, extracted.path, RECORD_TYPES[slice_.kind]):
            if (status := status_without_a_file(record)) is not None:
                filtered[status] += 1
                skipped.append(_skipped(record, Outcome.FILTERED, status))
                progress.add()
                continue
            try:
                document = _document_of(redaction.record(record) if redaction else record, rules)
            except BadRecordError as bad:
                quarantine.add_record(record, bad.reason, bad.explanation)
                skipped.append(_skipped(record, Outcome.QUARANTINED, bad.reason))
                faults.warning("%s %s goes to quarantine: %s.", word, quoted(str(record.id)), bad)
                progress.add()
                continue
            stage_document(documents, document)
            oversize += document.oversize
            job = JobRef(document.completed_at, str(document.job_id))
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
        skipped_path=skipped.path,
        documents=documents.records,
        filtered=dict(filtered),
        quarantined=dict(quarantine.counts),
        quarantine_paths=quarantine.paths,
        oversize=oversize,
        bytes=progress.bytes,
        first_job=first,
        last_job=last,
        seconds=round(progress.seconds, 3),
        redaction=redaction.policy if redaction else None,
    )


def _check_settings(slice_: Slice, account: Account, extracted: Extracted, redaction: Redaction | None) -> None:
    if (redaction.policy.sha256 if redaction else None) != account.redaction_sha256:
        raise PermanentError(f"The redaction of {slice_.about} is not the account's: no document was made.")
    if extracted.line_details not in {None, account.events.line_details}:
        raise PermanentError(
            f"line_details of {slice_.about} was changed since its jobs were read. Clear its extract task: it reads "
            "them by the account's current settings."
        )


def _document_of(record: Record, rules: DocumentRules) -> Document:
    if isinstance(record, EventRecord):
        return event_document_of(record, rules)
    return document_of(record, final_status(record.status) or "failed", rules)


def _skipped(record: Record, outcome: Outcome, detail: str) -> SkippedRecord:
    return SkippedRecord(record.id, record.moment, outcome, detail)
