"""What a source of admin events promises, held against each kind of source with the same events."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.job_stores import (
    MARIADB_STORES,
    STORES,
    JobStore,
    SqliteStore,
    SqlStore,
    WorkatoStore,
    is_sql_store,
    sql_store,
)

from job_history.documents.event_document import event_document_of
from job_history.documents.job_document import DocumentRules
from job_history.errors import PermanentError, QuarantineReason, ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.model.admin_event import EventRecord
from job_history.model.window import Window
from job_history.sources import Source
from job_history.sources.sql import SqlEventSource, dialect_for
from simulators.job_store import SampleEvent, sample_events

VECTORS = sorted((Path(__file__).parents[1] / "event_vectors").iterdir())
USER_ID = 5234
START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
RULES = DocumentRules(user_id=USER_ID, prefix="", line_details=False, max_document_bytes=40_000_000)
REMEDY = (
    "Map your schema with views as docs/job-store.md shows, and check that the connection names the right database."
)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobStore]:
    if is_sql_store(request.param):
        yield sql_store(request.param, tmp_path, request.getfixturevalue)
        return
    with closing(WorkatoStore(USER_ID, START + timedelta(days=1), embedded=request.param == "workato-embedded")) as api:
        yield api


every_source = pytest.mark.parametrize(
    "store", [*STORES, *MARIADB_STORES, "workato-direct", "workato-embedded"], indirect=True
)
every_database = pytest.mark.parametrize("store", [*STORES, *MARIADB_STORES], indirect=True)


def event(event_id: int | str | None, occurred_at: str = "2018-05-21T00:30:00Z", **fields: Any) -> SampleEvent:
    person = '{"id":1,"name":"Jane","email":"jane@example.com"}'
    plain = SampleEvent(
        user_id=USER_ID,
        event_id=event_id,
        event="user_login",
        details='{"activity":"password_login"}',
        actor=person,
        team=person,
        resource='{"type":"User","id":1}',
        occurred_at=occurred_at,
    )
    return plain._replace(**fields)


def listed(source: Source[EventRecord], window: Window = HOUR) -> list[EventRecord]:
    """List a window, after making sure that both counts say as many."""
    with source.listing(USER_ID, window, line_details=False) as listing:
        records = list(listing)
    assert (listing.counted, source.count(USER_ID, window)) == (len(records), len(records))
    return records


def ids(records: list[EventRecord]) -> list[str]:
    return sorted(str(record.event_id) for record in records)


def documents(records: list[EventRecord]) -> dict[str, bytes]:
    return {document.key: document.body for document in (event_document_of(record, RULES) for record in records)}


def fault_of(attempt: Callable[[], object]) -> tuple[type, str]:
    with pytest.raises(ReplicationError) as raised:
        attempt()
    return type(raised.value), str(raised.value)


# For every source


@every_database
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_golden_vector_comes_back_byte_for_byte(store: JobStore, vector: Path) -> None:
    row = json.loads((vector / "record.json").read_text())
    store.fill_events([SampleEvent(**row)])
    day = datetime.fromisoformat(row["occurred_at"]).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    found = documents(listed(store.event_source(), Window(day, day + timedelta(days=1))))

    assert found == {(vector / "key.txt").read_text().strip(): (vector / "document.json").read_bytes()}


@every_source
def test_an_empty_window_counts_zero_and_lists_nothing(store: JobStore) -> None:
    store.fill_events([event(1, "2018-05-21T02:30:00Z")])

    assert listed(store.event_source()) == []


BOUNDARIES = {
    1: "2018-05-20T23:59:59Z",
    2: "2018-05-20T23:59:59.999Z",
    3: "2018-05-21T00:00:00Z",  # from here on in the window
    4: "2018-05-21T00:00:00.001Z",
    5: "2018-05-21T02:00:00+02:00",
    6: "2018-05-21T00:59:59.999Z",
    7: "2018-05-21T01:00:00Z",  # from here on in the next one
    8: "2018-05-20T18:00:00-07:00",
    9: "2018-05-20T13:30:00-12:00",
}


@pytest.mark.promise("event-window")
@every_source
def test_an_event_is_in_the_window_that_it_occurred_in(store: JobStore) -> None:
    store.fill_events([event(number, occurred_at) for number, occurred_at in BOUNDARIES.items()])
    hour = timedelta(hours=1)

    found = [ids(listed(store.event_source(), Window(START + n * hour, START + (n + 1) * hour))) for n in (-1, 0, 1)]

    assert found == [["1", "2"], ["3", "4", "5", "6"], ["7", "8", "9"]]


@every_source
def test_several_pages_of_events_are_all_there_once(store: JobStore) -> None:
    """More than two pages of the activity log, in the shorter pages of the second listing as well."""
    store.fill_events(sample_events(7, USER_ID, START - timedelta(hours=1), START + timedelta(hours=2), 250))

    records = listed(store.event_source())

    expected = list(sample_events(7, USER_ID, START, HOUR.end, 250))
    assert sorted((record.occurred_at or "")[:19] for record in records) == [each.occurred_at[:19] for each in expected]
    assert {record.event for record in records} == {each.event for each in expected}
    assert len(documents(records)) == 250


@every_source
def test_what_the_system_did_has_no_user(store: JobStore) -> None:
    store.fill_events([event(1, event="recipe_stopped", actor=None), event(2)])

    made = sorted((key, list(json.loads(body))) for key, body in documents(listed(store.event_source())).items())

    fields = ["event", "details", "user", "team", "resource", "timestamp"]
    assert made == [
        (
            f"5234/admin_events/20180521/000/000/000/000/000/000/00{number}/5234-{number}-20180521003000-{name}.json",
            [field for field in fields if number == 2 or field != "user"],
        )
        for number, name in ((1, "recipe_stopped"), (2, "user_login"))
    ]


@every_source
def test_no_events_of_another_account(store: JobStore) -> None:
    store.fill_events([event(1)])
    if isinstance(store, SqlStore):
        store.fill_events([event(2, user_id=77)])

    assert ids(listed(store.event_source())) == ["1"]


# For databases


@every_database
def test_many_accounts_are_counted_together_as_each_is_alone(store: SqlStore) -> None:
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
def test_an_id_that_is_there_twice_is_the_fault_of_both(store: SqlStore) -> None:
    store.fill_events([event("e-1"), event("e-2"), event("e-1", event="user_logout"), event(None), event(None)])

    records = sorted(listed(store.event_source()), key=lambda record: (str(record.event_id), str(record.event)))

    assert [(record.event_id, record.fault, record.fault_explanation) for record in records] == [
        (None, None, ""),
        (None, None, ""),
        *[
            ("e-1", QuarantineReason.DUPLICATE_EVENT_ID, "the source has more than one row with event_id 'e-1' in this window")
        ] * 2,
        ("e-2", None, ""),
    ]  # fmt: skip


@every_database
def test_columns_that_only_this_store_has_follow_sorted_by_name(store: SqlStore) -> None:
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
            "The relation job_history_admin_events lacks the column team. Map your schema with a view that has every column "
            "named in docs/job-store.md.",
        ),
        (
            "ALTER TABLE job_history_admin_events ADD COLUMN timestamp text",
            "The relation job_history_admin_events has a column 'timestamp', which is the name of a document's own field. "
            "Leave it out of the view, or give it another name.",
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

    assert fault_of(lambda: store.event_source().count(USER_ID, HOUR)) == (
        PermanentError,
        "Reading the admin events of account 5234 in [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z) failed: no such table: "
        f"job_history_admin_events (OperationalError). {REMEDY}",
    )


def test_whether_it_can_be_read_is_seen_without_reading(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.event_source().check_readable(line_details=False)
    store.execute("ALTER TABLE job_history_admin_events DROP COLUMN actor")

    assert fault_of(lambda: store.event_source().check_readable(line_details=False)) == (
        PermanentError,
        "The relation job_history_admin_events lacks the column actor. Map your schema with a view that has every column "
        "named in docs/job-store.md.",
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
