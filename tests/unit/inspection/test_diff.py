"""The difference between a source and a destination."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.one_hour import replicate
from tests.unit.samples import EXAMPLE_KEY, HOUR, MemoryDestination, MemorySource, account, record, slice_of

from job_history.destinations import Destination
from job_history.inspection.diff import ByReceipt, Difference, difference
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.redaction import Redaction
from job_history.storage import Storage, local_storage

RECORDS = [record(job_id=job_id) for job_id in range(100, 106)]


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    """That of an hour of which six jobs were delivered."""
    ledger = local_storage(tmp_path / "ledger")
    replicate(account(), MemorySource(RECORDS), MemoryDestination(), ledger, local_storage(tmp_path / "staging"))
    return ledger


def compared(records: list[JobRecord], ledger: Storage, tmp_path: Path, **changes: Any) -> Difference:
    """Compare a source with a destination that cannot be read."""
    one = changes.pop("one", account())
    fields: dict[str, Any] = {"dry_run": ByReceipt(MemoryDestination(), ledger, slice_of()), "max_examples": 2}
    return difference(
        slice_of(),
        one,
        source=MemorySource(records),
        ledger=ledger,
        scratch=local_storage(tmp_path / "scratch"),
        max_document_bytes=40_000_000,
        **{**fields, **changes},
    )


def reported(**changes: Any) -> Difference:
    return Difference(user_id=5234, name="Acme", kind=EventKind.JOBS, window=HOUR, **changes)


def test_delivered_documents_are_found(ledger: Storage, tmp_path: Path) -> None:
    same = compared(RECORDS, ledger, tmp_path)

    assert (same, same.differs) == (reported(same=6), False)


def test_each_sort_of_difference_is_counted_with_examples(ledger: Storage, tmp_path: Path) -> None:
    records = [
        record(job_id=100),
        *(record(job_id=job_id, title="another") for job_id in (101, 102)),
        *(record(job_id=job_id) for job_id in (107, 108, 109)),
        record(job_id=110, status="aborted"),
        record(job_id=111, report="{"),
    ]

    different = compared(records, ledger, tmp_path)

    assert different.differs
    assert different == reported(
        same=1,
        missing=3,
        missing_ids=["107", "108"],
        altered=2,
        altered_ids=["101", "102"],
        extra=3,
        extra_ids=["103", "104"],
        filtered=1,
        quarantined=1,
    )
    # What would go to quarantine goes nowhere.
    assert list(ledger.paths("_control")) == []


def test_an_hour_without_a_receipt_has_nothing_at_the_destination(tmp_path: Path) -> None:
    empty = local_storage(tmp_path / "empty")
    dry_run = ByReceipt(MemoryDestination(), empty, slice_of())

    assert compared(RECORDS, empty, tmp_path, dry_run=dry_run) == reported(missing=6, missing_ids=["100", "101"])


def test_what_went_to_another_place_is_not_at_this_one(ledger: Storage, tmp_path: Path) -> None:
    class Elsewhere(MemoryDestination):
        def description(self) -> dict[str, Any]:
            return {"type": "memory", "bucket": "elsewhere"}

    elsewhere: Destination = ByReceipt(Elsewhere(), ledger, slice_of())

    assert compared(RECORDS[:1], ledger, tmp_path, dry_run=elsewhere) == reported(missing=1, missing_ids=["100"])


def test_what_went_here_before_the_account_moved_away_and_back_is_found(ledger: Storage, tmp_path: Path) -> None:
    before = read_receipt(ledger, 5234, EventKind.JOBS, HOUR)
    assert before is not None
    moved = msgspec.structs.replace(before, items=[], elsewhere=before.items)
    ledger.write(receipt_path(5234, EventKind.JOBS, HOUR), msgspec.json.encode(moved))

    assert compared(RECORDS, ledger, tmp_path) == reported(same=len(RECORDS))


def test_a_destination_that_can_be_read_is_asked_and_not_the_receipt(ledger: Storage, tmp_path: Path) -> None:
    """A create-only store in memory is asked by delivering to a copy: what it takes was missing."""
    objects = {EXAMPLE_KEY: b"of another program\n"}

    assert compared(RECORDS[:2], ledger, tmp_path, dry_run=MemoryDestination(objects)) == reported(
        missing=1, missing_ids=["101"], altered=1, altered_ids=["100"], extra=4, extra_ids=["102", "103"]
    )


def test_what_is_compared_is_what_the_rules_of_now_leave(ledger: Storage, tmp_path: Path) -> None:
    strict = account(redaction=[{"path": "title", "action": "mask"}, {"path": "report.missing", "action": "drop"}])
    records = [*RECORDS[:2], record(job_id=102, title="***")]

    different = compared(records, ledger, tmp_path, one=strict, redaction=Redaction(strict.redaction))

    assert (different.same, different.altered, different.missing) == (0, 3, 0)
