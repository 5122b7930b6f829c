"""A ledger of the release that kept one receipt.json per window goes on, without a step by hand."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support.oracle import expected_documents, sumo_logic_documents
from tests.support.runs import Run
from tests.support.scripted_s3 import ScriptedS3, scripted_s3
from tests.support.world import BUCKET, World, accounts_of

from job_history.destinations.sumo_logic import endpoint_of
from job_history.destinations.sumo_logic.endpoint import target_of
from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.inspection.status import statuses
from job_history.ledger.known_accounts import read_known_accounts
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_history import read_history
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.run_slice import SliceTools
from job_history.redrive import redrive
from simulators.job_store import SampleJob, plain_job
from simulators.project import ROOT
from simulators.sumo_logic import LocalSource, local_source

LEDGER = ROOT / "tests" / "ledgers" / "version_1"
TARGET = b"bfe1c2a8bad52dc4"
"""What the lists of 6001 name; it is a hash of the URL of the source of those runs, whose port was another."""
S3_USER, SUMO_LOGIC_USER = 5001, 6001
START = datetime(2018, 5, 21, tzinfo=UTC)
DAY = Window(START, START + timedelta(hours=4))
HOURS = list(DAY.hours())
BAD = 99


def jobs() -> list[SampleJob]:
    def at(hour: int, minute: int) -> str:
        return f"{START + timedelta(hours=hour, minutes=minute):%Y-%m-%dT%H:%M:%SZ}"

    made = []
    for user_id in (S3_USER, SUMO_LOGIC_USER):
        for hour in range(3):
            for number in range(1, 5):
                job = plain_job(user_id, HOURS[hour].start, hour * 10 + number)
                made.append(job._replace(started_at=at(hour, number), completed_at=at(hour, number + 5)))
        bad = plain_job(user_id, HOURS[1].start, BAD)
        made.append(bad._replace(started_at="no time at all", completed_at=at(1, 50)))
    return made


@dataclass
class Upgraded:
    """The world of those runs, with this release. `there`: what they delivered to the bucket."""

    world: World
    there: dict[str, bytes]

    def receipt(self, user_id: int, hour: int) -> Receipt:
        found = read_receipt(self.world.ledger, user_id, EventKind.JOBS, HOURS[hour])
        assert found is not None
        return found

    def history(self, user_id: int, hour: int) -> list[int]:
        return [each.revision for each in read_history(self.world.ledger, user_id, EventKind.JOBS, HOURS[hour])]

    def files_of_version_1(self) -> dict[str, bytes | None]:
        paths = [str(path.relative_to(LEDGER)) for path in LEDGER.rglob("*") if path.is_file()]
        return {path: self.world.ledger.read(path) for path in paths}


@pytest.fixture
def endpoints() -> Iterator[tuple[ScriptedS3, LocalSource]]:
    with scripted_s3(BUCKET) as s3, local_source() as sumo_logic:
        yield s3, sumo_logic


@pytest.fixture
def upgraded(tmp_path: Path, endpoints: tuple[ScriptedS3, LocalSource]) -> Upgraded:
    shutil.copytree(LEDGER, tmp_path / "ledger", copy_function=shutil.copyfile)
    for folder in (tmp_path / "ledger", *(tmp_path / "ledger").rglob("*")):
        folder.chmod(0o700 if folder.is_dir() else 0o600)
    world = World(tmp_path, accounts_of([S3_USER], [SUMO_LOGIC_USER]), *endpoints)
    world.add(jobs())
    target = target_of(endpoint_of(host=None, password=endpoints[1].url), {}).encode()
    of_sumo_logic = tmp_path / "ledger" / "receipts" / str(SUMO_LOGIC_USER)
    for path in of_sumo_logic.rglob("receipt.json"):
        path.write_bytes(path.read_bytes().replace(TARGET, target))
    for path in of_sumo_logic.rglob("*.parquet"):
        table = pq.read_table(path)
        [(name, destination)] = table.schema.metadata.items()
        pq.write_table(table.replace_schema_metadata({name: destination.replace(TARGET, target)}), path)
    of_s3 = expected_documents([job for job in jobs() if job.user_id == S3_USER and job.started_at[:4] == "2018"])
    there = {key: body for key, body in of_s3.items() if not any(f"-{number}-" in key for number in (23, 24))}
    assert len(there) == 10
    endpoints[0].objects.update(there)
    return Upgraded(world, there)


@pytest.mark.promise("version-1-ledger")
def test_the_status_of_a_ledger_of_version_1(upgraded: Upgraded) -> None:
    accounts = upgraded.world.accounts.usable.values()
    shown = statuses(upgraded.world.ledger, accounts, DAY, DAY.end + timedelta(days=1), timedelta(minutes=10))
    of_each = ["complete", "complete_with_quarantine", "failed", "complete"]
    assert sorted((each.user_id, each.window, str(each.state)) for each in shown) == [
        (user_id, hour, state)
        for user_id in (S3_USER, SUMO_LOGIC_USER)
        for hour, state in zip(HOURS, of_each, strict=True)
    ]
    assert sorted(read_known_accounts(upgraded.world.ledger).settings) == [str(S3_USER), str(SUMO_LOGIC_USER)]


@pytest.mark.promise("version-1-ledger")
def test_a_reconciliation_goes_on_with_a_ledger_of_version_1(upgraded: Upgraded) -> None:
    before = upgraded.files_of_version_1()
    world = upgraded.world

    world.runs().do(Run("first of version 2", DAY, mode="reconciliation"))

    assert world.s3.writes == Counter({key: 1 for key in world.s3.objects if key not in upgraded.there})
    assert len(world.s3.objects) == 12
    sent = sumo_logic_documents(world.sumo_logic.messages())
    assert sorted(key.split("-")[2] for key in sent) == ["21", "22", "23", "24"]
    for user_id in (S3_USER, SUMO_LOGIC_USER):
        assert [upgraded.history(user_id, hour) for hour in range(4)] == [[0], [0], [0, 1], [0]]
        newest = upgraded.receipt(user_id, 2)
        content = before[f"receipts/{user_id}/jobs/20180521/{HOURS[2].slug}/receipt.json"] or b""
        assert (newest.state, newest.counts.gone, newest.elsewhere) == ("complete", 0, [])
        assert newest.previous_sha256 == hashlib.sha256(content).hexdigest()
        assert [entry.run for entry in newest.runs] == ["hour-2", "first of version 2"]
    assert {path: world.ledger.read(path) for path in before} == before
    world.s3.objects.pop(next(iter(upgraded.there)))
    with pytest.raises(PermanentError):
        world.runs().do(Run("lost", DAY, mode="reconciliation"))
    findings = RunFiles(world.staging, "lost").findings("s3")
    assert findings is not None
    assert [finding.lost for finding in findings.windows if finding.lost] == [1]


@pytest.mark.promise("version-1-ledger")
def test_a_window_of_version_1_that_its_source_has_pruned_forgets_nothing(upgraded: Upgraded) -> None:
    world = upgraded.world
    with closing(world.store.writer()) as connection, connection:
        connection.execute("DELETE FROM job_history_jobs")

    with pytest.raises(PermanentError, match=Code.SOURCE_SHRANK):
        world.runs().do(Run("pruned", HOURS[0], mode="repair"))

    newest = upgraded.receipt(S3_USER, 0)
    assert (newest.revision, newest.state, newest.counts.listed, newest.counts.gone) == (1, "complete", 0, 4)
    assert upgraded.receipt(SUMO_LOGIC_USER, 0).counts.gone == 4


@pytest.mark.promise("version-1-ledger")
def test_quarantine_of_version_1_is_redriven(upgraded: Upgraded) -> None:
    world = upgraded.world
    account = world.accounts.get(S3_USER)
    done = redrive(
        account,
        EventKind.JOBS,
        HOURS[1],
        lambda slice_: world.runs().destination_of(account, slice_, False),
        SliceTools(world.staging, world.ledger, 40_000_000),
        replace=False,
        finished_at=DAY.end,
        code_version="2",
    )
    assert (done.left, upgraded.history(S3_USER, 1)) == ({"bad_time": 1}, [0])
