"""A worker's clock against the source's: what is off, and how the report names it."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from job_history.errors.code import Code
from job_history.pipeline.worker_clock import ClockOff, StagingClock, clock_off, clock_problems
from job_history.storage import local_storage

BEFORE = datetime(2018, 5, 21, 12, tzinfo=UTC)
AFTER = BEFORE + timedelta(seconds=40)


@pytest.mark.parametrize(
    ("source_time", "seconds"),
    [
        (None, None),
        (BEFORE, None),
        (BEFORE - timedelta(seconds=60), None),
        (AFTER + timedelta(seconds=60), None),
        (BEFORE - timedelta(seconds=61), 61),
        (AFTER + timedelta(hours=2), -7200),
    ],
)
def test_a_clock_is_off_only_beyond_a_minute_and_beyond_what_asking_took(
    source_time: datetime | None, seconds: int | None
) -> None:
    found = clock_off(source_time, BEFORE, AFTER)
    assert found == (None if seconds is None else ClockOff(socket.gethostname(), seconds))


@pytest.mark.promise("clock-off")
def test_each_host_is_named_once_with_its_largest_distance() -> None:
    clocks = [ClockOff("w1", 90), ClockOff("w1", 600), ClockOff("w2", -3600), ClockOff("w1", -70)]
    first, second = clock_problems(clocks)
    assert first.startswith(f"{Code.CLOCK_OFF}: Worker w1: its clock is 600 s ahead of ")
    assert second.startswith(f"{Code.CLOCK_OFF}: Worker w2: its clock is 3600 s behind ")
    assert clock_problems([]) == []


@pytest.mark.promise("clock-off")
def test_a_clock_that_differs_from_the_staging_areas_is_named_and_asked_for_once_a_task(tmp_path: Path) -> None:
    staging = local_storage(tmp_path)
    before = datetime.now(UTC)
    staging.write("runs/r/s/jobs.jsonl.zst", b"")
    assert StagingClock(staging).off("runs/r/s/jobs.jsonl.zst", before) is None

    hour_ago = (before - timedelta(hours=1)).timestamp()
    os.utime(tmp_path / "runs/r/s/jobs.jsonl.zst", (hour_ago, hour_ago))
    clock = StagingClock(staging)
    off = clock.off("runs/r/s/jobs.jsonl.zst", before)
    assert off is not None
    assert off.seconds == 3600
    assert "3600 s ahead of that of the storage of the staging area" in clock_problems([off])[0]
    assert clock.off("runs/r/s/jobs.jsonl.zst", before) is None
