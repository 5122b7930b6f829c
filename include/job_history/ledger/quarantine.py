"""Quarantine: records that cannot be delivered as they are, kept with the reason until the cause is fixed.

They stay in our own ledger, `_control/quarantine/<reason>/<user_id>/<kind>/<window>/`, and never go to the destination:
the error of a record may be the very thing that prevents its redaction. No two tries write the same file: receipts name
it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import msgspec

from job_history.errors import QuarantineReason
from job_history.model.admin_event import EventRecord
from job_history.model.ids import Id
from job_history.model.job import JobRecord
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.storage import Storage
from job_history.storage.staging import StagedWriter, staged_writer

FOLDER = "_control/quarantine"


class QuarantineEntry(msgspec.Struct, omit_defaults=True):
    """A record as the source gave it (an admin event as `event`), or, for a conflict, the key and our document."""

    reason: QuarantineReason
    explanation: str
    job_id: Id | None
    window: Window
    sha256: str
    record: JobRecord | None = None
    event: EventRecord | None = None
    key: str | None = None
    document: str | None = None


class Quarantine:
    """The entries of one slice, a file for each reason; `counts` and `paths` are complete at the end."""

    def __init__(self, storage: Storage, slice_: Slice) -> None:
        self._storage = storage
        self._slice = slice_
        self._files = ExitStack()
        self._name = f"{slice_.run}-{slice_.number:04d}-{secrets.token_hex(4)}.jsonl.zst"
        self._writers: dict[QuarantineReason, StagedWriter] = {}
        self.counts: Counter[str] = Counter()
        self.paths: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, fault, traceback)

    def add_record(self, record: Record, reason: QuarantineReason, explanation: str) -> None:
        digest = hashlib.sha256(msgspec.json.encode(record)).hexdigest()
        entry = QuarantineEntry(reason, explanation, record.id, self._slice.window, digest)
        if isinstance(record, EventRecord):
            entry.event = record
        else:
            entry.record = record
        self._add(entry)

    def add_conflict(self, job_id: Id, key: str, sha256: str, document: msgspec.Raw) -> None:
        explanation = f"{key} exists already, with other bytes; the object was left as it is"
        self._add(
            QuarantineEntry(
                QuarantineReason.CONFLICT,
                explanation,
                job_id,
                self._slice.window,
                sha256,
                key=key,
                document=bytes(document).decode(),
            )
        )

    def _add(self, entry: QuarantineEntry) -> None:
        if entry.reason not in self._writers:
            path = f"{quarantine_folder(self._slice, entry.reason)}/{self._name}"
            self._writers[entry.reason] = self._files.enter_context(staged_writer(self._storage, path))
            self.paths.append(path)
        self._writers[entry.reason].append(entry)
        self.counts[entry.reason] += 1


def quarantine_folder(slice_: Slice, reason: QuarantineReason) -> str:
    return f"{FOLDER}/{reason}/{slice_.user_id}/{slice_.kind}/{slice_.window.slug}"


def reason_of(path: str) -> QuarantineReason:
    """Return the reason for which the entries of a file are in quarantine."""
    return QuarantineReason(path.split("/")[2])
