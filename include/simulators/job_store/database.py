"""Filling a sample job store, in batches, so that memory does not grow with the number of jobs."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from .rows import EVENT_COLUMNS, JOB_COLUMNS, LINE_COLUMNS, SampleEvent, SampleJob
from .schema import Connection, Dialect

_BATCH_ROWS = 5_000
_BATCH_CHARACTERS = 16_000_000

Row = Sequence[Any]


def fill(connection: Connection, dialect: Dialect, jobs: Iterable[SampleJob]) -> int:
    """Insert jobs and their lines, commit after each batch, and return how many jobs there were.

    SQLite and MySQL: one `executemany` a table. PostgreSQL: one COPY a table. Raises what the database raises, for
    instance for broken JSON in a column of type json; the batches before are in.
    """
    count = 0
    for batch in _batches(jobs):
        _insert(connection, dialect, "job_history_jobs", JOB_COLUMNS, [job.row for job in batch])
        lines = [line for job in batch for line in job.lines]
        _insert(connection, dialect, "job_history_lines", LINE_COLUMNS, lines)
        connection.commit()
        count += len(batch)
    return count


def fill_events(connection: Connection, dialect: Dialect, events: Iterable[SampleEvent]) -> int:
    """Insert admin events, commit, and return how many there were."""
    rows = list(events)
    _insert(connection, dialect, "job_history_admin_events", EVENT_COLUMNS, rows)
    connection.commit()
    return len(rows)


def _batches(jobs: Iterable[SampleJob]) -> Iterator[list[SampleJob]]:
    batch: list[SampleJob] = []
    rows = characters = 0
    for job in jobs:
        batch.append(job)
        rows += 1 + len(job.lines)
        characters += sum(len(line.input or "") + len(line.output or "") for line in job.lines)
        if rows >= _BATCH_ROWS or characters >= _BATCH_CHARACTERS:
            yield batch
            batch = []
            rows = characters = 0
    if batch:
        yield batch


def _insert(connection: Connection, dialect: Dialect, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    if dialect == "sqlite":
        _insert_into_sqlite(connection, table, columns, rows)  # type: ignore[arg-type]
    elif dialect == "postgresql":
        _copy_into_postgresql(connection, table, columns, rows)  # type: ignore[arg-type]
    else:
        _insert_into_mysql(connection, table, columns, rows)


def _insert_into_sqlite(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    places = ", ".join("?" for _ in columns)
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 our own names
    connection.executemany(statement, rows)


def _copy_into_postgresql(
    connection: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(sql.Identifier(column) for column in columns)
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _insert_into_mysql(connection: Any, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    times = {columns.index(name) for name in ("started_at", "completed_at", "occurred_at") if name in columns}
    places = ", ".join("%s" for _ in columns)
    cursor = connection.cursor()
    cursor.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",  # noqa: S608 our own names
        [
            tuple(_utc(value) if place in times else value for place, value in enumerate(row))  # datetime has no offset
            for row in rows
        ],
    )
    cursor.close()


def _utc(text: str | None) -> str | None:
    return text and f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
