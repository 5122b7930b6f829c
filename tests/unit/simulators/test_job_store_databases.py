"""The sample job store in a database: what is read back, the demo's file, and the command."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from simulators.job_store import (
    DEMO_ACCOUNTS,
    SampleEvent,
    SampleJob,
    broken_jobs,
    create,
    create_indexes,
    demo_store,
    example_job,
    fill,
    fill_events,
    plain_job,
    sample_events,
    sample_jobs,
    small_jobs,
)
from simulators.postgres import PostgresServer, local_postgres

DAY = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)


def acme_hour() -> list[SampleJob]:
    return list(
        sample_jobs(1, 5234, recipe_ids=(234, 235, 236, 237, 238, 239), start=DAY, end=DAY + HOUR, jobs_per_hour=120)
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with local_postgres(tmp_path_factory.mktemp("job_store") / "pg") as running:
        yield running


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def rows_of(events: list[SampleEvent]) -> list[tuple[object, ...]]:
    return [tuple(event) for event in events]


def test_sqlite_gives_back_what_was_put_in(tmp_path: Path) -> None:
    jobs = [*acme_hour(), *DEMO_ACCOUNTS[1].jobs(1, DAY, DAY + HOUR), *broken_jobs("id_of_22_digits", 1, DAY)]
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
    jobs = [*acme_hour(), *DEMO_ACCOUNTS[1].jobs(1, DAY, DAY + HOUR), spelt]
    events = list(sample_events(1, 5234, DAY, DAY + HOUR, 20))
    server.create_database("round_trip")
    with server.psycopg_connection("round_trip") as connection:
        create(connection, "postgresql")
        counts = (fill(connection, "postgresql", jobs), fill_events(connection, "postgresql", events))
        connection.execute("SET timezone = 'UTC'")
        stored = connection.execute(
            "SELECT user_id, recipe_id, job_id, parent_id, calling_job_id, status, started_at, completed_at, "
            "error_type, error, title, is_poll_error, report::text FROM job_history_jobs"
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
