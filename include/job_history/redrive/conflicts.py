"""Conflicts in quarantine: they are kept as documents, ready to be delivered."""

from __future__ import annotations

import msgspec

from job_history.documents.job_document import LINES_TOO_LARGE, Document
from job_history.documents.staged import stage_document
from job_history.errors import PermanentError
from job_history.ledger.quarantine import QuarantineEntry
from job_history.ledger.receipt import Receipt
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted, Transformed
from job_history.redrive.quarantined import entries
from job_history.storage import Storage
from job_history.storage.staging import staged_writer


class _Times(msgspec.Struct):
    """The end of the job, or the time of the event, in a document."""

    completed_at: str = ""
    timestamp: str = ""
    lines: msgspec.Raw = msgspec.Raw(b"null")


def stage_conflicts(
    slice_: Slice, receipt: Receipt, paths: list[str], ledger: Storage, staging: Storage
) -> tuple[Extracted, Transformed]:
    """Stage the documents of the entries, as a transform would. Their bytes are counted in the receipt already."""
    documents_path = f"{slice_.folder}/documents.jsonl.zst"
    with staged_writer(staging, documents_path) as documents:
        for entry in entries(ledger, paths, receipt):
            stage_document(documents, _document(entry, slice_))
    extracted = Extracted(
        path=documents_path,
        counted=documents.records,
        listed=documents.records,
        seconds=0,
        counted_by="quarantine",
        read_at=receipt.read_at,
    )
    transformed = Transformed(
        documents_path=documents_path,
        skipped_path=None,
        documents=documents.records,
        filtered={},
        quarantined={},
        quarantine_paths=[],
        oversize=0,
        bytes=0,
        first_job=None,
        last_job=None,
        seconds=0,
        # With several policies, it is unknown which document was made by which; redrive does not replace them then.
        redaction=receipt.redaction[0] if receipt.redaction else None,
    )
    return extracted, transformed


def _document(entry: QuarantineEntry, slice_: Slice) -> Document:
    if entry.key is None or entry.document is None or entry.job_id is None:
        raise PermanentError(f"An entry in quarantine of {slice_.about} has no document. Run the window again.")
    times = msgspec.json.decode(entry.document, type=_Times)
    return Document(
        key=entry.key,
        body=entry.document.encode() + b"\n",
        job_id=entry.job_id,
        completed_at=times.completed_at or times.timestamp,
        oversize=bytes(times.lines) == msgspec.json.encode(LINES_TOO_LARGE),
    )
