"""Admin events of a database: counts, ids, columns, and what it refuses or lacks."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.event_source_suite import documents, event, ids, listed
from tests.support.job_stores import (
    SqliteStore,
    SqlStore,
)
from tests.support.source_suite import HOUR, USER_ID, every_database

from job_history.errors import PermanentError, QuarantineReason, ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.sources.sql import SqlEventSource, dialect_for


def fault_of(attempt: Callable[[], object]) -> tuple[type, str]:
    with pytest.raises(ReplicationError) as raised:
        attempt()
    return type(raised.value), str(raised.value)


@every_database
def test_a_batch_count_of_events_equals_the_counts_of_each_account(store: SqlStore) -> None:
    store.fill_events(event(number, user_id=USER_ID + number % 3) for number in range(7))
    source = store.event_source()

    together = source.counts([USER_ID, USER_ID + 1, USER_ID + 2, USER_ID + 3], HOUR)

    assert together == [source.count(USER_ID + number, HOUR) for number in range(4)] == [3, 2, 2, 0]


@every_database
def test_an_event_without_an_id_is_delivered_under_its_digest(store: SqlStore) -> None:
    store.fill_events([event(None), event(None, event="user_logout"), event(1)])

    keys = sorted(documents(listed(store.event_source())))

    assert [(len(key.split("/")[3]), key.rpartition("-")[2]) for key in keys] == [
        (3, "user_login.json"),
        (16, "user_login.json"),
        (16, "user_logout.json"),
    ]


@every_database
def test_each_row_of_a_repeated_event_id_is_quarantined(store: SqlStore) -> None:
    store.fill_events([event("e-1"), event("e-2"), event("e-1", event="user_logout"), event(None), event(None)])

    records = sorted(listed(store.event_source()), key=lambda record: (str(record.event_id), str(record.event)))

    assert [(record.event_id, record.fault, record.fault_explanation) for record in records] == [
        (None, None, ""),
        (None, None, ""),
        *[
            ("e-1", QuarantineReason.DUPLICATE_EVENT_ID, "the source has more than one row with event_id 'e-1' in this window")  # noqa: E501
        ] * 2,
        ("e-2", None, ""),
    ]  # fmt: skip


@pytest.mark.promise("duplicate-ids")
@every_database
def test_an_event_id_that_is_repeated_in_another_part_of_the_window_is_found(store: SqlStore) -> None:
    store.fill_events([event("e-1"), event("e-2"), event("e-1", event="user_logout"), event(None), event(None)])

    assert list(store.event_source().repeated_ids(USER_ID, HOUR)) == ["e-1"]


@every_database
def test_extra_columns_of_events_follow_sorted_by_name(store: SqlStore) -> None:
    store.execute(
        "ALTER TABLE job_history_admin_events ADD COLUMN zone text",
        "ALTER TABLE job_history_admin_events ADD COLUMN environment text",
    )
    store.fill_events([event(1, details=None, actor=None, team=None, resource=None)])
    store.execute("UPDATE job_history_admin_events SET zone = 'eu', environment = 'prod'")

    [body] = documents(listed(store.event_source())).values()

    assert body == (b'{"event":"user_login","timestamp":"2018-05-21T00:30:00Z","environment":"prod","zone":"eu"}\n')


@every_database
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "ALTER TABLE job_history_admin_events DROP COLUMN team",
            "The relation job_history_admin_events lacks the column team. Map your schema with a view that has every "
            "column named in docs/job-store.md.",
        ),
        (
            "ALTER TABLE job_history_admin_events ADD COLUMN timestamp text",
            "The relation job_history_admin_events has a column 'timestamp', which is the name of a document's own "
            "field. Leave it out of the view, or give it another name.",
        ),
    ],
)
def test_a_relation_that_does_not_fit_is_refused(store: SqlStore, statement: str, message: str) -> None:
    store.fill_events([event(1)])
    store.execute(statement)

    assert fault_of(lambda: listed(store.event_source())) == (PermanentError, message)


def test_store_without_admin_events_names_the_missing_relation(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.execute("DROP TABLE job_history_admin_events")

    with pytest.raises(PermanentError) as raised:
        store.event_source().count(USER_ID, HOUR)

    assert raised.value.code is Code.SQL_NOT_FOUND
    assert "job_history_admin_events" in raised.value.detail


def test_a_missing_column_is_found_without_reading(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.event_source().check_readable(line_details=False)
    store.execute("ALTER TABLE job_history_admin_events DROP COLUMN actor")

    assert fault_of(lambda: store.event_source().check_readable(line_details=False)) == (
        PermanentError,
        "The relation job_history_admin_events lacks the column actor. Map your schema with a view that has every "
        "column named in docs/job-store.md.",
    )


def test_a_column_that_cannot_be_read_is_the_fault_of_its_record(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.fill_events([event(1), event(2)])
    store.execute("UPDATE job_history_admin_events SET event = x'ff' WHERE event_id = 2")

    good, bad = sorted(listed(store.event_source()), key=lambda record: str(record.event_id))

    assert (good.fault, bad.fault, bad.event_id, bad.event, bad.occurred_at) == (
        None,
        QuarantineReason.BAD_TEXT,
        "2",
        "b'\\\\xff'",
        "2018-05-21T00:30:00Z",
    )


@every_database
def test_count_and_listing_see_the_same_moment(store: SqlStore) -> None:
    store.fill_events([event(1)])
    if isinstance(store, SqliteStore):
        store.execute("PRAGMA journal_mode = WAL")  # else the writer waits for the reader
    source = store.event_source()

    with source.listing(USER_ID, HOUR, line_details=False) as listing:
        store.fill_events([event(2)])
        found = ids(list(listing))

    assert (found, listing.counted, source.count(USER_ID, HOUR)) == (["1"], 1, 2)


def test_a_locked_sqlite_file_is_transient(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    source = SqlEventSource(lambda: sqlite3.connect(store.path, timeout=0.1), dialect_for("sqlite"))
    with closing(store.connect()) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TransientError) as raised:
            source.count(USER_ID, HOUR)

    assert raised.value.code is Code.SQL_AWAY


@pytest.mark.promise("one-window-or-unplaceable")
def test_events_whose_time_cannot_be_read_are_unplaceable(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.fill_events([event(1), event(2, "yesterday"), event(None, "")])

    found = store.event_source().unplaceable(USER_ID)

    assert ids(listed(store.event_source())) == ["1"]
    assert (found.count, found.over_limit) == (2, False)
