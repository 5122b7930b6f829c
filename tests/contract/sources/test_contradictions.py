"""Databases that contradict themselves: what they count, list and join are different rows."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.job_stores import MARIADB_STORES, SqlStore
from tests.support.source_suite import HOUR, USER_ID, each_kind, ids, job, listed
from tests.unit.samples import account, slice_of

from job_history.errors import QuarantineReason, TransientError
from job_history.pipeline.extract import extract
from job_history.storage import local_storage

JOBS = 10
# A function that each row of a view asks: it is true for the first calls of a connection, or for all later ones.
FUNCTIONS = {
    "postgresql": """CREATE FUNCTION shown() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
        DECLARE calls int := coalesce(nullif(current_setting('test.calls', true), ''), '0')::int + 1;
        BEGIN PERFORM set_config('test.calls', calls::text, false); RETURN calls {condition}; END $$""",
    "mysql": """CREATE FUNCTION shown() RETURNS boolean NOT DETERMINISTIC NO SQL
        BEGIN SET @calls = coalesce(@calls, 0) + 1; RETURN @calls {condition}; END""",
}


def contradict(store: SqlStore, condition: str) -> None:
    """Put a view over the jobs that shows a row only while `calls {condition}`."""
    store.fill(job(number) for number in range(JOBS))
    if store.dialect == "sqlite":
        store.connect = lambda connect=store.connect: with_function(connect(), condition)  # type: ignore[misc]
    else:
        store.execute(FUNCTIONS[store.dialect].format(condition=condition))
    store.execute(
        "ALTER TABLE job_history_jobs RENAME TO all_jobs",
        "CREATE VIEW job_history_jobs AS SELECT * FROM all_jobs WHERE shown()",
    )


def with_function(connection: Any, condition: str) -> Any:
    calls = iter(range(1, 10_000))
    connection.create_function("shown", 0, lambda: eval(f"{next(calls)} {condition}"))  # noqa: S307 - a test's own
    return connection


@pytest.mark.promise("source-contradicts-itself")
@each_kind
@pytest.mark.parametrize("is_counted", [True, False], ids=["counted, not listed", "listed, not counted"])
def test_a_count_and_a_listing_that_differ_fail_the_slice(store: SqlStore, tmp_path: Path, is_counted: bool) -> None:
    # In SQLite a sample of the times, from both ends, comes before the count.
    calls = (3 if store.dialect == "sqlite" else 1) * JOBS
    contradict(store, f"<= {calls}" if is_counted else f"> {calls}")
    settings = account(events={"job_history": True})

    with pytest.raises(TransientError) as raised:
        extract(slice_of(), settings, store.source(), local_storage(tmp_path / "staging"))

    assert f"counts {JOBS if is_counted else 0} " in str(raised.value)
    assert f"lists {0 if is_counted else JOBS}" in str(raised.value)


@pytest.mark.promise("source-contradicts-itself")
@pytest.mark.parametrize("store", ["sqlite", *MARIADB_STORES], indirect=True)
def test_lines_of_a_job_that_is_not_listed_fail_the_slice(store: SqlStore) -> None:
    # In SQLite the lines are read before the jobs, after the count and two samples; in MariaDB after them.
    contradict(store, "<= 60" if store.dialect == "sqlite" else f"<> {JOBS + 1}")

    with pytest.raises(TransientError), store.source().listing(USER_ID, HOUR, line_details=True) as listing:
        list(listing)


@pytest.mark.promise("source-contradicts-itself")
@each_kind
def test_a_view_that_repeats_jobs_puts_each_repeated_row_into_quarantine(store: SqlStore) -> None:
    store.fill([job(1), job(2)])
    store.execute(
        "ALTER TABLE job_history_jobs RENAME TO all_jobs",
        "CREATE VIEW job_history_jobs AS SELECT * FROM all_jobs"
        " UNION ALL SELECT * FROM all_jobs WHERE CAST(job_id AS char(9)) = '2'",
    )

    faults = sorted((str(record.job_id), record.fault) for record in listed(store.source()))

    assert faults == [("1", None), *[("2", QuarantineReason.DUPLICATE_JOB_ID)] * 2]


@pytest.mark.promise("source-contradicts-itself")
@pytest.mark.parametrize("store", MARIADB_STORES, indirect=True)
def test_rows_written_between_count_and_listing_of_tables_without_snapshots_fail_the_slice(
    store: SqlStore, tmp_path: Path
) -> None:
    """MyISAM knows no transactions: a row that is written after the count is listed."""
    store.execute("ALTER TABLE job_history_jobs ENGINE = MyISAM")
    store.fill([job(1)])
    source = store.source()
    with source.listing(USER_ID, HOUR, line_details=False) as listing:
        store.fill([job(2)])
        records = list(listing)

    assert (listing.counted, ids(records)) == (1, ["1", "2"])
    with suppress(FileNotFoundError):
        assert not list((tmp_path / "staging").iterdir())
