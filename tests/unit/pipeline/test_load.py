"""Load: what the destination did with each document is written down, and the books balance."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.unit.samples import DAY, HOUR, RUN, MemoryDestination, account, record, slice_of, without_random

from job_history.accounts.account import Account
from job_history.destinations import Delivery, Destination, OnDelivery
from job_history.documents.staged import StagedDocument, staged_documents
from job_history.errors import PermanentError, QuarantineReason, ReplicationError, TransientError
from job_history.ledger.item import Item
from job_history.ledger.items import items_at
from job_history.ledger.lateness import Late, Lateness
from job_history.ledger.quarantine import QuarantineEntry
from job_history.ledger.receipt_store import add_revision
from job_history.model.job import JobRecord
from job_history.model.timestamp import parse_time
from job_history.pipeline.load import load
from job_history.pipeline.make_receipt import make_receipt
from job_history.pipeline.results import Extracted, PlannedWindow, SliceOutcome, Transformed
from job_history.pipeline.transform import transform
from job_history.storage import Storage, local_storage
from job_history.storage.staging import staged_records, staged_writer

ITEMS = f"receipts/5234/jobs/20180521/{HOUR.slug}/items-{RUN}-0001-"
CONFLICTS = f"_control/quarantine/conflict/5234/jobs/{HOUR.slug}/{RUN}-0001.jsonl.zst"
BROKEN = f"_control/quarantine/bad_json/5234/jobs/{HOUR.slug}/{RUN}-0001.jsonl.zst"


class Slices:
    """A slice of the two storages of a run, staged up to where load begins."""

    def __init__(self, folder: Path) -> None:
        self.staging = local_storage(folder / "staging")
        self.ledger = local_storage(folder / "ledger")
        self.last: SliceOutcome

    def transformed(self, records: list[JobRecord], of: Account | None = None) -> tuple[Extracted, Transformed]:
        path = f"{slice_of().folder}/jobs.jsonl.zst"
        with staged_writer(self.staging, path) as writer:
            for each in records:
                writer.append(each)
        extracted = Extracted(path, len(records), len(records), 0.5)
        return extracted, transform(
            slice_of(), of or account(), extracted, staging=self.staging, ledger=self.ledger, max_document_bytes=1_000
        )

    def loaded(
        self,
        destination: Destination,
        steps: tuple[Extracted, Transformed],
        of: Account | None = None,
        *,
        repair: bool = False,
    ) -> SliceOutcome:
        self.last = load(
            slice_of(),
            of or account(),
            extracted=steps[0],
            transformed=steps[1],
            destination=destination,
            staging=self.staging,
            ledger=self.ledger,
            repair=repair,
        )
        return self.last

    def items(self) -> list[Item]:
        """The items of the last load."""
        return sorted(items_at(self.ledger, self.last.items_path))

    def lists(self) -> list[str]:
        return sorted(path for path in self.ledger.paths("receipts") if path.startswith(ITEMS))


@pytest.fixture
def slices(tmp_path: Path) -> Slices:
    return Slices(tmp_path)


def closed_window(counted: int) -> PlannedWindow:
    return PlannedWindow(
        user_id=5234,
        name="Acme",
        window=HOUR,
        enabled=True,
        counted=counted,
        slices=[slice_of()],
        settings_hash="",
        destination={},
    )


def quarantined(ledger: Storage, path: str) -> list[QuarantineEntry]:
    return list(staged_records(ledger, path, QuarantineEntry))


@pytest.mark.promise("item-list")
def test_each_listed_job_has_an_item(slices: Slices) -> None:
    steps = slices.transformed(
        [
            *[record(job_id=number) for number in range(100, 105)],
            record(job_id=105, lines=[], lines_left_out=True),
            record(job_id=106, status="aborted"),
            record(job_id=107, report="{"),
        ]
    )
    documents = list(staged_documents(slices.staging, steps[1].documents_path))
    keys = [document.key for document in documents]
    destination = MemoryDestination({keys[0]: documents[0].content(), keys[1]: b"something else\n"})
    outcome = slices.loaded(destination, steps)

    sizes = [len(document.content()) for document in documents]
    assert outcome == SliceOutcome(
        extracted=steps[0],
        transformed=steps[1],
        delivered=4,
        already_present=1,
        conflicts=1,
        delivered_bytes=sum(sizes[2:]),
        load_seconds=pytest.approx(0, abs=5),
        items_path=slices.lists()[0],
        quarantine_paths=outcome.quarantine_paths,
        example_keys=[keys[0], keys[2], keys[3]],
        destination=destination.description(),
        settings_hash=account().settings_hash,
    )
    assert (outcome.quarantined, outcome.balanced) == (2, True)
    what_became = ["already_present", "quarantined", "delivered", "delivered", "delivered", "delivered"]
    details = [None, "conflict", None, None, None, "oversize"]
    at = "2018-05-21T00:00:10Z"
    assert slices.items() == [
        *(
            Item(
                str(document.job_id),
                at,
                *reported,
                document.key,
                document.sha256,
                size,
                recipe_id="234",
                status="succeeded",
                started_at="2018-05-21T00:00:00Z",
            )
            for document, *reported, size in zip(documents, what_became, details, sizes, strict=True)
        ),
        Item("106", at, "filtered", "aborted"),
        Item("107", at, "quarantined", "bad_json"),
    ]
    assert destination.objects == {
        **{document.key: document.content() for document in documents},
        keys[1]: b"something else\n",
    }
    assert list(map(without_random, outcome.quarantine_paths)) == [BROKEN, CONFLICTS]
    [conflict] = quarantined(slices.ledger, outcome.quarantine_paths[1])
    assert (conflict.reason, conflict.key, conflict.sha256) == (
        QuarantineReason.CONFLICT,
        keys[1],
        documents[1].sha256,
    )
    assert f"{conflict.document}\n".encode() == documents[1].content()


def test_a_second_load_finds_all_documents_present(slices: Slices) -> None:
    steps = slices.transformed([record(job_id=number) for number in range(5)])
    destination = MemoryDestination()
    first, second = slices.loaded(destination, steps), slices.loaded(destination, steps)
    assert [(each.delivered, each.already_present) for each in (first, second)] == [(5, 0), (0, 5)]
    assert (first.delivered_bytes, second.delivered_bytes) == (steps[1].bytes, 0)
    assert [item.outcome for item in slices.items()] == ["already_present"] * 5
    assert slices.lists() == sorted({first.items_path, second.items_path})
    assert len(slices.lists()) == 2


@pytest.mark.parametrize("kind", [PermanentError, TransientError])
def test_a_retry_delivers_the_rest_after_a_destination_error(slices: Slices, kind: type[ReplicationError]) -> None:
    steps = slices.transformed([record(job_id=number) for number in range(5)])
    destination = MemoryDestination(fault=kind("the bucket is away"), healthy_for=3)
    with pytest.raises(kind) as passed_on:
        slices.loaded(destination, steps)
    assert (passed_on.value is destination.fault, len(destination.objects)) == (True, 3)
    assert slices.lists() == []
    destination.fault = None
    outcome = slices.loaded(destination, steps)
    assert (outcome.delivered, outcome.already_present, len(destination.objects)) == (2, 3, 5)


@pytest.mark.promise("balance")
def test_counts_that_do_not_balance_fail_the_load(slices: Slices) -> None:
    steps = slices.transformed([record(job_id=number) for number in range(3)])
    [first, *_] = staged_documents(slices.staging, steps[1].documents_path)
    with pytest.raises(TransientError) as refused:
        slices.loaded(MemoryDestination(forgets=[first.key]), steps)
    assert str(refused.value) == (
        "The counts of account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z) do not balance: of 3 "
        "listed jobs, 2 were delivered, 0 already present, 0 filtered and 0 quarantined. The window stays open; run "
        "the hour again."
    )


@pytest.mark.promise("late-jobs")
def test_a_job_that_a_closed_window_did_not_list_is_late_and_stays_so(slices: Slices) -> None:
    """Read at 01:10, without the job that ended at 00:00:10; found at 07:00; found again the day after."""
    destination, taken = MemoryDestination(), []
    for number, (at, ids) in enumerate(
        {"2018-05-21T01:10:10Z": [1], "2018-05-21T07:00:10Z": [1, 2], "2018-05-22T07:00:10Z": [1, 2, 3]}.items()
    ):
        extracted, transformed = slices.transformed([record(job_id=each) for each in ids])
        outcome = slices.loaded(destination, (msgspec.structs.replace(extracted, read_at=at), transformed))
        receipt = make_receipt(
            closed_window(len(ids)),
            [outcome],
            [],
            run=f"run-{number}",
            finished_at=parse_time(at),
            code_version="1",
        )
        add_revision(slices.ledger, receipt)
        taken.append((receipt.counts.delivered, receipt.counts.late, receipt.lateness))

    unseen, found, found_later = 4_200, 7 * 3_600, 31 * 3_600
    once = Lateness({"6 h": 1}, {"24 h": 1}, unseen)
    twice = Lateness({"6 h": 1, "24 h": 1}, {"24 h": 1, "48 h": 1}, found)
    assert taken == [(1, 0, Lateness()), (1, 1, once), (1, 2, twice)]
    assert [item.late for item in slices.items()] == [None, Late(unseen, found), Late(found, found_later)]


@pytest.mark.promise("earlier-settings")
def test_documents_from_earlier_settings_are_kept_except_by_repair(slices: Slices) -> None:
    destination, without_lines = MemoryDestination(), account(events={"job_history": True})

    def run(number: int, of: Account, ids: range, *, repair: bool = False) -> tuple[int, int, int]:
        extracted, transformed = slices.transformed([record(job_id=each) for each in ids], of)
        extracted = msgspec.structs.replace(extracted, read_at=f"2018-05-21T01:1{number}:00Z")
        outcome = slices.loaded(destination, (extracted, transformed), of, repair=repair)
        receipt = make_receipt(
            closed_window(len(ids)), [outcome], [], run=f"run-{number}", finished_at=DAY, code_version="1"
        )
        add_revision(slices.ledger, receipt)
        return outcome.delivered, outcome.already_present, outcome.conflicts

    assert run(1, account(), range(2)) == (2, 0, 0)
    as_they_were = dict(destination.objects)

    # One late job, and another later still: only they are made by the account's current settings.
    assert run(2, without_lines, range(3)) == (1, 2, 0)
    assert run(3, without_lines, range(4)) == (1, 3, 0)
    assert {key: destination.objects[key] for key in as_they_were} == as_they_were
    assert [item.detail for item in slices.items()] == ["earlier_settings", "earlier_settings", None, None]
    assert {item.sha256 for item in slices.items()} == {
        hashlib.sha256(content[:-1] + b"\n").hexdigest() for content in destination.objects.values()
    }

    elsewhere = account(
        events={"job_history": True},
        destination={"type": "s3", "conn_id": "s", "bucket": "acme-audit", "prefix": "new"},
    )
    assert run(4, elsewhere, range(4)) == (4, 0, 0)
    assert run(5, without_lines, range(4), repair=True) == (0, 2, 2)


def test_an_empty_slice_is_loaded(slices: Slices) -> None:
    outcome = slices.loaded(MemoryDestination(), slices.transformed([]))
    assert (outcome.delivered, outcome.balanced, outcome.example_keys, slices.items()) == (0, True, [], [])


class _HasAll(MemoryDestination):
    """It has every document already, maybe more than once."""

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        for document in documents:
            on_delivery(document, Delivery.REPEATED_BEFORE)


@pytest.mark.promise("possible-repeats")
def test_a_document_that_was_not_sent_is_not_counted_as_delivered(tmp_path: Path) -> None:
    slices = Slices(tmp_path)
    outcome = slices.loaded(_HasAll(), slices.transformed([record(job_id=1), record(job_id=2)]))
    assert (outcome.delivered, outcome.delivered_bytes, outcome.already_present, outcome.repeated) == (0, 0, 2, 2)
    assert {(item.outcome, item.detail) for item in slices.items()} == {("already_present", "repeated")}
