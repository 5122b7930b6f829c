"""Whatever a source forgets, the record of what was delivered stays: losses at the bucket are seen, and none is sent
twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.oracle import expected_documents
from tests.support.runs import Run
from tests.support.scripted_s3 import ScriptedS3, scripted_s3
from tests.support.world import BUCKET, World, accounts_of

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.inspection.unknown import unknown_objects
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.run_files import RunFiles
from simulators.job_store import SampleJob, plain_job
from simulators.sumo_logic import LocalSource, local_source

USER = 5001
START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))


def job(number: int) -> SampleJob:
    ended = f"{START + timedelta(minutes=number % 59):%Y-%m-%dT%H:%M:%SZ}"
    return plain_job(USER, START, number)._replace(started_at="2018-05-21T00:00:00Z", completed_at=ended)


@pytest.fixture(scope="module")
def endpoints() -> Iterator[tuple[ScriptedS3, LocalSource]]:
    with scripted_s3(BUCKET) as s3, local_source() as sumo_logic:
        yield s3, sumo_logic


class Hour:
    """One hour of an account with 50 jobs, delivered to a bucket."""

    def __init__(self, folder: Path, s3: ScriptedS3, sumo_logic: LocalSource) -> None:
        for endpoint in (s3, sumo_logic):
            endpoint.reset()
        self.world = World(folder, accounts_of([USER], []), s3, sumo_logic)
        self.s3 = s3
        self.jobs = [job(number) for number in range(1, 51)]
        self.world.add(self.jobs)
        self.number = 0
        assert self.run() == ""
        assert len(s3.objects) == 50

    def run(self, mode: str = "missing_only", **options: bool) -> str:
        """Do a run of the hour, and return its problems."""
        self.number += 1
        self.name = f"run-{self.number}"
        try:
            self.world.runs().do(Run(self.name, HOUR, mode=mode, kinds=("s3",), **options))
        except PermanentError as failed:
            return str(failed)
        return ""

    def reconcile(self, *, repair: bool = False, accept_fewer: bool = False) -> str:
        return self.run("reconciliation", repair=repair, accept_fewer=accept_fewer)

    def lost(self) -> int:
        findings = RunFiles(self.world.staging, self.name).findings("s3")
        assert findings is not None
        return sum(finding.lost for finding in findings.windows)

    @property
    def receipt(self) -> Receipt:
        receipt = read_receipt(self.world.ledger, USER, EventKind.JOBS, HOUR)
        assert receipt is not None
        return receipt

    def lose(self, jobs: list[SampleJob]) -> None:
        for key in expected_documents(jobs):
            del self.s3.objects[key]


@pytest.fixture
def hour(tmp_path: Path, endpoints: tuple[ScriptedS3, LocalSource]) -> Hour:
    return Hour(tmp_path, *endpoints)


@pytest.mark.promise("receipts-never-forget")
def test_a_repair_of_an_hour_that_the_source_has_pruned_forgets_no_delivery(hour: Hour) -> None:
    hour.world.forget(hour.jobs)

    assert Code.SOURCE_SHRANK in hour.run("repair")
    assert (hour.receipt.state.closed, hour.receipt.counts.listed, hour.receipt.counts.gone) == (True, 0, 50)
    assert hour.reconcile() == ""
    hour.lose(hour.jobs[:30])

    assert "30 are lost" in hour.reconcile()
    assert hour.lost() == 30


@pytest.mark.promise("receipts-never-forget")
def test_what_a_source_drops_is_still_expected_in_the_bucket_after_a_late_job(hour: Hour) -> None:
    hour.world.forget(hour.jobs[:10])
    hour.world.add([job(51)])

    assert hour.reconcile() == ""
    assert (len(hour.s3.objects), hour.receipt.counts.listed, hour.receipt.counts.gone) == (51, 41, 10)
    hour.lose(hour.jobs[:10])

    assert "10 are lost" in hour.reconcile()


@pytest.mark.promise("receipts-never-forget", "lost-objects")
def test_a_repair_of_what_the_source_no_longer_has_is_red_and_stays_red(hour: Hour) -> None:
    hour.world.forget(hour.jobs[:2])
    hour.lose(hour.jobs[:5])

    repaired = hour.reconcile(repair=True)

    assert "2 of them were not seen to be back" in repaired
    assert len(hour.s3.objects) == 47 + 1
    assert hour.lost() == 5
    assert "2 are lost" in hour.reconcile()
    assert "2 of them were not seen to be back" in hour.reconcile(repair=True)


@pytest.mark.promise("receipts-never-forget")
def test_rows_that_come_back_are_delivered_once(hour: Hour) -> None:
    hour.world.forget(hour.jobs)
    assert Code.SOURCE_SHRANK in hour.run("repair")
    assert hour.run("repair", accept_fewer=True) == ""
    hour.world.add(hour.jobs)
    hour.lose(hour.jobs[:3])

    assert "3 are lost" in hour.reconcile()
    assert hour.reconcile(repair=True) == ""

    assert (hour.receipt.counts.listed, hour.receipt.counts.gone, len(hour.s3.objects)) == (50, 0, 50)
    assert {key: hour.s3.writes[key] for key in hour.s3.objects} == {
        key: 2 if key in expected_documents(hour.jobs[:3]) else 1 for key in hour.s3.objects
    }
    assert hour.reconcile() == ""


@pytest.mark.promise("unknown-objects")
def test_a_forged_document_is_reported_and_left(hour: Hour) -> None:
    forged = expected_documents([job(77)])
    hour.s3.objects.update(forged)

    assert "1 unknown objects" in hour.reconcile(repair=True)
    assert forged.items() <= hour.s3.objects.items()


@pytest.mark.promise("unknown-objects")
def test_a_diff_finds_unknown_objects_of_its_hours_in_the_whole_folder_of_the_account(hour: Hour) -> None:
    """Also in a folder of which no receipt of these hours has an object."""
    account = hour.world.accounts.usable[USER]
    other_day = job(78)._replace(started_at="2018-05-20T09:00:00Z")
    other_hour = job(79)._replace(completed_at="2018-05-21T01:00:00Z")
    forged = expected_documents([job(77), other_day])
    hour.s3.objects.update({**forged, **expected_documents([other_hour])})
    notes = [f"{USER}/{path}" for path in ("admin_events/forged.json", "jobs/notes.txt", "notes.txt")]
    of_another = [
        f"{USER}/{key}"
        for key in (*expected_documents([job(80)._replace(user_id=77)]), "_control/seals/77/jobs/1.json")
    ]
    hour.s3.objects.update(dict.fromkeys([*notes, *of_another], b"notes"))
    hour.lose(hour.jobs[:1])
    bucket = hour.world.runs().bucket_of(account)

    found = unknown_objects(account, HOUR, bucket, hour.world.ledger)

    assert sorted(found.objects.keys) == sorted([*forged, *notes])
    assert found.objects.count == 5
    later = Window(HOUR.end, HOUR.end + timedelta(hours=1))
    assert (
        unknown_objects(account, later, bucket, hour.world.ledger).objects.keys == notes
    )  # the hour of the other one is not closed
