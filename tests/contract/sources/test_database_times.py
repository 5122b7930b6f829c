"""Times of a database: in which window a record is, whatever its column holds, and what is counted as unplaceable."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.job_stores import PostgresStore, SqliteStore, SqlStore, sql_store
from tests.support.source_suite import (
    HOUR,
    MARIADB_STORES,
    START,
    USER_ID,
    both_drivers,
    each_kind,
    every_database,
    every_empty_database,
    ids,
    job,
    listed,
    tables,
)  # fmt: skip

from job_history.errors import TransientError
from job_history.errors.code import Code
from job_history.model.unplaceable import MAX_UNPLACEABLE
from job_history.model.window import Window
from job_history.sources.sql import unplaceable

HALF_PAST, NEXT_HOUR = 1526862600, 1526864400  # 2018-05-21T00:30:00Z, 01:00:00Z

# By form: the type of the column, a time at half past midnight, one in the next hour, and one in another form.
FORMS: dict[str, tuple[str, Any, Any, Any]] = {
    "iso text": ("text", "2018-05-21T00:30:00Z", "2018-05-21T01:00:00+00:00", "1526862600"),
    "iso text with offsets": ("text", "2018-05-20T17:30:00-07:00", "2018-05-21T15:00:00+14:00", "soon"),
    "leading space and trailing CR": ("text", " 2018-05-21T00:30:00Z\r", "2018-05-21T01:00:00Z\r", "20.05.2018"),
    "unix seconds": ("bigint", HALF_PAST, NEXT_HOUR, 20180521),
    "unix seconds as text": ("text", str(HALF_PAST), str(NEXT_HOUR), "2018-05-21T00:30:00Z"),
    "unix milliseconds": ("bigint", HALF_PAST * 1_000, NEXT_HOUR * 1_000, HALF_PAST),
    "unix microseconds": ("bigint", HALF_PAST * 1_000_000, NEXT_HOUR * 1_000_000, HALF_PAST),
    "unix seconds with a fraction": ("double precision", HALF_PAST + 0.25, NEXT_HOUR + 0.5, 12.5),
    "julian day": ("double precision", 2458259.5208333335, 2458259.5416666665, HALF_PAST),
    "ruby": ("text", "2018-05-21 00:30:00 UTC", "2018-05-21 03:00:00 +0200", "2018-05-21"),
    "go": (
        "text",
        "2018-05-21 00:30:00 +0000 UTC",
        "2018-05-21 01:00:00.000000001 +0000 UTC",
        "2018-05-21 00:30:00 PST",
    ),
    "iso basic": ("text", "20180521T003000Z", "20180521T010000Z", "20180521"),
    "month first": ("text", "05/21/2018 00:30:00", "5/21/2018 1:00:00 AM", "2018-05-21"),
    "rfc 2822": ("text", "Mon, 21 May 2018 00:30:00 GMT", "Mon, 21 May 2018 01:00:00 GMT", "Mon, 21 Mai 2018 00:30:00"),
}


def store_times(store: SqlStore, time_type: str, times: dict[Any, Any]) -> None:
    """Create the relations with this type of times, and a job for each id and time."""
    store.execute(*tables(store, time=time_type))
    insert(store, [(str(job_id), time) for job_id, time in times.items()])


def insert(store: SqlStore, jobs: list[tuple[Any, Any]]) -> None:
    with closing(store.writer()) as connection:
        cursor = connection.cursor()
        mark = "?" if store.dialect == "sqlite" else "%s"
        cursor.executemany(
            "INSERT INTO job_history_jobs (user_id, recipe_id, job_id, status, started_at, completed_at, title)"
            f" VALUES ({USER_ID}, 234, {mark}, 'completed', {mark}, {mark}, {mark})",
            [(job_id, time, time, str(number)) for number, (job_id, time) in enumerate(jobs)],
        )
        connection.commit()
        cursor.close()


@pytest.mark.promise("time-forms")
@every_empty_database
@pytest.mark.parametrize("form", FORMS)
def test_each_form_puts_its_jobs_into_their_windows(empty_store: SqlStore, form: str) -> None:
    time_type, half_past, next_hour, other = FORMS[form]
    store_times(empty_store, time_type, {1: half_past, 2: half_past, 3: next_hour, 4: other})
    source = empty_store.source()

    records = listed(source)

    assert ids(records) == ["1", "2"]
    assert {(record.started_at or "")[:16].replace(" ", "T") for record in records} <= {
        "2018-05-21T00:30", "2018-05-20T17:30",
    }  # fmt: skip
    assert ids(listed(source, Window(HOUR.end, HOUR.end + timedelta(hours=1)))) == ["3"]
    assert source.counts([USER_ID, 77], HOUR) == [2, 0]
    unplaceable = source.unplaceable(USER_ID)
    assert (unplaceable.count, unplaceable.example_id) == (1, "4")
    assert str(other) not in unplaceable.example_form


@every_empty_database
def test_dates_whose_order_is_not_shown_are_all_unplaceable(empty_store: SqlStore) -> None:
    store_times(empty_store, "text", dict.fromkeys(range(3), "05/06/2018 00:30:00"))
    source = empty_store.source()

    assert source.count(USER_ID, Window(START - timedelta(days=60), START + timedelta(days=60))) == 0
    unplaceable = source.unplaceable(USER_ID)
    assert (unplaceable.count, unplaceable.example_form) == (3, "date with slashes, day or month first")


@pytest.mark.promise("one-window-or-unplaceable")
@every_database
def test_finished_jobs_without_a_time_are_unplaceable_and_running_jobs_are_not(store: SqlStore) -> None:
    store.fill([job(1), *(job(number)._replace(completed_at=None) for number in (2, 3)), job(4)._replace(user_id=77)])
    store.fill(
        [job(5)._replace(completed_at=None, status="running"), job(6)._replace(completed_at=None, status="aborted")]
    )

    found = store.source().unplaceable(USER_ID)

    assert (found.count, found.over_limit, found.example_id in {"2", "3"}, found.example_form) == (
        2,
        False,
        True,
        "missing",
    )
    assert not store.source().unplaceable(77)


@each_kind
def test_at_most_a_thousand_unplaceable_jobs_are_counted(store: SqlStore) -> None:
    store.fill(job(number)._replace(completed_at=None, lines=()) for number in range(MAX_UNPLACEABLE + 50))

    found = store.source().unplaceable(USER_ID)

    assert (found.count, found.over_limit) == (MAX_UNPLACEABLE, True)


@both_drivers
@pytest.mark.parametrize("time", ["infinity", "-infinity", "0044-03-15 12:00:00 BC", "10000-01-01T00:00:00Z"])
def test_a_time_outside_the_years_1_to_9999_is_unplaceable(store: PostgresStore, time: str) -> None:
    store.fill([job(1), job(2), job(3)])
    store.execute(f"UPDATE job_history_jobs SET completed_at = '{time}' WHERE job_id = '2'")
    store.execute(f"UPDATE job_history_jobs SET started_at = '{time}' WHERE job_id = '3'")
    source = store.source()

    records = {str(record.job_id): record.started_at for record in listed(source)}

    assert records["3"] == "outside the years 1 to 9999"
    assert (set(records), source.unplaceable(USER_ID).example_id) == ({"1", "3"}, "2")


@each_kind
def test_a_database_that_is_too_slow_to_look_for_unplaceable_jobs_is_transient(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unplaceable, "UNPLACEABLE_SECONDS", 1)
    store.fill(job(number)._replace(completed_at=None) for number in range(100))
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"
    slow = {"sqlite": f"({endless}) > 0", "postgresql": "pg_sleep(1) IS NOT NULL", "mysql": "sleep(1) = 0"}[
        store.dialect
    ]
    store.execute(
        "ALTER TABLE job_history_jobs RENAME TO all_jobs",
        f"CREATE VIEW job_history_jobs AS SELECT * FROM all_jobs WHERE {slow}",
    )

    with pytest.raises(TransientError) as raised:
        store.source().unplaceable(USER_ID)

    assert raised.value.code is Code.SQL_AWAY


@every_empty_database
def test_a_column_whose_values_take_too_long_to_read_here_is_transient(
    empty_store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database's own limit may be for each fetch of a streamed result."""
    store_times(empty_store, "text", dict.fromkeys(range(10), "soon"))
    seconds = iter(range(0, 1_000, 10))
    monkeypatch.setattr(unplaceable, "time", SimpleNamespace(monotonic=lambda: next(seconds)))

    with pytest.raises(TransientError) as raised:
        empty_store.source().unplaceable(USER_ID)

    assert (raised.value.code, next(seconds)) == (Code.SQL_AWAY, 50)


# Whatever a record holds


SQLITE_VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=30).filter(lambda text: "\0" not in text),
    st.binary(max_size=12),
    st.sampled_from([value for _, *values in FORMS.values() for value in values]),
)
SQLITE_IDS = st.one_of(st.integers(0, 3), st.text(max_size=5), st.floats(allow_nan=False), st.binary(max_size=3))
TEXT_IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=9)


@pytest.mark.promise("one-window-or-unplaceable")
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(jobs=st.lists(st.tuples(SQLITE_IDS, SQLITE_VALUES), min_size=1, max_size=8))
def test_each_finished_job_of_sqlite_is_in_one_window_or_unplaceable(tmp_path: Path, jobs: list[Any]) -> None:
    assert_each_is_somewhere(SqliteStore(tmp_path, empty=True), "", jobs, job_id="")


TYPED = {
    "text": st.one_of(
        st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=30),
        st.sampled_from([value for kind, *values in FORMS.values() if kind == "text" for value in values]),
    ),
    "bigint": st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([HALF_PAST, HALF_PAST * 1_000, NEXT_HOUR])),
    "double precision": st.floats(-1e15, 1e15, allow_nan=False, allow_subnormal=False),
}


@pytest.mark.promise("one-window-or-unplaceable")
@pytest.mark.parametrize("name", ["postgres-psycopg", *MARIADB_STORES])
@pytest.mark.parametrize("time_type", TYPED)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_each_finished_job_is_in_one_window_or_unplaceable(
    tmp_path: Path, request: pytest.FixtureRequest, name: str, time_type: str, data: st.DataObject
) -> None:
    times = st.one_of(st.none(), TYPED[time_type])
    jobs = data.draw(st.lists(st.tuples(TEXT_IDS, times), min_size=1, max_size=8))
    store = sql_store(name, tmp_path, request.getfixturevalue, empty=True)
    assert_each_is_somewhere(store, time_type, jobs, job_id="text")


def assert_each_is_somewhere(store: SqlStore, time_type: str, jobs: list[tuple[Any, Any]], *, job_id: str) -> None:
    """All windows together are the years 1 to 9999, without the first and the last days; a title is unique."""
    store.execute(*tables(store, time=time_type, job_id=job_id))
    insert(store, jobs)
    source = store.source()
    cuts = [datetime(1, 1, 2, tzinfo=UTC), START, HOUR.end, datetime(9999, 12, 28, tzinfo=UTC)]
    placed = [record for start, end in pairwise(cuts) for record in listed(source, Window(start, end))]
    titles = [record.title for record in placed if record.title is not None]

    assert len(titles) == len(set(titles))
    assert len(placed) + source.unplaceable(USER_ID).count == len(jobs)


STATUS_TYPES = {
    "sqlite": ["text"],
    "postgresql": ["char(12)", "job_status"],
    "mysql": ["char(12)", "varbinary(20)", "enum('completed', 'pending')"],
}


@pytest.mark.promise("unplaceable-records")
@every_empty_database
def test_a_status_of_any_type_counts_as_a_listing_reads_it(empty_store: SqlStore) -> None:
    store_times(empty_store, "timestamptz", {1: "2018-05-21 00:30:00", 2: None})
    if empty_store.dialect == "postgresql":
        empty_store.execute("CREATE TYPE job_status AS ENUM ('completed', 'pending')")
    for status_type in STATUS_TYPES[empty_store.dialect]:
        if empty_store.dialect == "postgresql":
            empty_store.execute(
                f"ALTER TABLE job_history_jobs ALTER status TYPE {status_type} USING trim(status::text)::{status_type}"
            )
        elif empty_store.dialect == "mysql":
            empty_store.execute(f"ALTER TABLE job_history_jobs MODIFY status {status_type}")
        found = empty_store.source().unplaceable(USER_ID)
        assert (status_type, found.count, found.example_id) == (status_type, 1, "2")
        assert [(record.job_id, record.status) for record in listed(empty_store.source())] == [("1", "completed")]
