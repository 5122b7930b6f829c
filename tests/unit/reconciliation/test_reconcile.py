"""Reconciliation: whatever source, receipts and bucket disagree about is found, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.samples import DAY, MemorySource, account, record

from job_history.accounts.account import Account
from job_history.destinations import StoredObject
from job_history.errors import PermanentError, ReplicationError, TransientError, UnrecoverableError
from job_history.ledger.items import Item, item_writer
from job_history.ledger.lateness import Lateness
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_store import receipt_folder, save_receipt
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.reconciliation.findings import Findings, WindowFinding
from job_history.reconciliation.log_findings import log_findings
from job_history.reconciliation.reconcile import reconcile
from job_history.storage import Storage, local_storage

HOURS = [Window(DAY + timedelta(hours=number), DAY + timedelta(hours=number + 1)) for number in range(3)]
THREE_HOURS = Window(HOURS[0].start, HOURS[-1].end)
BUCKET = {"type": "memory"}


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

    def listing(self, folder: str) -> Iterator[StoredObject]:
        if self.fault is not None:
            raise self.fault
        return iter([stored for name, stored in self.objects.items() if name.startswith(f"{folder}/")])

    def description(self) -> dict[str, Any]:
        return BUCKET


def receipt(hour: int, state: WindowState, **changes: Any) -> Receipt:
    return Receipt(
        user_id=5234,
        name="Acme",
        window=HOURS[hour],
        state=state,
        counts=Counts(),
        gap=0,
        settings_hash="",
        code_version="",
        destination=BUCKET,
        runs=[RunEntry("run-1", "2018-05-21T04:00:00Z", state, Counts(), [])],
        **changes,
    )


@dataclass
class World:
    ledger: Storage
    source: MemorySource = field(default_factory=MemorySource)
    bucket: MemoryBucket = field(default_factory=MemoryBucket)

    def receipt(
        self,
        hour: int,
        *items: Item,
        state: WindowState = WindowState.COMPLETE,
        lateness: Lateness | None = None,
        run: str = "run-1",
    ) -> None:
        path = f"{receipt_folder(5234, EventKind.JOBS, HOURS[hour])}/items-{run}.parquet"
        with item_writer(self.ledger, path, BUCKET) as writer:
            for each in items:
                writer.append(each)
                if each.key:
                    self.bucket.objects[each.key] = StoredObject(each.key, each.bytes or 0, each.e_tag)
        save_receipt(self.ledger, receipt(hour, state, items=[path], lateness=lateness or Lateness()))

    def reconcile(self, *accounts: Account, repair: bool = False) -> Findings:
        return reconcile(
            destination="s3",
            hours=THREE_HOURS,
            accounts=accounts or [account()],
            ledger=self.ledger,
            source_of=lambda _account, _kind: self.source,
            bucket_of=lambda _: self.bucket,
            repair=repair,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(local_storage(tmp_path))


def finding(hour: int, state: str, **found: Any) -> WindowFinding:
    fields = {"compared": state == "complete", **found}
    return WindowFinding(user_id=5234, name="Acme", kind=EventKind.JOBS, window=HOURS[hour], state=state, **fields)


def test_where_all_three_agree_there_is_nothing_to_tell(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.source.records = [job(1), job("j-1"), job(None), job(2, hour=1), job(3, hour=1)]
    world.receipt(0, item(1), item("j-1"), item(None, Outcome.QUARANTINED))
    world.receipt(1, item(2, Outcome.ALREADY_PRESENT), item(3, Outcome.FILTERED))
    world.receipt(2)

    findings = world.reconcile()

    assert findings == Findings(destination="s3", window=THREE_HOURS, compared=3, objects=3)
    with caplog.at_level(logging.INFO):
        assert log_findings([findings], []) == []
    assert "Nothing is missing, lost or altered." in caplog.text


def test_an_id_is_the_same_however_the_source_writes_it(world: World) -> None:
    world.source.records = [job("00017"), job("9" * 22)]
    world.receipt(0, item(17), item("9" * 22, Outcome.QUARANTINED))
    world.receipt(1)
    world.receipt(2)

    assert world.reconcile().windows == []


def test_a_job_that_a_run_delivers_while_it_is_compared_is_not_missing(world: World) -> None:
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


def test_of_two_runs_of_an_open_window_the_later_says_what_the_bucket_holds(world: World) -> None:
    world.receipt(0, item(1), state=WindowState.FAILED)
    replaced = msgspec.structs.replace(item(1), e_tag='"replaced"')
    world.receipt(0, replaced, state=WindowState.FAILED, run="run-2")

    assert world.reconcile().windows[0] == finding(0, "failed", is_run=True)


@pytest.mark.promise("gone-jobs")
def test_a_job_that_no_receipt_has_makes_its_window_run_again_and_one_that_is_gone_is_told(world: World) -> None:
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


@pytest.mark.promise("open-windows-run")
def test_windows_without_a_receipt_or_that_failed_are_run_and_no_others(world: World) -> None:
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
    assert len(world.reconcile().windows) == 2


def test_what_the_bucket_lost_or_has_otherwise_is_told_and_run_again_only_on_request(world: World) -> None:
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
    assert log_findings([findings], []) == [
        "Account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z): of the objects that were delivered, 1 are "
        f"lost and 2 altered ({key(1)}, {key(2)}, {key(3)}). If nobody meant to, run job_history_reconciliation by hand with "
        "repair switched on."
    ]


def test_a_repair_that_failed_is_told_and_one_that_succeeded_is_not(world: World) -> None:
    world.receipt(0, item(1))
    world.receipt(1)
    world.receipt(2)
    world.source.records = [job(1)]
    world.bucket.objects.clear()
    findings = world.reconcile(repair=True)

    assert len(log_findings([findings], [])) == 1
    assert len(log_findings([findings], [receipt(0, WindowState.FAILED)])) == 1
    assert log_findings([findings], [receipt(0, WindowState.COMPLETE)]) == []


def test_objects_that_went_to_another_bucket_are_not_looked_for_in_this_one(world: World) -> None:
    world.source.records = [job(1)]
    world.receipt(0, item(1))
    world.receipt(1)
    world.receipt(2)
    world.bucket = MemoryBucket()
    world.bucket.description = lambda: {"type": "s3", "bucket": "new"}  # type: ignore[method-assign]

    assert world.reconcile().windows == []


def test_one_accounts_fault_is_told_and_stops_no_other(world: World) -> None:
    for hour in range(3):
        world.receipt(hour)
    broken = MemorySource(fault=TransientError("The database is away."))
    findings = reconcile(
        destination="s3",
        hours=THREE_HOURS,
        accounts=[account(user_id=77, name="Umbrella"), account()],
        ledger=world.ledger,
        source_of=lambda account, _kind: broken if account.user_id == 77 else world.source,
        bucket_of=lambda _: world.bucket,
        repair=False,
    )

    assert findings.faults == [
        "Account 77 Umbrella: 0 hours of [2018-05-21T00:00:00Z, 2018-05-21T03:00:00Z) could be compared with the source, the "
        "others not: The database is away. Run the reconciliation again once this is mended."
    ]
    assert (findings.compared, findings.windows) == (3, [])


def test_a_source_that_lets_its_accounts_wait_in_vain_does_not_use_up_the_time_of_others(world: World) -> None:
    now = [0.0]

    class Void(MemorySource):
        def count(self, user_id: int, window: Window) -> int:
            now[0] += 130
            raise TransientError(f"Nobody answers for {user_id} in {window}.")

    void, elsewhere = Void(), {"type": "sql", "conn_id": "elsewhere"}
    accounts = [account(user_id=number, name="V", source=elsewhere) for number in range(1, 6)]
    findings = reconcile(
        destination="s3",
        hours=THREE_HOURS,
        accounts=[*accounts, account()],
        ledger=world.ledger,
        source_of=lambda account, _kind: void if account.user_id < 6 else world.source,
        bucket_of=None,
        repair=False,
        clock=lambda: now[0],
    )

    assert [fault.partition(":")[2][:14] for fault in findings.faults] == [" 0 hours of [2"] * 3 + [
        " not compared,"
    ] * 2
    assert findings.to_run() == {(5234, EventKind.JOBS, hour) for hour in HOURS}


def test_a_bucket_that_cannot_be_listed_is_a_fault_and_the_comparison_with_the_source_counts(world: World) -> None:
    world.source.records = [job(1)]
    world.receipt(0, item(2))
    world.bucket.fault = PermanentError("The bucket refuses to be listed.")

    findings = world.reconcile()

    assert [(found.missing, found.gone) for found in findings.windows] == [(1, 1), (0, 0), (0, 0)]
    assert log_findings([findings], [])[0] == (
        "Account 5234 Acme: its objects could not be compared with the receipts: The bucket refuses to be listed. Run the "
        "reconciliation again once this is mended."
    )


def test_what_the_source_no_longer_holds_is_not_taken_for_gone(world: World) -> None:
    world.receipt(0, item(1))
    world.receipt(1, item(2))
    world.source.fault = UnrecoverableError("Too old.")

    findings = world.reconcile()

    assert (findings.windows, findings.compared) == ([finding(2, "open", is_run=True)], 0)
    world.bucket.objects.clear()
    assert [found.lost for found in world.reconcile().windows] == [1, 1, 0]


def test_a_paused_account_is_not_looked_at(world: World) -> None:
    assert world.reconcile(account(enabled=False)).windows == []


def test_an_account_without_jobs_is_asked_once_and_not_for_each_hour(world: World) -> None:
    for hour in range(3):
        world.receipt(hour)

    world.reconcile()

    assert world.source.asked == [(5234, THREE_HOURS)]


def test_the_histogram_says_how_late_jobs_were_and_what_would_have_been_enough(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.receipt(0, lateness=Lateness({"15 min": 2, "6 h": 1}, {"24 h": 3}, longest_unseen_seconds=4_201))
    world.receipt(1)
    world.receipt(2)

    log_findings([world.reconcile()], [])

    assert caplog.records[-1].getMessage() == (
        "3 jobs of these windows were late: their own hour's run did not see them yet.\n"
        "after its end  still unseen  found\n"
        "15 min                    2      0\n"
        "1 h                       0      0\n"
        "6 h                       1      0\n"
        "24 h                      0      3\n"
        "48 h                      0      0\n"
        "longer                    0      0\n"
        "With [job_history] settle_minutes above 71, each would have had the time to be seen that it is known to have needed."
    )


def test_no_waiting_is_advised_that_would_hold_up_every_hour(world: World, caplog: pytest.LogCaptureFixture) -> None:
    for hour in range(3):
        world.receipt(hour, lateness=Lateness({"24 h": 1}, {"48 h": 1}, longest_unseen_seconds=80_000))

    log_findings([world.reconcile()], [])

    assert caplog.records[-1].getMessage().splitlines()[-1] == (
        "One was still unseen 22 hours after its end: waiting is no remedy, only looking again is."
    )
