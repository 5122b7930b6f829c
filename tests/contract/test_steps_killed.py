"""A step that is killed, or meets a full disk, is run again: the destination ends up as if nothing had happened."""

import base64
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from tests.support import sqlite_store
from tests.support.crash_matrix import crash_cell
from tests.support.oracle import expected_documents
from tests.support.steps import Death, Setting, outcome, run_steps, start_steps
from tests.support.world import keys_of
from tests.unit import samples

from job_history.ledger.items import items_at
from job_history.model.window import Window
from job_history.pipeline.run_files import RunFiles
from job_history.storage import local_storage
from simulators.job_store import SampleJob, broken_jobs, plain_job
from simulators.s3_endpoint import S3Endpoint

USER_ID = 5234
START = datetime(2018, 5, 21, tzinfo=UTC)
STEPS = ["plan", "extract", "transform", "load"]
FINISHED, STOPPED, BROKEN = 120, 10, 3
# Above what obstore gathers before a file appears on the disk (10 MB), and of a kind that does not compress well.
LINE_BYTES = 100_000


def jobs() -> Iterator[SampleJob]:
    random = Random(1)
    for number in range(FINISHED):
        job = plain_job(USER_ID, START, number)
        output = f'"{base64.b64encode(random.randbytes(LINE_BYTES)).decode()}"'
        yield job._replace(lines=(job.lines[0], job.lines[1]._replace(output=output)))
    for number in range(STOPPED):
        yield plain_job(USER_ID, START, 1_000 + number)._replace(status="aborted")
    yield from broken_jobs("null_started_at", USER_ID, START)
    yield from broken_jobs("duplicate_job_id", USER_ID, START)


@pytest.fixture(scope="module")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_store.filled_store(tmp_path_factory.mktemp("store") / "jobs.sqlite", jobs())


@dataclass
class Run:
    """One slice, with a store, folders and a bucket of its own."""

    setting: Setting
    endpoint: S3Endpoint

    def steps(self, steps: list[str], death: Death | None = None) -> tuple[int, str]:
        return run_steps(self.setting, steps, death)

    def lose_the_source(self) -> None:
        Path(self.setting.store).unlink()

    def objects(self) -> dict[str, tuple[int, str]]:
        """Size and MD5 of each object: its only version's, or there is more than one."""
        pages = self.endpoint.client().get_paginator("list_object_versions").paginate(Bucket=self.setting.bucket)
        versions = [each for page in pages for each in page.get("Versions", [])]
        assert set(Counter(each["Key"] for each in versions).values()) <= {1}
        return {each["Key"]: (each["Size"], each["ETag"]) for each in versions}

    def receipt(self) -> dict[str, int]:
        """How many jobs had each outcome, by the item list."""
        items = items_at(local_storage(Path(self.setting.ledger)), outcome(self.setting).items_path)
        return dict(Counter(item.outcome for item in items))

    def completes_from(self, step: str, undisturbed: dict[str, tuple[int, str]]) -> None:
        """Do the rest of the run; everything must then be there and reported."""
        assert self.steps([*STEPS[STEPS.index(step) :], "report"]) == (0, "")
        assert self.objects() == undisturbed
        receipt = self.setting.receipt()
        assert receipt is not None
        assert keys_of(receipt, local_storage(Path(self.setting.ledger))) == sorted(undisturbed)

    def staged(self) -> list[str]:
        """What is in the slice's staging folder, also what obstore would not list."""
        folder = Path(self.setting.staging) / self.setting.slice.folder
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def new_run(folder: Path, filled_store: Path, endpoint: S3Endpoint) -> Run:
    bucket = f"acme-{uuid4()}"
    endpoint.create_bucket(bucket)
    store = folder / "store.sqlite"
    store.hardlink_to(filled_store)
    hour = Window(START, START + timedelta(hours=1))
    setting = Setting.below(folder, store, USER_ID, hour, endpoint_url=endpoint.url, bucket=bucket)
    return Run(setting, endpoint)


@pytest.fixture
def run(tmp_path: Path, filled_store: Path, moto: S3Endpoint) -> Run:
    return new_run(tmp_path, filled_store, moto)


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, filled_store: Path, moto: S3Endpoint
) -> dict[str, tuple[int, str]]:
    run = new_run(tmp_path_factory.mktemp("undisturbed"), filled_store, moto)
    assert run.steps(STEPS) == (0, "")
    objects = run.objects()
    assert (len(objects), sum(size for size, _ in objects.values())) > (FINISHED - 1, FINISHED * LINE_BYTES)
    assert run.receipt() == {"delivered": FINISHED, "filtered": STOPPED, "quarantined": BROKEN}
    expected = expected_documents(job for job in jobs() if isinstance(job.job_id, int) and job.job_id < FINISHED)
    assert objects == {
        key: (len(body), f'"{md5(body, usedforsecurity=False).hexdigest()}"') for key, body in expected.items()
    }
    return objects


DEATHS = [
    Death("extract", "record", 110),
    Death("extract", "write", 115),
    Death("extract", "after extract"),
    Death("transform", "write", 115),
    Death("transform", "after transform"),
    Death("load", "before load"),
    Death("load", "before put", 20),
    Death("load", "after put", 60),
    Death("load", "after load"),
]


@pytest.mark.promise("killed-steps")
@pytest.mark.parametrize("death", DEATHS, ids=lambda death: f"{death.step} {death.place} {death.times}")
def test_a_step_that_was_killed_and_run_again_ends_as_if_undisturbed(
    run: Run, undisturbed: dict[str, tuple[int, str]], death: Death
) -> None:
    assert run.steps(STEPS, death) == (-signal.SIGKILL, "")
    there = run.objects()
    if death.step != "extract":
        run.lose_the_source()

    assert run.steps(STEPS[STEPS.index(death.step) :]) == (0, "")

    assert there.items() <= run.objects().items()
    assert run.objects() == undisturbed
    # A PUT whose answer the dead process did not wait for may be there as well, or not.
    receipt = run.receipt()
    delivered, already_present = receipt.pop("delivered", 0), receipt.pop("already_present", 0)
    assert (delivered + already_present, receipt) == (FINISHED, {"filtered": STOPPED, "quarantined": BROKEN})
    assert already_present >= len(there)
    if death.place in {"before load", "after load"}:
        assert (delivered, already_present) == (FINISHED - len(there), len(there))


CONVOY = ["convoy extract", "convoy transform", "convoy load"]
CONVOY_DEATHS = [
    (Death("convoy extract", "record", 110), "within fetch"),
    (Death("convoy extract", "after extracted"), "after its result is noted"),
    (Death("convoy transform", "write", 115), "within transform"),
    (Death("convoy load", "before put", 20), "before put"),
    (Death("convoy load", "after put", 60), "after put"),
    (Death("convoy load", "after outcome"), "after its outcome is noted"),
]


@pytest.mark.promise("killed-steps", "no-second-extract", "crash-matrix")
@pytest.mark.parametrize(
    "death",
    [
        pytest.param(
            death,
            marks=crash_cell(
                "killed", f"{death.step.replace('convoy', 'a convoy,')}", at, "tried again, its own chain"
            ),
            id=f"{death.step} {at}",
        )
        for death, at in CONVOY_DEATHS
    ],
)
def test_a_convoy_that_was_killed_ends_in_a_chain_of_its_own_and_reads_nothing_twice(
    run: Run, undisturbed: dict[str, tuple[int, str]], death: Death
) -> None:
    assert run.steps(["plan", *CONVOY], death) == (-signal.SIGKILL, "")
    there = run.objects()
    if death != CONVOY_DEATHS[0][0]:
        run.lose_the_source()

    assert run.steps([*CONVOY[CONVOY.index(death.step) :], "chains", "report"]) == (0, "")

    assert there.items() <= run.objects().items()
    assert run.objects() == undisturbed
    receipt = run.setting.receipt()
    assert receipt is not None
    assert keys_of(receipt, local_storage(Path(run.setting.ledger))) == sorted(undisturbed)


def test_what_a_killed_step_left_on_the_disk_is_cleared_away_with_the_rest(run: Run) -> None:
    assert run.steps(["plan", "extract"], Death("extract", "write", 115)) == (-signal.SIGKILL, "")
    [unfinished] = run.staged()
    assert unfinished.startswith("jobs.jsonl.zst#")
    assert run.steps(["extract"]) == (0, "")
    assert run.staged() == ["jobs.jsonl.zst", unfinished]

    RunFiles(local_storage(Path(run.setting.staging)), "run-1").delete_staged_files(
        run.setting.slice, samples.outcome(run.setting.slice)
    )

    assert run.staged() == []


def test_every_step_twice_changes_nothing(run: Run, undisturbed: dict[str, tuple[int, str]]) -> None:
    assert run.steps([step for step in STEPS for _ in range(2)]) == (0, "")

    assert run.objects() == undisturbed
    assert run.receipt() == {"already_present": FINISHED, "filtered": STOPPED, "quarantined": BROKEN}


def test_two_loads_at_once(run: Run, undisturbed: dict[str, tuple[int, str]], tmp_path: Path) -> None:
    assert run.steps(STEPS[:3]) == (0, "")
    other = replace(run.setting, results=str(tmp_path / "other results"))
    Path(other.results).mkdir()
    for path in Path(run.setting.results).iterdir():
        (Path(other.results) / path.name).hardlink_to(path)

    both = [start_steps(setting, ["load"]) for setting in (run.setting, other)]
    try:
        assert [steps.ended() for steps in both] == [(0, ""), (0, "")]
    finally:
        for steps in both:
            steps.kill()

    assert run.objects() == undisturbed
    outcomes = [outcome(setting) for setting in (run.setting, other)]
    assert [each.delivered + each.already_present for each in outcomes] == [FINISHED, FINISHED]
    assert sum(each.delivered for each in outcomes) == FINISHED


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)]
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


# Of the two files of a transform, either may be the first that the disk is full for.
@pytest.mark.promise("outages")
@pytest.mark.parametrize(
    ("step", "file"),
    [
        pytest.param(
            step,
            file,
            marks=crash_cell(
                "around", "the disk of the staged files is full", f"stage of {step}, to S3", "room, then tried again"
            ),
            id=step,
        )
        for step, file in {
            "extract": r"jobs\.jsonl\.zst",
            "transform": r"(documents|skipped)\.jsonl\.zst",
        }.items()
    ],
)
def test_full_disk_is_reported_and_recovered_from(
    run: Run, undisturbed: dict[str, tuple[int, str]], small_disk: Path, step: str, file: str
) -> None:
    full = Run(replace(run.setting, staging=str(small_disk)), run.endpoint)
    before = STEPS[: STEPS.index(step)]
    assert full.steps(before) == (0, "")
    folder = full.setting.slice.folder
    usage = os.statvfs(small_disk)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (usage.f_bavail * usage.f_frsize - 5_000_000))

    reported = re.compile(
        rf"TransientError: Cannot write file://{small_disk}/{folder}/{file}: .*No space left on device.*\n"
    )
    for _ in range(2):
        code, printed = full.steps([step])
        assert code == 1
        assert reported.fullmatch(printed), printed

    ballast.unlink()
    full.completes_from(step, undisturbed)


@crash_cell(
    "around", "a staged file may not grow (`ulimit -f`)", "stage of transform, to S3", "no limit, then tried again"
)
def test_file_size_limit_is_reported_and_recovered_from(run: Run, undisturbed: dict[str, tuple[int, str]]) -> None:
    """Needs no mount, so that a full disk's place is held where root is not to be had."""
    assert run.steps(STEPS[:2]) == (0, "")
    limited = Run(replace(run.setting, max_file_bytes=5_000_000), run.endpoint)

    code, printed = limited.steps(["transform"])

    path = f"file://{run.setting.staging}/{run.setting.slice.folder}/documents.jsonl.zst"
    message = re.fullmatch(f"TransientError: Cannot write {path}: .*File too large.*\n", printed)
    assert (code, printed) == (1, message and printed)
    run.completes_from("transform", undisturbed)
