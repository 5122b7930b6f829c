"""What the tests of the core are about: one account, one hour, a job of it, and the two sides as plain objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from job_history.accounts.account import Account
from job_history.destinations import Delivery, OnDelivery
from job_history.documents.staged import StagedDocument
from job_history.errors import ReplicationError
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord, LineRecord
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.model.timestamp import format_time, parse_time
from job_history.model.window import Window
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed

DAY = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(DAY, DAY.replace(hour=1))
RUN = "scheduled-2018-05-21T00-00-00"

EXAMPLE_KEY = "5234/jobs/234/20180521/000/000/000/000/000/000/100/5234-234-100-20180521000000-succeeded.json"


def without_random(path: str) -> str:
    """Return the path of an item list or a quarantine file without the part that no two tries share."""
    return re.sub(r"-[0-9a-f]{8}(?=\.)", "", path)


def entry(user_id: int = 5234, name: str = "Acme", **changes: Any) -> dict[str, Any]:
    """An entry of the Variable, as spec'd; a changed key with the value None is left out."""
    whole = {
        "user_id": user_id,
        "name": name,
        "enabled": True,
        "source": {"type": "sql", "conn_id": "job_store"},
        "destination": {"type": "s3", "conn_id": "acme_s3", "bucket": "acme-audit", "prefix": ""},
        "events": {"job_history": True, "line_details": True, "admin_events": False},
        "redaction": [],
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def account(user_id: int = 5234, name: str = "Acme", **changes: Any) -> Account:
    return Account.model_validate(entry(user_id, name, **changes))


def slice_of(
    part: Window = HOUR,
    *,
    number: int = 1,
    of: int = 1,
    run: str = RUN,
    user_id: int = 5234,
    kind: EventKind = EventKind.JOBS,
) -> Slice:
    return Slice(run=run, user_id=user_id, name="Acme", kind=kind, window=HOUR, part=part, number=number, of=of)


def receipt_of(state: WindowState = WindowState.COMPLETE, **changes: Any) -> Receipt:
    """The receipt of an hour without jobs."""
    fields: dict[str, Any] = {
        "user_id": 5234,
        "name": "Acme",
        "window": HOUR,
        "counts": Counts(),
        "gap": 0,
        "settings_hash": "",
        "code_version": "",
        "destination": {},
    } | changes
    ended = format_time(fields["window"].end + timedelta(minutes=15))
    runs = [RunEntry("run", ended, state, fields["counts"], [])]
    return Receipt(state=state, **{"runs": runs, **fields})


def record(**changes: Any) -> JobRecord:
    """The job of the feature page's example, without its lines."""
    fields: dict[str, Any] = {
        "user_id": 5234,
        "recipe_id": 234,
        "job_id": 100,
        "status": "completed",
        "started_at": "2018-05-21T00:00:00Z",
        "completed_at": "2018-05-21T00:00:10Z",
        "title": "hello world",
        "is_poll_error": False,
        "report": '{"name":"Xavier D\'Souza","age":35}',
        "lines": [],
    }
    return JobRecord(**{**fields, **changes})


def line(**changes: Any) -> LineRecord:
    fields: dict[str, Any] = {
        "recipe_line_number": 0,
        "adapter_name": "clock",
        "adapter_operation": "timer",
        "input": '{"interval":"1"}',
        "output": "{}",
    }
    return LineRecord(**{**fields, **changes})


def outcome(
    slice_: Slice,
    *,
    delivered: int = 0,
    already_present: int = 0,
    conflicts: int = 0,
    filtered: dict[str, int] | None = None,
    quarantined: dict[str, int] | None = None,
    **changes: Any,
) -> SliceOutcome:
    """What became of a slice, with books that balance."""
    filtered, quarantined = filtered or {}, quarantined or {}
    documents = delivered + already_present + conflicts
    listed = documents + sum(filtered.values()) + sum(quarantined.values())
    fields: dict[str, Any] = {
        "extracted": Extracted(path=f"{slice_.folder}/jobs.jsonl.zst", counted=listed, listed=listed, seconds=0.5),
        "transformed": Transformed(
            documents_path=f"{slice_.folder}/documents.jsonl.zst",
            skipped_path=f"{slice_.folder}/skipped.jsonl.zst",
            documents=documents,
            filtered=filtered,
            quarantined=quarantined,
            quarantine_paths=[],
            oversize=0,
            bytes=documents * 1_000,
            first_job=None,
            last_job=None,
            seconds=0.25,
        ),
        "delivered": delivered,
        "already_present": already_present,
        "conflicts": conflicts,
        "delivered_bytes": delivered * 1_000,
        "load_seconds": 2.0,
        "items_path": f"receipts/5234/jobs/20180521/{HOUR.slug}/items-{slice_.run}-{slice_.number:04d}.parquet",
        "quarantine_paths": [],
        "example_keys": [],
        "destination": {"type": "memory", "bucket": "memory"},
        "settings_hash": account().settings_hash,
    }
    return SliceOutcome(**{**fields, **changes})


@dataclass
class MemoryListing:
    """A listing of records that are in a list; `counted` can be set to another number."""

    counted: int
    records: Sequence[Record]
    counted_by: str = "query"

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)


@dataclass
class MemorySource:
    """A source that holds its records, by their moment. `fault` is raised on every call."""

    records: Sequence[Record] = field(default_factory=list)
    miscount: int = 0
    fault: ReplicationError | None = None
    asked: list[tuple[int, Window]] = field(default_factory=list)
    asked_for_lines: list[bool] = field(default_factory=list)

    def count(self, user_id: int, window: Window) -> int:
        self.asked.append((user_id, window))
        if self.fault is not None:
            raise self.fault
        return len(self._in(window)) + self.miscount

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        self.asked.append((user_id, window))
        if self.fault is not None:
            raise self.fault
        return iter([str(record.job_id) for record in self._in(window)])

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[MemoryListing]:
        self.asked_for_lines.append(line_details)
        yield MemoryListing(self.count(user_id, window), self._in(window))

    def _in(self, window: Window) -> list[Record]:
        return [record for record in self.records if parse_time(record.moment or "") in window]


@dataclass
class MemoryDestination:
    """A create-only store in a dict. It breaks down with `fault` after `healthy_for` documents, where that is set.

    With `repair` it replaces what has other bytes.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    fault: ReplicationError | None = None
    healthy_for: int = 0
    forgets: Iterable[str] = ()
    repair: bool = False

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        for number, document in enumerate(documents):
            if self.fault is not None and number >= self.healthy_for:
                raise self.fault
            present = self.objects.setdefault(document.key, content := document.content())
            if document.key in self.forgets:
                continue
            if self.repair and present != content:
                present = self.objects[document.key] = content
            if present is content:
                on_delivery(document, Delivery.DELIVERED)
            else:
                on_delivery(document, Delivery.ALREADY_PRESENT if present == content else Delivery.CONFLICT)

    def description(self) -> dict[str, Any]:
        return {"type": "memory", "bucket": "memory"}
