"""A staged document: what the transform hands to the destination, and its form in the staged file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from job_history.documents.job_document import Document
from job_history.model.ids import Id
from job_history.redaction import Policy
from job_history.storage import Storage
from job_history.storage.staging import StagedWriter, staged_records


class StagedDocument(msgspec.Struct):
    """A document on its way to the destination. `body` is the document without its final newline.

    For an admin event, `job_id` is the id in its key, `completed_at` the time when it occurred, and what only a job has
    is None. `number`: which one of its staged file it is, from 0.
    """

    key: str
    job_id: Id
    completed_at: str
    sha256: str
    body: msgspec.Raw
    oversize: bool = False
    redaction: Policy | None = None
    recipe_id: int | None = None
    status: str | None = None
    started_at: str | None = None
    number: int = 0

    def content(self) -> bytes:
        return bytes(self.body) + b"\n"


class _StagedText(msgspec.Struct, omit_defaults=True):
    """The same in its file, with the body as text: msgspec refuses half a surrogate pair in a raw JSON value."""

    key: str
    job_id: Id
    completed_at: str
    sha256: str
    text: str
    oversize: bool = False
    recipe_id: int | None = None
    status: str | None = None
    started_at: str | None = None


def stage_document(documents: StagedWriter, document: Document) -> None:
    documents.append(
        _StagedText(
            key=document.key,
            job_id=document.job_id,
            completed_at=document.completed_at,
            sha256=hashlib.sha256(document.body).hexdigest(),
            text=document.body[:-1].decode(),
            oversize=document.oversize,
            recipe_id=document.recipe_id,
            status=document.status,
            started_at=document.started_at,
        )
    )


def staged_documents(staging: Storage, path: str, redaction: Policy | None = None) -> Iterator[StagedDocument]:
    """Stream the documents of a transform under this policy. Raises TransientError if the file is not complete."""
    for number, staged in enumerate(staged_records(staging, path, _StagedText)):
        yield StagedDocument(
            key=staged.key,
            job_id=staged.job_id,
            completed_at=staged.completed_at,
            sha256=staged.sha256,
            body=msgspec.Raw(staged.text.encode()),
            oversize=staged.oversize,
            redaction=redaction,
            recipe_id=staged.recipe_id,
            status=staged.status,
            started_at=staged.started_at,
            number=number,
        )
