"""Reconciliation: whatever source, receipts and bucket disagree about is found, and nothing else."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import DAY, MemorySource, account, receipt_of, record

from job_history.accounts.account import Account
from job_history.destinations import StoredObject
from job_history.errors import PermanentError, ReplicationError, TransientError, UnrecoverableError
from job_history.ledger.item import Item
from job_history.ledger.items import ListHeader, item_writer
from job_history.ledger.lateness import Lateness
from job_history.ledger.open_windows import OpenWindow, OpenWindows
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import window_folder
from job_history.ledger.receipt_store import add_revision
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.reconciliation import compare, unknown_objects
from job_history.reconciliation.compare import Comparing
from job_history.reconciliation.findings import DamagedObject, Findings, WindowFinding
from job_history.reconciliation.log_findings import log_findings
from job_history.reconciliation.repaired import not_back
from job_history.reconciliation.windows_to_run import Choice, choose_windows
from job_history.storage import Storage, local_storage

HOURS = [Window(DAY + timedelta(hours=number), DAY + timedelta(hours=number + 1)) for number in range(3)]
THREE_HOURS = Window(HOURS[0].start, HOURS[-1].end)
BUCKET = {"type": "memory", "bucket": "memory"}


def job(job_id: int | str | None, hour: int = 0) -> JobRecord:
    return record(job_id=job_id, completed_at=format_time(DAY + timedelta(hours=hour, minutes=30)))


def key(job_id: object) -> str:
    return f"5234/jobs/234/20180521/{job_id}/5234-234-{job_id}.json"


def item(job_id: object, outcome: Outcome = Outcome.DELIVERED) -> Item:
    documented = outcome in {Outcome.DELIVERED, Outcome.ALREADY_PRESENT}
    return Item(
        str(job_id),
        "2018-05-21T00:30:00Z",
        outcome,
        key=key(job_id) if documented else None,
        bytes=10 if documented else None,
        e_tag=f'"{job_id}"' if documented else None,
    )


@dataclass
class MemoryBucket:
    objects: dict[str, StoredObject] = field(default_factory=dict)
    fault: ReplicationError | None = None
    contents: dict[str, bytes | None] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def listing(self, folder: str) -> Iterator[StoredObject]:
        if self.fault is not None:
            raise self.fault
        return iter([stored for name, stored in self.objects.items() if name.startswith(f"{folder}/")])

    def read(self, key: str) -> bytes | None:
        self.reads.append(key)
        return self.contents.get(key, b"no document") if key in self.objects else None

    def description(self) -> dict[str, Any]:
        return BUCKET


def receipt(hour: int, state: WindowState, **changes: Any) -> Receipt:
    return receipt_of(state, window=HOURS[hour], destination=BUCKET, **changes)


@dataclass
class World:
    ledger: Storage
    source: MemorySource = field(default_factory=MemorySource)
    bucket: MemoryBucket = field(default_factory=MemoryBucket)

    def items(self, hour: int, run: str, *items: Item) -> str:
        path = f"{window_folder(5234, EventKind.JOBS, HOURS[hour])}/items-{run}.parquet"
        with item_writer(self.ledger, path, ListHeader(5234, EventKind.JOBS, HOURS[hour], BUCKET)) as writer:
            for each in items:
                writer.append(each)
        return path

    def receipt(
        self,
        hour: int,
        *items: Item,
        state: WindowState = WindowState.COMPLETE,
        lateness: Lateness | None = None,
        run: str = "run-1",
    ) -> None:
        path = self.items(hour, run, *items)
        for each in items:
            if each.key:
                self.bucket.objects[each.key] = StoredObject(each.key, each.bytes or 0, each.e_tag)
        runs = [RunEntry(run, "2018-05-21T04:00:00Z", state, Counts(), [])]
        add_revision(self.ledger, receipt(hour, state, items=[path], lateness=lateness or Lateness(), runs=runs))

    def reconcile(self, *accounts: Account, repair: bool = False, **options: Any) -> Findings:
        choice = {"limit": 100, "day": DAY.date(), "hourly_runs": lambda _: set(), **options.pop("choice", {})}
        marks, on_damage = OpenWindows(self.ledger), options.pop("on_damage", lambda _finding, _key: None)
        arguments: dict[str, Any] = {
            "destination": "s3",
            "hours": THREE_HOURS,
            "ledger": self.ledger,
            "source_of": lambda _account, _kind: self.source,
            "bucket_of": lambda _: self.bucket,
            "marks": marks,
            **options,
        }
        findings = Comparing(**arguments).compare(accounts or [account()], on_damage)
        findings.repair = repair
        choose_windows(findings, marks, self.ledger, Choice(**choice))
        return findings


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(local_storage(tmp_path))


def finding(hour: int, state: str, **found: Any) -> WindowFinding:
    fields = {"compared": state == "complete", **found}
    return WindowFinding(user_id=5234, name="Acme", kind=EventKind.JOBS, window=HOURS[hour], state=state, **fields)


def open_at(hour: int, user_id: int = 5234) -> OpenWindow:
    return OpenWindow(user_id, EventKind.JOBS, HOURS[hour])


def test_nothing_is_reported_if_source_receipts_and_bucket_agree(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.source.records = [job(1), job("j-1"), job(None), job(2, hour=1), job(3, hour=1)]
    world.receipt(0, item(1), item("j-1"), item(None, Outcome.QUARANTINED))
    world.receipt(1, item(2, Outcome.ALREADY_PRESENT), item(3, Outcome.FILTERED))
    world.receipt(2)

    findings = world.reconcile()

    [status] = findings.accounts
    assert (status.state, status.windows, status.last_complete) == (WindowState.COMPLETE, 3, HOURS[2])
    assert findings == Findings(
        destination="s3", window=THREE_HOURS, compared=3, objects=3, accounts=findings.accounts, is_readable=True
    )
    with caplog.at_level(logging.INFO):
        assert log_findings([findings], []) == []
    assert "Nothing is missing, lost or altered." in caplog.text


def test_ids_of_digits_are_compared_as_numbers(world: World) -> None:
    world.source.records = [job("00017"), job("9" * 22)]
    world.receipt(0, item(17), item("9" * 22, Outcome.QUARANTINED))
    world.receipt(1)
    world.receipt(2)

    assert world.reconcile().windows == []


def test_a_job_delivered_during_the_comparison_is_not_missing(world: World) -> None:
    world.source.records = [job(1)]
    world.receipt(0, item(1))
    world.receipt(1)
    world.receipt(2)
    listed = world.source.ids

    def ids(user_id: int, window: Window) -> Iterator[str]:
        if window == HOURS[0]:
            world.source.records = [job(1), job(2)]
            world.receipt(0, item(1), item(2), run="run-2")
        return listed(user_id, window)

    world.source.ids = ids  # type: ignore[method-assign]

    assert world.reconcile().windows == []


def test_the_later_run_of_an_open_window_decides_what_the_bucket_should_hold(world: World) -> None:
    world.receipt(0, item(1), state=WindowState.FAILED)
    replaced = msgspec.structs.replace(item(1), e_tag='"replaced"')
    world.receipt(0, replaced, state=WindowState.FAILED, run="run-2")

    assert world.reconcile().windows[0] == finding(0, "failed", is_run=True)


@pytest.mark.promise("gone-jobs")
def test_missing_jobs_run_the_window_again_and_gone_jobs_are_reported(world: World) -> None:
    world.source.records = [job(1), job(2), job(3), job(4, hour=1)]
    world.receipt(0, item(1))
    world.receipt(1, item(4), item(5))
    world.receipt(2)

    findings = world.reconcile()

    assert findings.windows == [
        finding(0, "complete", missing=2, missing_ids=["2", "3"], is_run=True),
        finding(1, "complete", gone=1),
    ]
    assert findings.to_run() == {(5234, EventKind.JOBS, HOURS[0])}


def test_jobs_of_the_hours_that_an_account_is_looked_back_further_for_are_missed(world: World) -> None:
    for hour in range(3):
        world.receipt(hour)
    world.source.records = [job(1, hour=0)]

    findings = world.reconcile(hours=HOURS[2], own_hours={5234: THREE_HOURS})

    assert [(found.window, found.missing) for found in findings.windows] == [(HOURS[0], 1)]


@pytest.mark.promise("open-windows-run")
def test_only_windows_that_failed_or_have_no_receipt_are_run(world: World) -> None:
    world.receipt(1, state=WindowState.FAILED)
    world.receipt(2, state=WindowState.UNRECOVERABLE)

    findings = world.reconcile()

    assert findings.windows == [
        finding(0, "open", is_run=True),
        finding(1, "failed", is_run=True),
        finding(2, "unrecoverable"),
    ]
    assert findings.compared == 0
    world.receipt(0, state=WindowState.DISABLED)
    OpenWindows(world.ledger).remove([open_at(0)])
    assert len(world.reconcile().windows) == 2


def test_lost_and_altered_objects_are_reported_and_repaired_only_on_request(
    world: World, check_message: CheckMessage
) -> None:
    world.source.records = [job(number) for number in range(1, 5)]
    world.receipt(0, *(item(number) for number in range(1, 5)))
    world.receipt(1)
    world.receipt(2)
    del world.bucket.objects[key(1)]
    world.bucket.objects[key(2)] = StoredObject(key(2), 11, '"2"')
    world.bucket.objects[key(3)] = StoredObject(key(3), 10, '"other"')

    reported = finding(0, "complete", lost=1, altered=2, damaged_keys=[key(1), key(2), key(3)])
    findings, repairing = world.reconcile(), world.reconcile(repair=True)

    assert findings.windows == [reported]
    reported.is_run = True
    assert repairing.windows == [reported]
    [message] = log_findings([findings], [])
    assert message.startswith("Account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z): ")
    check_message(message)


@pytest.mark.promise("lost-objects")
@pytest.mark.parametrize(
    ("state", "again", "not_back_again"),
    [
        (WindowState.COMPLETE, [1, 2], []),
        (WindowState.COMPLETE, [1], [key(2)]),  # the source no longer has it
        (WindowState.FAILED, [1, 2], [key(1), key(2)]),
        (None, [], [key(1), key(2)]),
    ],
)
def test_an_object_counts_as_repaired_only_if_its_key_was_seen_to_be_back(
    world: World, state: WindowState | None, again: list[int], not_back_again: list[str]
) -> None:
    world.source.records = [job(1), job(2), job(3)]
    world.receipt(0, item(1), item(2), item(3))
    world.receipt(1)
    world.receipt(2)
    del world.bucket.objects[key(1)], world.bucket.objects[key(2)]
    damaged: list[DamagedObject] = []

    def note(finding: WindowFinding, key: str) -> None:
        damaged.append(DamagedObject(finding.user_id, finding.kind, finding.window, key))

    findings = world.reconcile(repair=True, on_damage=note)
    path = world.items(0, "repair", *map(item, again), msgspec.structs.replace(item(2), outcome="gone"))
    run = [] if state is None else [receipt(0, state, items=[path])]
    left = not_back(damaged, run, world.ledger)

    assert [each.keys for each in left.values()] == ([not_back_again] if not_back_again else [])
    assert len(log_findings([findings], run, left)) == len(left)


def document(hour: int, minute: int = 30) -> bytes:
    return msgspec.json.encode({"completed_at": format_time(DAY + timedelta(hours=hour, minutes=minute))})


def real_key(job_id: int, began: str) -> str:
    return f"5234/jobs/234/20180521/000/000/000/000/000/000/{job_id:03d}/5234-234-{job_id}-{began}-succeeded.json"


@pytest.mark.promise("unknown-objects")
def test_objects_that_no_receipt_names_are_reported_by_the_hour_of_their_document(
    world: World, check_message: CheckMessage
) -> None:
    """Of an hour that is not closed, a killed load leaves objects; of other hours, their own receipts know."""
    world.source.records = [job(1)]
    world.receipt(0, item(1))
    world.receipt(1, state=WindowState.FAILED)
    forged, on_the_hour = real_key(2, "20180521001000"), real_key(3, "20180521000001")
    for each, content in {
        forged: document(0),
        on_the_hour: document(0, 0),
        real_key(4, "20180521000500"): document(1),  # failed
        real_key(5, "20180521000500"): document(2),  # open
        real_key(6, "20180521000500"): document(9),  # not compared
        real_key(8, "20180521030000"): document(0),
    }.items():
        world.bucket.objects[each] = StoredObject(each, 1, None)
        world.bucket.contents[each] = content

    findings = world.reconcile()

    [objects] = findings.unknown.values()
    assert (objects.count, objects.keys) == (2, [forged, on_the_hour])
    message = log_findings([findings], [])[0]
    assert message.startswith("Account 5234 Acme: 2 unknown objects")
    check_message(message)


@pytest.mark.promise("unknown-objects")
def test_an_object_that_is_no_document_or_under_no_key_of_one_is_unknown(world: World) -> None:
    world.source.records = [job(1)]
    for hour in range(3):
        world.receipt(hour, *([item(1)] if hour == 0 else []))
    for each in (real_key(2, "20180521001000"), "5234/jobs/234/20180521/notes.txt"):
        world.bucket.objects[each] = StoredObject(each, 1, None)

    [objects] = world.reconcile().unknown.values()

    assert objects.count == 2
    assert world.bucket.reads == [real_key(2, "20180521001000")]


@pytest.mark.promise("unknown-objects")
def test_of_many_unnamed_objects_others_are_read_each_day_and_the_cut_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Objects of a killed load, which are not judged, must not keep a forged one out of the read ones for ever."""
    monkeypatch.setattr(unknown_objects, "MAX_READS_PER_FOLDER", 5)
    world.source.records = [job(1)]
    world.receipt(0, item(1))
    for number in range(2, 22):
        key = real_key(number, f"201805210005{number:02d}")
        world.bucket.objects[key] = StoredObject(key, 1, None)
        world.bucket.contents[key] = document(2)

    world.reconcile()
    first, world.bucket.reads = world.bucket.reads, []
    world.reconcile(hours=Window(DAY, DAY + timedelta(hours=2)))

    assert len(first) == len(world.bucket.reads) == 5
    assert set(first) != set(world.bucket.reads)
    assert "15 objects more that no receipt names were not read" in caplog.text


@pytest.mark.promise("unknown-objects")
def test_an_object_that_was_deleted_since_the_listing_is_not_unknown(world: World) -> None:
    world.source.records = [job(1)]
    world.receipt(0, item(1))
    gone = real_key(2, "20180521001000")
    world.bucket.objects[gone] = StoredObject(gone, 1, None)
    world.bucket.contents[gone] = None

    assert world.reconcile().unknown == {}


def test_the_document_of_a_conflict_is_not_unknown(world: World) -> None:
    world.source.records = [job(1), job(2)]
    taken = real_key(2, "20180521001000")
    conflict = msgspec.structs.replace(item(2, Outcome.QUARANTINED), key=taken, detail="conflict")
    world.receipt(0, item(1), conflict)
    world.receipt(1)
    world.receipt(2)
    world.bucket.contents[taken] = document(0)

    assert world.reconcile().unknown == {}


@pytest.mark.promise("unknown-objects")
def test_at_most_a_hundred_objects_of_a_folder_are_read(world: World) -> None:
    world.source.records = [job(1)]
    for hour in range(3):
        world.receipt(hour, *([item(1)] if hour == 0 else []))
    for number in range(150):
        each = real_key(number + 2, f"20180521{number // 60:02d}{number % 60:02d}00")
        world.bucket.objects[each] = StoredObject(each, 1, None)

    [objects] = world.reconcile().unknown.values()

    assert (objects.count, len(world.bucket.reads)) == (100, 100)


def test_an_object_of_a_run_that_closed_its_hour_meanwhile_is_not_unknown(world: World) -> None:
    world.source.records = [job(1)]
    for hour in range(3):
        world.receipt(hour, *([item(1)] if hour == 0 else []))
    late = real_key(2, "20180521001000")
    listed = world.bucket.listing

    def listing(folder: str) -> Iterator[StoredObject]:
        world.receipt(0, item(1), msgspec.structs.replace(item(2), key=late), run="run-2")
        world.bucket.contents[late] = document(0)
        return listed(folder)

    world.bucket.listing = listing  # type: ignore[method-assign]

    assert world.reconcile().unknown == {}


def test_objects_of_another_bucket_are_not_expected_in_this_one(world: World) -> None:
    world.source.records = [job(1)]
    world.receipt(0, item(1))
    world.receipt(1)
    world.receipt(2)
    world.bucket = MemoryBucket()
    world.bucket.description = lambda: {"type": "s3", "bucket": "new"}  # type: ignore[method-assign]

    assert world.reconcile().windows == []


def test_an_error_of_one_account_stops_no_other(world: World, check_message: CheckMessage) -> None:
    for hour in range(3):
        world.receipt(hour)
    broken = MemorySource(fault=TransientError("The database is away."))
    findings = world.reconcile(
        account(user_id=77, name="Umbrella"),
        account(),
        source_of=lambda account, _kind: broken if account.user_id == 77 else world.source,
    )

    [message] = findings.faults
    assert message.startswith("Account 77 Umbrella: ")
    assert "The database is away." in message
    check_message(message)
    assert (findings.compared, findings.windows) == (3, [])


def test_a_source_that_times_out_does_not_use_up_the_time_of_other_sources(world: World) -> None:
    now = [0.0]

    class Void(MemorySource):
        def count(self, user_id: int, window: Window) -> int:
            now[0] += 130
            raise TransientError(f"Nobody answers for {user_id} in {window}.")

    void, elsewhere = Void(), {"type": "sql", "conn_id": "elsewhere"}
    accounts = [account(user_id=number, name="V", source=elsewhere) for number in range(1, 6)]
    findings = world.reconcile(
        *accounts,
        account(),
        source_of=lambda account, _kind: void if account.user_id < 6 else world.source,
        bucket_of=None,
        clock=lambda: now[0],
    )

    assert [fault.partition(":")[2][:14] for fault in findings.faults] == [" 0 hours of [2"] * 3 + [
        " skipped, beca"
    ] * 2
    assert findings.to_run() == {(5234, EventKind.JOBS, hour) for hour in HOURS}


@pytest.mark.promise("fair-time-limits")
def test_a_source_that_hangs_is_left_in_time_and_named(world: World) -> None:
    @contextmanager
    def limited() -> Iterator[None]:
        began = time.monotonic()
        yield
        if time.monotonic() - began > 0.2:
            raise TransientError("it takes more than 0.2 s")

    class Hanging(MemorySource):
        def count(self, user_id: int, window: Window) -> int:
            time.sleep(0.3)
            return super().count(user_id, window)

    hanging = account(user_id=2, name="H", source={"type": "sql", "conn_id": "elsewhere"})
    findings = world.reconcile(
        hanging,
        account(),
        source_of=lambda account, _kind: Hanging() if account.user_id == 2 else world.source,
        one_question=limited,
        bucket_of=None,
    )

    [fault] = findings.faults
    assert "2 H" in fault
    assert "more than 0.2 s" in fault
    assert findings.behind == {2}


@pytest.mark.promise("fair-time-limits")
def test_a_store_that_times_out_does_not_use_up_the_time_of_other_stores(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its accounts would come first every day, because they were compared the longest time ago."""
    monkeypatch.setattr(compare, "BUCKETS_AT_ONCE", 1)
    now, asked = [0.0], list[int]()

    class Void(MemoryBucket):
        def listing(self, folder: str) -> Iterator[StoredObject]:
            now[0] += 130
            asked.append(int(folder.partition("/")[0]))
            raise TransientError("Nobody answers.")

    world.source.records = [job(1)]
    world.receipt(0, item(1))
    [path] = [path for path in world.ledger.paths("receipts/5234") if path.endswith(".parquet")]
    void = {"type": "s3", "conn_id": "void", "bucket": "void"}
    dead = [account(user_id=number, name="V", destination=void) for number in range(1, 9)]
    for each in dead:
        add_revision(world.ledger, receipt(0, WindowState.COMPLETE, user_id=each.user_id, items=[path]))
    findings = world.reconcile(
        *dead, account(), bucket_of=lambda one: Void() if one.user_id < 9 else world.bucket, clock=lambda: now[0]
    )

    assert len(asked) == 3
    assert len(findings.faults) == 8
    assert findings.behind == set(range(1, 9))
    assert findings.objects == 1


def test_an_unlistable_bucket_is_a_problem_and_the_source_is_still_compared(
    world: World, check_message: CheckMessage
) -> None:
    world.source.records = [job(1)]
    world.receipt(0, item(2))
    world.bucket.fault = PermanentError("The bucket refuses to be listed.")

    findings = world.reconcile()

    assert [(found.missing, found.gone) for found in findings.windows] == [(1, 1), (0, 0), (0, 0)]
    message = log_findings([findings], [])[0]
    assert message.startswith("Account 5234 Acme: ")
    assert "The bucket refuses to be listed." in message
    check_message(message)


def test_jobs_beyond_retention_are_not_reported_as_gone(world: World) -> None:
    world.receipt(0, item(1))
    world.receipt(1, item(2))
    world.source.fault = UnrecoverableError("Too old.")

    findings = world.reconcile()

    assert (findings.windows, findings.compared) == ([finding(2, "open", is_run=True)], 0)
    world.bucket.objects.clear()
    assert [found.lost for found in world.reconcile().windows] == [1, 1, 0]


def test_a_paused_account_is_not_compared(world: World) -> None:
    assert world.reconcile(account(enabled=False)).windows == []


def test_an_account_without_jobs_is_counted_once_for_all_hours(world: World) -> None:
    for hour in range(3):
        world.receipt(hour)

    world.reconcile()

    assert world.source.asked == [(5234, THREE_HOURS)]


def test_the_lateness_histogram_names_the_sufficient_settle_minutes(
    world: World, caplog: pytest.LogCaptureFixture, check_message: CheckMessage
) -> None:
    world.receipt(0, lateness=Lateness({"15 min": 2, "6 h": 1}, {"24 h": 3}, longest_unseen_seconds=4_201))
    world.receipt(1)
    world.receipt(2)

    log_findings([world.reconcile()], [])

    message = caplog.records[-1].getMessage()
    assert message.startswith("3 jobs ")
    assert "settle_minutes above 71 " in message
    check_message(message)


def test_no_longer_settle_time_is_advised_for_very_late_jobs(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for hour in range(3):
        world.receipt(hour, lateness=Lateness({"24 h": 1}, {"48 h": 1}, longest_unseen_seconds=80_000))

    log_findings([world.reconcile()], [])

    assert caplog.records[-1].getMessage().splitlines()[-1] == (
        "One was still unseen 22 hours after its end: only the reconciliation finds such jobs, waiting does not."
    )
