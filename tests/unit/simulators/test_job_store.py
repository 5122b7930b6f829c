"""The sample job store: reproducible, varied enough to be worth replicating, and the same in both databases."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from simulators.job_store import (
    BROKEN_JOBS,
    DEMO_ACCOUNTS,
    SampleEvent,
    SampleJob,
    Style,
    broken_jobs,
    create,
    create_indexes,
    demo_store,
    example_job,
    fill,
    fill_events,
    oversize_job,
    plain_job,
    sample_events,
    sample_jobs,
    small_jobs,
)
from simulators.postgres import PostgresServer, local_postgres

DAY = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
INCLUDE = Path(__file__).parents[3] / "include"
VECTORS = Path(__file__).parents[2] / "vectors"


def acme(start: datetime, end: datetime, *, seed: int = 1) -> list[SampleJob]:
    return list(
        sample_jobs(seed, 5234, recipe_ids=(234, 235, 236, 237, 238, 239), start=start, end=end, jobs_per_hour=120)
    )


@pytest.fixture(scope="module")
def day() -> list[SampleJob]:
    return acme(DAY, DAY + 24 * HOUR)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with local_postgres(tmp_path_factory.mktemp("job_store") / "pg") as running:
        yield running


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def digest(rows: object) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def document_bytes(job: SampleJob) -> int:
    """The size of the job's document, measured with nothing but the standard library."""
    columns = {name: value for name, value in job._asdict().items() if name not in {"user_id", "report", "lines"}}
    columns["report"] = job.report and json.loads(job.report)
    columns["lines"] = [
        {
            "recipe_line_number": line.recipe_line_number,
            "adapter_name": line.adapter_name,
            "adapter_operation": line.adapter_operation,
            "input": line.input and json.loads(line.input),
            "output": line.output and json.loads(line.output),
            "mask_data": line.mask_data,
        }
        for line in job.lines
    ]
    return len(json.dumps(columns, ensure_ascii=False, separators=(",", ":")).encode())


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


def test_a_failed_job_says_why_and_its_last_line_too(day: list[SampleJob]) -> None:
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


# Planted


def test_the_example_is_the_one_of_the_feature_page() -> None:
    record = json.loads((VECTORS / "example_of_the_feature_page" / "record.json").read_text())
    job = example_job()
    lines = [line._asdict() for line in job.lines]
    for line in lines:
        assert (line.pop("user_id"), line.pop("job_id"), line.pop("line_index")) == (
            5234,
            100,
            line["recipe_line_number"],
        )
    assert {name: value for name, value in job._asdict().items() if name != "lines"} == record["job"]
    assert lines == record["lines"]


def test_each_broken_job_differs_from_a_plain_one_as_its_name_says() -> None:
    def differences(name: str) -> list[dict[str, object]]:
        plain = plain_job(5234, DAY)._asdict()
        return [
            {
                key: value
                for key, value in job._asdict().items()
                if value != plain[key] and key not in {"job_id", "lines"}
            }
            for job in broken_jobs(name, 5234, DAY)
        ]

    assert {name: differences(name) for name in BROKEN_JOBS} == {
        "bad_json_in_report": [{"report": '{"name":"Xavier D'}],
        "bad_json_in_line_output": [{}],
        "null_started_at": [{"started_at": None}],
        "unparsable_started_at": [{"started_at": "yesterday at noon"}],
        "id_of_22_digits": [{}],
        "id_with_slash": [{}],
        "completed_before_started": [{"started_at": "2018-05-21T00:30:10Z", "completed_at": "2018-05-21T00:30:00Z"}],
        "duplicate_job_id": [{}, {"title": "hello again"}],
    }
    ids = {name: [job.job_id for job in broken_jobs(name, 5234, DAY)] for name in BROKEN_JOBS}
    assert ids["id_of_22_digits"] == ["1234567890123456789012"]
    assert ids["id_with_slash"] == ["../../9999/jobs/1"]
    assert len(set(ids["duplicate_job_id"])) == 1
    assert broken_jobs("bad_json_in_line_output", 5234, DAY)[0].lines[1].output == '{"ratio":NaN}'


def test_an_oversize_job_is_slightly_over_the_limit() -> None:
    assert 40_000_000 < document_bytes(oversize_job(5234, DAY)) < 40_200_000
    assert document_bytes(oversize_job(5234, DAY, size=500_000)) == pytest.approx(505_000, rel=0.01)


@pytest.mark.parametrize("wanted", [1_000, 4_000])
def test_small_jobs_are_many_alike_and_evenly_spread(wanted: int) -> None:
    jobs = list(small_jobs(7_200, user_id=9, start=DAY, end=DAY + HOUR, document_bytes=wanted))
    sizes = {document_bytes(job) for job in jobs[:200]}
    assert (len(jobs), jobs[0].completed_at, jobs[-1].completed_at) == (
        7_200,
        "2018-05-21T00:00:00Z",
        "2018-05-21T00:59:59Z",
    )
    assert set(Counter(job.completed_at for job in jobs).values()) == {2}
    assert (min(sizes), max(sizes)) == (pytest.approx(wanted, rel=0.05), pytest.approx(wanted, rel=0.05))
    assert len({job.lines[0].output for job in jobs}) == 64


# Stored


def rows_of(events: list[SampleEvent]) -> list[tuple[object, ...]]:
    return [tuple(event) for event in events]


def test_sqlite_gives_back_what_was_put_in(tmp_path: Path) -> None:
    jobs = [*acme(DAY, DAY + HOUR), *DEMO_ACCOUNTS[1].jobs(1, DAY, DAY + HOUR), *broken_jobs("id_of_22_digits", 1, DAY)]
    events = list(sample_events(1, 5234, DAY, DAY + HOUR, 20))
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        create(connection, "sqlite")
        counts = (fill(connection, "sqlite", jobs), fill_events(connection, "sqlite", events))
        stored = connection.execute("SELECT * FROM job_history_jobs ORDER BY rowid").fetchall()
        lines = connection.execute("SELECT * FROM job_history_lines ORDER BY rowid").fetchall()
        stored_events = connection.execute("SELECT * FROM job_history_admin_events ORDER BY rowid").fetchall()
    assert counts == (len(jobs), 20)
    assert stored == [job.row for job in jobs]
    assert lines == [tuple(line) for job in jobs for line in job.lines]
    assert stored_events == rows_of(events)
    assert {type(row[2]) for row in stored} == {int, str}


def test_postgresql_gives_back_what_was_put_in_to_the_spelling_of_numbers(server: PostgresServer) -> None:
    spelt = plain_job(5234, DAY)._replace(report='{ "b" : 1.50, "a":12345678901234567890123, "e": 1E+2 }')
    jobs = [*acme(DAY, DAY + HOUR), *DEMO_ACCOUNTS[1].jobs(1, DAY, DAY + HOUR), spelt]
    events = list(sample_events(1, 5234, DAY, DAY + HOUR, 20))
    server.create_database("round_trip")
    with server.psycopg_connection("round_trip") as connection:
        create(connection, "postgresql")
        counts = (fill(connection, "postgresql", jobs), fill_events(connection, "postgresql", events))
        connection.execute("SET timezone = 'UTC'")
        stored = connection.execute(
            "SELECT user_id, recipe_id, job_id, parent_id, calling_job_id, status, started_at, completed_at, error_type,"
            " error, title, is_poll_error, report::text FROM job_history_jobs"
        ).fetchall()
        lines = connection.execute(
            "SELECT user_id, job_id, line_index, recipe_line_number, adapter_name, adapter_operation, input::text,"
            " output::text, error, mask_data FROM job_history_lines"
        ).fetchall()
        stored_events = connection.execute(
            "SELECT user_id, event_id, event, details::text, actor::text, team::text, resource::text, occurred_at"
            " FROM job_history_admin_events"
        ).fetchall()

    def text(value: object) -> str | None:
        return None if value is None else str(value)

    assert counts == (len(jobs), 20)
    assert Counter(stored) == Counter(
        (
            *job.row[:2],
            *map(text, job.row[2:5]),
            job.status,
            instant(job.started_at or ""),
            job.completed_at and instant(job.completed_at),
            *job.row[8:],
        )
        for job in jobs
    )
    assert Counter(lines) == Counter((line[0], str(line[1]), *line[2:]) for job in jobs for line in job.lines)
    assert Counter(stored_events) == Counter((e[0], text(e[1]), *e[2:7], instant(e.occurred_at)) for e in events)


def test_postgresql_takes_broken_json_into_text_columns_only(server: PostgresServer) -> None:
    jobs = [job for name in ("bad_json_in_report", "bad_json_in_line_output") for job in broken_jobs(name, 1, DAY)]
    server.create_database("strict")
    server.create_database("lenient")
    with server.psycopg_connection("strict") as connection:
        create(connection, "postgresql")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            fill(connection, "postgresql", jobs)
    with server.psycopg_connection("lenient") as connection:
        create(connection, "postgresql", json_type="text", indexes=False)
        create_indexes(connection)
        assert fill(connection, "postgresql", jobs) == 2
        found = connection.execute("SELECT report FROM job_history_jobs ORDER BY job_id").fetchall()
        indexes = connection.execute("SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'").fetchall()
    assert (found, indexes) == ([('{"name":"Xavier D',), (jobs[1].report,)], [(4,)])


def test_filling_takes_a_stream_and_commits_batch_by_batch(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    seen: list[int] = []

    def watched() -> Iterator[SampleJob]:
        with closing(sqlite3.connect(path)) as reader:
            for index, job in enumerate(small_jobs(6_000, user_id=1, start=DAY, end=DAY + HOUR)):
                if index % 2_000 == 0:
                    seen.append(reader.execute("SELECT count(*) FROM job_history_jobs").fetchone()[0])
                yield job

    with closing(sqlite3.connect(path)) as connection:
        create(connection, "sqlite")
        assert fill(connection, "sqlite", watched()) == 6_000
    assert seen == [0, 0, 2_500]


# The demo


def test_the_store_of_the_demo_has_the_example_and_an_account_without_jobs_at_night(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "store.db"
    counts = demo_store(path, DAY, DAY + HOUR)
    assert demo_store(path, DAY, DAY + HOUR) == counts, "it can be written again"
    with closing(sqlite3.connect(path)) as connection:
        stored = dict(connection.execute("SELECT user_id, count(*) FROM job_history_jobs GROUP BY user_id"))
        example = connection.execute("SELECT * FROM job_history_jobs WHERE user_id = 5234 AND job_id = 100").fetchall()
        events = connection.execute("SELECT user_id, count(*) FROM job_history_admin_events GROUP BY 1").fetchall()
    assert stored == {user_id: count for user_id, count in counts.items() if count}
    assert {user_id: count > 0 for user_id, count in counts.items()} == {
        5234: True,
        5235: True,
        5236: True,
        5237: False,
        5238: True,
    }
    assert (example, events) == ([example_job().row], [(5234, 6)])
    assert [entry.name for entry in path.parent.iterdir()] == ["store.db"]


def test_the_example_is_in_its_own_hour_only() -> None:
    hours = [(DAY - HOUR, DAY), (DAY, DAY + HOUR), (DAY + HOUR, DAY + 2 * HOUR)]
    found = [sum(job.job_id == 100 for job in DEMO_ACCOUNTS[0].jobs(1, *window)) for window in hours]
    assert found == [0, 1, 0]


def test_umbrella_works_in_office_hours() -> None:
    jobs = list(DEMO_ACCOUNTS[3].jobs(1, DAY, DAY + 24 * HOUR))
    assert {instant(job.completed_at or job.started_at or "").hour for job in jobs} == set(range(8, 18))


def test_the_command_writes_a_store_and_says_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    command = [
        *(sys.executable, "-m", "simulators.job_store", "--sqlite", str(path)),
        *("--seed", "1", "--hours", "1", "--end", "2018-05-21T01:00:00Z"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(INCLUDE), "COLUMNS": "100"}
    first = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    with closing(sqlite3.connect(path)) as connection:
        total = connection.execute("SELECT count(*) FROM job_history_jobs WHERE user_id = 5234").fetchone()[0]
    table = {" ".join(cells[:2]): cells[2:] for line in first.stdout.splitlines() if (cells := line.split())}
    assert table["5234 Acme"][-1] == str(total)
    assert table["5237 Umbrella"] == ["0"] * len(table["5234 Acme"])
    assert (second.returncode, "exists; name a new file" in second.stderr) == (2, True)
