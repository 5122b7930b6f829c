"""The sample of jobs: reproducible, and varied enough to be worth replicating."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulators.job_store import (
    DEMO_ACCOUNTS,
    SampleJob,
    Style,
    sample_events,
    sample_jobs,
)

DAY = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
INCLUDE = Path(__file__).parents[3] / "include"


def acme(start: datetime, end: datetime, *, seed: int = 1) -> list[SampleJob]:
    return list(
        sample_jobs(seed, 5234, recipe_ids=(234, 235, 236, 237, 238, 239), start=start, end=end, jobs_per_hour=120)
    )


@pytest.fixture(scope="module")
def day() -> list[SampleJob]:
    return acme(DAY, DAY + 24 * HOUR)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def digest(rows: object) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


# Reproducible


def test_the_same_seed_gives_the_same_rows_today_tomorrow_and_in_another_process() -> None:
    program = (
        "import hashlib; from datetime import *; from simulators.job_store import sample_jobs;"
        "start = datetime(2018, 5, 21, tzinfo=UTC);"
        "jobs = list(sample_jobs(1, 5234, recipe_ids=(234, 235, 236, 237, 238, 239), start=start,"
        " end=start + timedelta(hours=1), jobs_per_hour=120));"
        "print(hashlib.sha256(repr(jobs).encode()).hexdigest())"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(INCLUDE), "PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()

    # Pinned: benchmarks and end-to-end tests of different days compare their counts.
    expected = "5db5acd43463814cb8001173a2ee0ab70f71f1bdd4ad37eb0e3aebb56cec1589"
    assert (digest(acme(DAY, DAY + HOUR)), elsewhere) == (expected, expected)


def test_a_window_cut_anywhere_has_the_same_jobs() -> None:
    cuts = [DAY, DAY + timedelta(minutes=7, seconds=3, microseconds=1), DAY + HOUR, DAY + timedelta(minutes=61)]
    pieces = [job for start, end in zip(cuts, [*cuts[1:], DAY + 2 * HOUR], strict=True) for job in acme(start, end)]
    whole = acme(DAY, DAY + 2 * HOUR)
    assert len(whole) > 200
    assert pieces == whole


def test_another_seed_or_account_has_other_jobs() -> None:
    other_seed = acme(DAY, DAY + HOUR, seed=2)
    other_account = list(sample_jobs(1, 1, recipe_ids=range(234, 240), start=DAY, end=DAY + HOUR, jobs_per_hour=120))
    reports = [
        {(job.started_at, job.report) for job in jobs} for jobs in (acme(DAY, DAY + HOUR), other_seed, other_account)
    ]
    assert all(len(jobs) > 50 for jobs in reports)
    assert [len(a & b) for a, b in ((reports[0], reports[1]), (reports[0], reports[2]))] == [0, 0]


# Varied


def test_a_day_has_every_status_and_mostly_successes(day: list[SampleJob]) -> None:
    counts = Counter(job.status for job in day)
    assert set(counts) == {"completed", "failed", "pending", "aborted", "cancelled"}
    assert len(day) == pytest.approx(24 * 120, rel=0.1)
    assert counts["completed"] > 0.8 * len(day)
    assert counts["failed"] == pytest.approx(0.08 * len(day), rel=0.25)


def test_a_job_is_unique_and_lies_in_the_window(day: list[SampleJob]) -> None:
    assert len({job.job_id for job in day}) == len(day)
    assert {job.user_id for job in day} == {5234}
    for job in day:
        assert DAY <= instant(job.completed_at or job.started_at or "") < DAY + 24 * HOUR
        assert (job.completed_at is None) == (job.status == "pending")
        assert job.completed_at is None or instant(job.started_at or "") <= instant(job.completed_at)


def test_times_are_written_in_every_way_and_lie_in_awkward_places(day: list[SampleJob]) -> None:
    ended = [job for job in day if job.completed_at]
    texts = [job.completed_at or "" for job in ended]
    seconds = Counter(instant(text).replace(microsecond=0) for text in texts)
    of_the_hour = [job for job in ended if instant(job.completed_at or "") < DAY + HOUR]
    assert {("." in text, text[-6:] if text[-1] != "Z" else "Z") for text in texts} == {
        (False, "Z"),
        (True, "Z"),
        (False, "-07:00"),
        (True, "-07:00"),
    }
    assert max(seconds.values()) >= 3, "several jobs end in the same second"
    assert any(instant(text) == instant(text).replace(minute=0, second=0, microsecond=0) for text in texts)
    assert any(instant(job.started_at or "") < DAY for job in of_the_hour), "some began on the day before"
    assert any(instant(job.completed_at or "") - instant(job.started_at or "") > 6 * HOUR for job in ended)


def test_lines_are_small_mostly_and_sometimes_huge(day: list[SampleJob]) -> None:
    sizes = sorted(len(line.output.encode()) for job in day for line in job.lines if line.output)
    data = [size for size in sizes if size > 100]  # without the timers, whose output is a time
    assert (data[0] >= 600, 2_000 < data[len(data) // 2] < 8_000) == (True, True)
    assert data[int(len(data) * 0.9)] < 8_000
    assert 100_000 < data[-1] <= 1_000_000


def test_big_lines_reach_a_megabyte() -> None:
    jobs = sample_jobs(
        1, 5238, recipe_ids=(801,), start=DAY, end=DAY + 6 * HOUR, jobs_per_hour=30, style=Style(lines="big")
    )
    sizes = [len(line.output.encode()) for job in jobs for line in job.lines if line.output]
    assert max(sizes) == pytest.approx(1_000_000, rel=0.001)
    assert sorted(sizes)[len(sizes) // 2] > 20_000


def test_every_json_column_is_json_with_more_than_ascii_and_more_than_64_bits(day: list[SampleJob]) -> None:
    texts = [text for job in day[:300] for line in job.lines for text in (line.input, line.output) if text]
    texts += [job.report for job in day if job.report]
    assert all(isinstance(json.loads(text), dict) for text in texts)
    assert any("🚀" in text for text in texts)
    assert any(record["LargeNumber"] > 2**64 for text in texts for record in json.loads(text).get("records", []))


def test_failed_job_and_its_last_line_have_the_error(day: list[SampleJob]) -> None:
    failed = [job for job in day if job.status == "failed"]
    assert any(job.is_poll_error for job in failed)
    for job in failed:
        parts = json.loads(job.error or "")
        assert (parts["error_type"], parts["input"]) == (job.error_type, "<redacted>")
        if job.is_poll_error:
            assert job.lines == ()
        else:
            assert [(line.error is None, line.output is None) for line in job.lines[-2:]] == [
                (True, False),
                (False, True),
            ]
            assert job.lines[-1].error == parts["message"]
    assert all(job.error is None and job.error_type is None for job in day if job.status != "failed")


def test_lines_are_numbered_and_some_are_masked(day: list[SampleJob]) -> None:
    for job in day:
        assert [line.line_index for line in job.lines] == list(range(len(job.lines)))
        numbers = [line.recipe_line_number for line in job.lines]
        assert numbers == sorted(set(numbers))
        assert {(line.user_id, line.job_id) for line in job.lines} <= {(job.user_id, job.job_id)}
    masked = Counter(line.mask_data for job in day for line in job.lines)
    assert 0 < masked[True] < masked[False] / 10


def test_some_jobs_repeat_or_are_called_by_a_job_that_began_before() -> None:
    started = {job.job_id: instant(job.started_at or "") for job in acme(DAY, DAY + HOUR)}
    related = [
        (job, other)
        for job in acme(DAY, DAY + HOUR)
        for other in (job.parent_id, job.calling_job_id)
        if other is not None
    ]
    assert {job.calling_job_id is None for job, _ in related} == {True, False}
    assert all(started[other] <= started[job.job_id] for job, other in related)


def test_an_account_may_have_handles_for_ids() -> None:
    jobs = list(DEMO_ACCOUNTS[1].jobs(1, DAY, DAY + HOUR))
    handles = [value for job in jobs for value in (job.job_id, job.parent_id, job.calling_job_id) if value is not None]
    assert len(handles) > len(jobs) > 30
    assert all(str(handle).replace("-", "").isalnum() and len(str(handle)) == 17 for handle in handles)
    assert {job.status for job in jobs} >= {"succeeded", "failed"}


def test_admin_events_are_reproducible_and_of_many_kinds() -> None:
    events = list(sample_events(1, 5234, DAY, DAY + 24 * HOUR, 6))
    assert events == list(sample_events(1, 5234, DAY, DAY + 12 * HOUR, 6)) + list(
        sample_events(1, 5234, DAY + 12 * HOUR, DAY + 24 * HOUR, 6)
    )
    assert len(events) == 144
    assert {"user_login", "user_logout", "recipe_started", "recipe_stopped", "connection_created"} <= {
        e.event for e in events
    }
    assert {event.event_id is None for event in events} == {event.actor is None for event in events} == {True, False}
    ids = [event.event_id for event in events if event.event_id is not None]
    assert len(set(ids)) == len(ids)
