"""A listing of a database: one snapshot, in bounded memory, and nothing left open."""

import json
import os

import psutil
import pytest
from tests.support.job_stores import SqlStore
from tests.support.source_suite import (
    HOUR,
    MEGABYTE,
    USER_ID,
    each_kind,
    every_database,
    ids,
    job,
    listed,
)

from job_history.model.job import JobRecord
from job_history.sources import Source
from job_history.sources.sql import SqlJobSource, dialect_for
from simulators.job_store import example_job


@pytest.mark.promise("snapshot")
@every_database
def test_a_listing_is_a_snapshot(store: SqlStore) -> None:
    if store.dialect == "sqlite":
        store.execute("PRAGMA journal_mode = WAL")  # or SQLite would have the writer wait
    numbers = range(1_000, 3_000)
    store.fill(job(number) for number in numbers)

    with store.source().listing(USER_ID, HOUR, line_details=True) as listing:
        jobs = iter(listing)
        records = [next(jobs)]
        store.fill([job(9_999), job(1_500), job(999)])
        store.execute(
            "UPDATE job_history_jobs SET title = 'changed' WHERE CAST(job_id AS char(200)) = '2900'",
            "UPDATE job_history_jobs SET completed_at = NULL WHERE CAST(job_id AS char(200)) = '2901'",
            "DELETE FROM job_history_lines WHERE CAST(job_id AS char(200)) = '2902'",
        )
        records += jobs

    assert (listing.counted, ids(records)) == (2_000, [str(number) for number in numbers])
    assert {(record.title, len(record.lines or []), record.fault) for record in records} == {("hello world", 2, None)}
    assert len(listed(store.source())) == 2_002


@every_database
def test_a_listing_that_is_not_read_to_the_end_leaves_nothing_open(store: SqlStore) -> None:
    """A cursor that outlives its connection complains of that when it is collected, into the log of a task."""
    store.fill(job(number) for number in range(100))

    with pytest.raises(KeyError), store.source().listing(USER_ID, HOUR, line_details=True) as listing:
        jobs = iter(listing)
        next(jobs)
        raise KeyError

    assert next(jobs, None) is None


@pytest.mark.promise("bounded-memory")
@each_kind
def test_memory_does_not_grow_with_the_window(store: SqlStore) -> None:
    store.execute(many_jobs(store, 30_000))

    counted, growth = memory_growth(store.source())

    assert counted == (30_000, 0)
    assert growth < 60 * MEGABYTE  # of 120


@each_kind
def test_memory_stays_bounded_if_large_lines_follow_small_ones(store: SqlStore) -> None:
    store.execute(many_jobs(store, 3_400, report_bytes=10), *many_lines(store))

    counted, growth = memory_growth(store.source())

    assert counted == (3_400, 3_400)
    assert growth < 150 * MEGABYTE  # of 400


def memory_growth(source: Source[JobRecord]) -> tuple[tuple[int, int], int]:
    """List the window, and return how many jobs and lines there were, and by how much the process grew meanwhile."""
    jobs = lines = most = 0
    before = own_memory()
    with source.listing(USER_ID, HOUR, line_details=True) as listing:
        for record in listing:
            jobs += 1
            lines += len(record.lines or [])
            if jobs % 50 == 0:
                most = max(most, own_memory())
    return (jobs, lines), most - before


def own_memory() -> int:
    """Resident bytes without those of mapped files: SQLite sorts large results in a file that it maps."""
    memory = psutil.Process(os.getpid()).memory_info()
    own: int = memory.rss - memory.shared
    return own


def numbers(store: SqlStore, count: int) -> str:
    return {
        "sqlite": f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c) s",  # noqa: E501
        "postgresql": f"generate_series(1, {count}) AS s(n)",
        "mysql": f"(SELECT seq AS n FROM seq_1_to_{count}) s",
    }[store.dialect]


def json_of(store: SqlStore, size: int) -> str:
    """An expression for JSON of about this size, as its column has it."""
    text = f"hex(zeroblob({size} / 2))" if store.dialect == "sqlite" else f"repeat('0', {size})"
    json_type = {"sqlite": "text", "postgresql": "json", "mysql": "char"}[store.dialect]
    return f"""CAST('{{"x":"' || {text} || '"}}' AS {json_type})"""


def many_jobs(store: SqlStore, count: int, *, report_bytes: int = 3_900) -> str:
    return f"""INSERT INTO job_history_jobs (user_id, recipe_id, job_id, status, started_at, completed_at, title, report)
        SELECT {USER_ID}, 234, {100_000} + n, 'completed', '2018-05-21 00:00:00', '2018-05-21 00:30:00', 'one of many',
        {json_of(store, report_bytes)} FROM {numbers(store, count)}"""  # noqa: E501


def many_lines(store: SqlStore) -> list[str]:
    """A line for each of 3,400 jobs: 3,000 of ten bytes, then 400 of a megabyte."""
    return [
        f"""INSERT INTO job_history_lines (user_id, job_id, line_index, input)
        SELECT {USER_ID}, {100_000} + n, 0, {json_of(store, size)} FROM {numbers(store, 3_400)}
        WHERE n {range_}"""
        for size, range_ in ((10, "<= 3000"), (1_000_000, "> 3000"))
    ]


@every_database
def test_wide_rows_come_whole(store: SqlStore) -> None:
    text = json.dumps({"text": "größer " * 700_000}, ensure_ascii=False)
    assert len(text.encode()) > 5 * MEGABYTE
    line = example_job().lines[0]
    store.fill(job(n, lines=(line._replace(job_id=n, output=text),)) for n in (1, 2, 3))

    records = listed(store.source())

    assert [(str(r.job_id), [one.output == text for one in r.lines or []]) for r in records] == [
        ("1", [True]),
        ("2", [True]),
        ("3", [True]),
    ]


@each_kind
def test_lines_larger_than_a_document_are_not_kept_in_memory(store: SqlStore) -> None:
    lines = tuple(example_job().lines[0]._replace(job_id=1, line_index=n, output=f'"{"x" * 10_000}"') for n in range(9))
    store.fill([job(1, lines=lines), job(2)])
    source = SqlJobSource(store.connect, dialect_for(store.connection_type), max_line_bytes=50_000)

    first, second = listed(source)

    assert (first.lines, first.lines_left_out, len(second.lines or []), second.lines_left_out) == ([], True, 2, False)
