"""A week of hourly windows, with faults at random: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.support.azure import azurite
from tests.support.google_storage import google_storage
from tests.support.mortal_storage import KilledError
from tests.support.other_destinations import OtherDestination
from tests.support.places import in_the_main_thread
from tests.support.runs import Run
from tests.support.scripted_s3 import Answer, Refusal, Reset, ScriptedS3, Served, scripted_s3
from tests.support.world import BUCKET, World, accounts_of

from job_history.errors import PermanentError
from job_history.model.window import Window
from job_history.pipeline.old_runs import delete_old_runs
from job_history.storage import Storage
from simulators.job_store import SampleJob, plain_job
from simulators.sumo_logic import Fault, local_source, reset_after_ingest, reset_before_ingest, timed_out

START = datetime(2018, 5, 21, tzinfo=UTC)
WEEK = Window(START, START + timedelta(days=7))
HOURS = list(WEEK.hours())
STATUSES = ["completed", "succeeded", "failed", "aborted"]
PASSING: list[Answer] = [
    Refusal(409, "ConditionalRequestConflict"),
    Refusal(429, "TooManyRequests"),
    Refusal(500, "InternalError"),
    Refusal(503, "SlowDown"),
    Reset(),
    Reset(after_storing=True),
]
LASTING = [Refusal(403, "AccessDenied"), Refusal(404, "NoSuchBucket"), Refusal(400, "ExpiredToken"), Refusal(503)]
AT_SUMO_LOGIC: list[Fault | int] = [408, 429, 500, 503, 401, reset_before_ingest(), reset_after_ingest(), timed_out()]
BOUNDARIES = [timedelta(0), timedelta(hours=1, microseconds=-1), timedelta(minutes=59, seconds=59)]


def jobs(random: Random, accounts: Sequence[int]) -> Iterator[SampleJob]:
    """Up to two jobs an account and hour, a fifth of them at the very edge of it."""
    number = 0
    for window in HOURS:
        for user_id in accounts:
            for _ in range(random.choice([0, 0, 0, 1, 1, 2])):
                number += 1
                yield job(user_id, window, number, random)


def job(user_id: int, window: Window, number: int, random: Random) -> SampleJob:
    inside = random.choice(BOUNDARIES) if random.random() < 0.2 else timedelta(seconds=random.randrange(3_600))
    ended = window.start + inside
    began = ended.replace(microsecond=0) - timedelta(seconds=random.randrange(7_200))
    return plain_job(user_id, window.start, number)._replace(
        status=random.choice(STATUSES),
        started_at=f"{began:%Y-%m-%dT%H:%M:%SZ}",
        completed_at=ended.isoformat().replace("+00:00", "Z"),
    )


class Misfortune:
    """Strikes with a chance of one in so many, at a place, a connection or a request; `seed` decides when.

    `kills_one_in`: of the places that a run passes.
    """

    def __init__(self, seed: int, kills_one_in: int) -> None:
        self.kills_one_in = kills_one_in
        self.random = Random(seed)
        self.over = False
        self.struck = 0

    def strikes(self, one_in: int) -> bool:
        strikes = not self.over and self.random.randrange(one_in) == 0
        self.struck += strikes
        return strikes

    def kills(self, place: str) -> None:
        if self.strikes(self.kills_one_in):
            raise KilledError(place)

    def locks_the_store(self) -> None:
        if self.strikes(60):
            raise sqlite3.OperationalError("database is locked")

    def spoils(self, world: World) -> None:
        """Decide what becomes of the requests of the next run."""
        world.s3.recover()
        world.sumo_logic.recover()
        if self.strikes(12):
            world.s3.always_answer("PUT", self.random.choice(LASTING))
        else:
            world.s3.answer("PUT", *[self.random.choice(PASSING) if self.strikes(10) else Served() for _ in range(40)])
        if not self.over:
            world.sumo_logic.script([self.random.choice(AT_SUMO_LOGIC) if self.strikes(10) else 200 for _ in range(15)])


@pytest.fixture
def endpoint() -> Iterator[ScriptedS3]:
    with scripted_s3(BUCKET) as endpoint:
        yield endpoint


# A task that is really killed leaves no half-written list for the garbage collector to close.
@pytest.mark.promise("week-of-hours")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(300)
def test_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path, endpoint: ScriptedS3) -> None:
    do_the_week(tmp_path, endpoint, accounts=20)


@pytest.mark.promise("week-of-hours")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.azure
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("kind", ["google_storage", "azure_blob"])
def test_with_ledger_and_staging_in_a_container(tmp_path: Path, endpoint: ScriptedS3, kind: str) -> None:
    """A judge, because it takes minutes, and Azurite is not ours: a request costs it 5 ms of CPU time.

    Hence fewer accounts. Their runs pass fewer places, each of which is more likely to be the last one.
    """
    with ExitStack() as running:
        if kind == "google_storage":
            google = running.enter_context(google_storage())
            google.create_bucket(BUCKET)
            other = OtherDestination(kind, google.address, BUCKET)
        else:
            azure = running.enter_context(azurite(tmp_path))
            azure.service().create_container(BUCKET)
            other = OtherDestination(kind, azure.url, BUCKET)
        scheme = {"google_storage": "gs", "azure_blob": "az"}[kind]
        do_the_week(
            tmp_path,
            endpoint,
            accounts=8,
            storage_of=lambda name: Storage(other.opened(name), f"{scheme}://{BUCKET}/{name}"),
        )


def do_the_week(tmp_path: Path, endpoint: ScriptedS3, *, accounts: int, **options: Any) -> None:
    """Do it for so many accounts; half of them deliver to S3, half to Sumo Logic."""
    misfortune = Misfortune(seed=5, kills_one_in=20 * accounts)
    to_s3, to_sumo_logic = range(5001, 5001 + accounts // 2), range(6001, 6001 + accounts // 2)
    with local_source() as sumo_logic:
        world = World(
            tmp_path,
            accounts_of(to_s3, to_sumo_logic),
            endpoint,
            sumo_logic,
            source_fault=misfortune.locks_the_store,
            **options,
        )
        world.add(jobs(Random(1), [*to_s3, *to_sumo_logic]))
        runs = world.runs(passes=in_the_main_thread(misfortune.kills), tries=2)
        red = 0

        def do(name: str, window: Window, chosen: list[int]) -> None:
            nonlocal red
            misfortune.spoils(world)
            try:
                runs.do(Run(name, window, chosen))
            except (PermanentError, KilledError):
                red += 1

        for number, window in enumerate(HOURS):
            do(f"hour-{window.slug}", window, [])
            if number % 2:
                # Each report deletes files that are a week old, and lists all others; here two hours are as long as
                # that.
                delete_old_runs(world.staging, datetime.now(UTC))
        assert red > 20
        open_once = world.open_windows(HOURS)
        assert len(open_once) > 50
        for user_id, window in open_once:
            do(f"backfill-{user_id}-{window.slug}", window, [user_id])
        misfortune.over = True
        for user_id, window in world.open_windows(HOURS):
            do(f"again-{user_id}-{window.slug}", window, [user_id])

        world.assert_nothing_is_missing(HOURS)
