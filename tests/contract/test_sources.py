"""What a job source promises, held against each kind of store with the same jobs."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.job_stores import STORES, JobStore, PostgresStore, SqliteStore, SqlStore, WorkatoStore, golden_job

from job_history.documents.job_document import DocumentRules, document_of
from job_history.errors import PermanentError, QuarantineReason, ReplicationError, TransientError
from job_history.model.job import JobRecord, final_status
from job_history.model.window import Window
from job_history.sources import Source
from job_history.sources.sql import SqlJobSource, dialect_for
from simulators.job_store import SampleJob, example_job, plain_job, sample_jobs
from simulators.postgres import PostgresServer

VECTORS = sorted((Path(__file__).parents[1] / "vectors").iterdir())
USER_ID = 5234
START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
MEGABYTE = 1_000_000
REMEDY = (
    "Map your schema with views as docs/job-store.md shows, and check that the connection names the right database."
)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[JobStore]:
    if request.param in STORES:
        yield STORES[request.param](tmp_path, lambda: request.getfixturevalue("postgres"), empty=False)
        return
    with closing(WorkatoStore(USER_ID, START + timedelta(days=1), embedded=request.param == "workato-embedded")) as api:
        yield api


@pytest.fixture
def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> SqlStore:
    return STORES[request.param](tmp_path, lambda: request.getfixturevalue("postgres"), empty=True)


every_source = pytest.mark.parametrize("store", [*STORES, "workato-direct", "workato-embedded"], indirect=True)
every_database = pytest.mark.parametrize("store", STORES, indirect=True)
every_empty_database = pytest.mark.parametrize("empty_store", STORES, indirect=True)
both_databases = pytest.mark.parametrize("store", ["sqlite", "postgres-psycopg"], indirect=True)
both_drivers = pytest.mark.parametrize("store", ["postgres-psycopg", "postgres-psycopg2"], indirect=True)


def listed(
    source: Source[JobRecord], window: Window = HOUR, *, user_id: int = USER_ID, lines: bool = True
) -> list[JobRecord]:
    """List a window, after making sure that both counts say as many."""
    with source.listing(user_id, window, line_details=lines) as listing:
        records = list(listing)
    assert (listing.counted, source.count(user_id, window)) == (len(records), len(records))
    return records


def ids(records: list[JobRecord]) -> list[str]:
    return sorted(str(record.job_id) for record in records)


def documents(records: list[JobRecord], user_id: int = USER_ID, *, lines: bool = True) -> dict[str, bytes]:
    """Make the documents of the finished jobs."""
    rules = DocumentRules(user_id=user_id, prefix="", line_details=lines, max_document_bytes=40 * MEGABYTE)
    made = [document_of(record, status, rules) for record in records if (status := final_status(record.status))]
    return {document.key: document.body for document in made}


def job(job_id: int | str, completed_at: str | None = None, **fields: Any) -> SampleJob:
    """A job with nothing special, that completed at half past or when told."""
    plain = plain_job(USER_ID, START, job_id)
    return plain._replace(completed_at=completed_at or plain.completed_at, **fields)


# For every source


@pytest.mark.promise("same-documents-from-each-database")
@every_database
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_golden_vector_comes_back_byte_for_byte(store: JobStore, vector: Path) -> None:
    given = golden_job(vector)
    lines = json.loads((vector / "record.json").read_text())["line_details"]
    store.fill([given])
    day = datetime.fromisoformat(given.completed_at or "").astimezone(UTC).replace(hour=0, minute=0, second=0)
    window = Window(day, day + timedelta(days=1))

    records = listed(store.source(), window, user_id=given.user_id, lines=lines)

    expected = {(vector / "key.txt").read_text().strip(): (vector / "document.json").read_bytes()}
    assert documents(records, given.user_id, lines=lines) == expected


def test_there_are_golden_vectors() -> None:
    assert len(VECTORS) >= 12


@every_source
def test_an_empty_window_counts_zero_and_lists_nothing(store: JobStore) -> None:
    store.fill([job(1, "2018-05-21T02:30:00Z")])

    assert listed(store.source()) == []


BOUNDARIES = {
    1: "2018-05-20T23:59:59Z",
    2: "2018-05-20T23:59:59.999999Z",
    3: "2018-05-21T00:00:00Z",  # from here on in the window
    4: "2018-05-21T00:00:00.000001Z",
    5: "2018-05-21T02:00:00+02:00",
    6: "2018-05-20T17:59:59-07:00",
    7: "2018-05-21T00:59:59.999999Z",
    8: "2018-05-21T06:29:59.5+05:30",
    9: "2018-05-21T01:00:00Z",  # from here on in the next one
    10: "2018-05-20T18:00:00-07:00",
    11: "2018-05-21T01:00:00.000Z",
    12: "2018-05-21T14:59:59+14:00",
    13: "2018-05-20T13:30:00-12:00",
}


@pytest.mark.promise("job-window")
@every_source
def test_a_job_is_in_the_window_that_it_completed_in(store: JobStore) -> None:
    early = "2018-05-20T00:00:00Z"
    store.fill([job(number, completed_at, started_at=early) for number, completed_at in BOUNDARIES.items()])
    hour = timedelta(hours=1)
    windows = [Window(START + n * hour, START + (n + 1) * hour) for n in (-1, 0, 1)]

    found = [ids(listed(store.source(), window)) for window in windows]

    assert found == [["1", "2"], ["12", "3", "4", "5", "6", "7", "8"], ["10", "11", "13", "9"]]
    cut = HOUR.start + timedelta(minutes=30, microseconds=1)
    halves = [ids(listed(store.source(), half)) for half in (Window(HOUR.start, cut), Window(cut, HOUR.end))]
    assert sorted(halves[0] + halves[1]) == found[1]


@pytest.mark.promise("count-together")
@every_database
def test_many_accounts_are_counted_together_as_each_is_alone(store: SqlStore) -> None:
    """More of them than go into one statement; most have nothing in the window."""
    user_ids = list(range(USER_ID, USER_ID + 250))
    moments = ["2018-05-21T00:00:00Z", "2018-05-21T00:59:59.999999Z", "2018-05-21T01:00:00Z"]
    store.fill(job(n, moments[n % 3])._replace(user_id=USER_ID + n % 230 // 7 * 7) for n in range(300))
    source = store.source()

    together = source.counts(user_ids, HOUR)

    assert together == [source.count(user_id, HOUR) for user_id in user_ids]
    assert (sum(together), len(together), len(set(together)) > 2) == (200, 250, True)
    assert source.counts([], HOUR) == []


@pytest.mark.promise("job-documents")
@every_source
def test_what_has_not_ended_is_not_listed_and_what_was_stopped_is(store: JobStore) -> None:
    store.fill(
        [
            job(1),
            job(2)._replace(status="pending", completed_at=None),
            job(3)._replace(status="running", completed_at=None),
            job(4)._replace(status="aborted"),
            job(5)._replace(status="cancelled"),
            job(6)._replace(status="failed"),
        ]
    )

    # A job that completed has another word for it in the platform's API.
    found = {str(record.job_id): final_status(record.status) or record.status for record in listed(store.source())}

    assert found == {"1": "succeeded", "4": "aborted", "5": "cancelled", "6": "failed"}


@every_database
def test_lines_come_in_order_and_with_their_own_job_only(store: JobStore) -> None:
    def with_lines(given: SampleJob, *names: str) -> SampleJob:
        line = example_job().lines[0]
        lines = [
            line._replace(user_id=given.user_id, job_id=given.job_id, line_index=index, adapter_operation=name)
            for index, name in enumerate(names)
        ]
        return given._replace(lines=tuple(reversed(lines)))

    other_account = with_lines(job(1), "theirs")._replace(user_id=77)
    store.fill(
        [
            with_lines(job(1), *(f"of 1: {index}" for index in range(12))),
            with_lines(job(2)),
            with_lines(job(10), "of 10"),
            with_lines(job(3)._replace(completed_at=None), "of one that runs"),
            with_lines(job(4, "2018-05-21T03:00:00Z"), "of another window"),
            other_account._replace(lines=tuple(line._replace(user_id=77) for line in other_account.lines)),
        ]
    )

    def operations(user_id: int) -> dict[str, list[str | None]]:
        records = listed(store.source(), user_id=user_id)
        return {str(record.job_id): [line.adapter_operation for line in record.lines or []] for record in records}

    assert operations(USER_ID) == {"1": [f"of 1: {index}" for index in range(12)], "2": [], "10": ["of 10"]}
    assert operations(77) == {"1": ["theirs"]}
    assert operations(78) == {}


@pytest.mark.promise("duplicate-ids")
@every_database
def test_an_id_that_is_there_twice_is_the_fault_of_both(store: JobStore) -> None:
    store.fill([job(1), job(2, title="one"), job(2, title="other")._replace(lines=()), job(3)])

    found = sorted((str(record.job_id), record.fault, record.fault_explanation) for record in listed(store.source()))

    explanation = "the source has more than one row with job_id 2 in this window"
    duplicate = QuarantineReason.DUPLICATE_JOB_ID
    assert [(job_id, fault) for job_id, fault, _ in found] == [
        ("1", None),
        ("2", duplicate),
        ("2", duplicate),
        ("3", None),
    ]
    assert {text.replace("'", "") for _, fault, text in found if fault} == {explanation}


@every_source
def test_handles_and_ids_of_21_digits_come_back_as_they_are(store: JobStore) -> None:
    big, its_parent = "123456789012345678901", "123456789012345678900"
    store.fill([job("j-KGAKfhsz-GYoLeD", parent_id="j-parent", calling_job_id=99), job(big, parent_id=its_parent)])

    made = [json.loads(body) for body in documents(listed(store.source())).values()]

    assert sorted((str(one["id"]), one["parent_id"], one["calling_job_id"], len(one["lines"])) for one in made) == [
        (big, int(its_parent), None, 2),
        ("j-KGAKfhsz-GYoLeD", "j-parent", 99, 2),
    ]


@pytest.mark.promise("line-details-off")
@every_source
def test_line_details_off_asks_for_no_lines(store: JobStore) -> None:
    store.fill([job(1)])

    assert [record.lines for record in listed(store.source(), lines=False)] == [None]


# For every database


@every_database
def test_line_details_off_does_without_the_relation_of_lines(store: SqlStore) -> None:
    store.fill([job(1)])
    store.execute("DROP TABLE job_history_lines")

    assert ids(listed(store.source(), lines=False)) == ["1"]


ID_TYPES = [("bigint", 100), ("numeric(21)", 100), ("text", 100), ("text", "j-KGAKfhsz-GYoLeD")]


@every_empty_database
@pytest.mark.parametrize(("id_type", "job_id"), ID_TYPES)
def test_ids_of_every_column_type(empty_store: SqlStore, id_type: str, job_id: int | str) -> None:
    number = "text" if id_type == "text" else id_type
    empty_store.execute(*tables(number=number, job_id=id_type))
    empty_store.fill([job(job_id, parent_id=99)])

    [(key, body)] = documents(listed(empty_store.source())).items()

    assert key.endswith(f"/5234-234-{job_id}-20180521003000-succeeded.json")
    assert [json.loads(body)[name] for name in ("id", "flow_id", "parent_id")] == [job_id, 234, 99]
    assert [line["input"] for line in json.loads(body)["lines"]] == [{"interval": "1"}, {}]


def tables(*, number: str = "bigint", job_id: str = "text", json_type: str = "text") -> list[str]:
    """The two relations with column types of a test's choice; SQLite takes any word for a type."""
    return [
        f"""CREATE TABLE job_history_jobs (user_id {number}, recipe_id {number}, job_id {job_id}, parent_id {job_id},
            calling_job_id {job_id}, status text, started_at timestamptz, completed_at timestamptz, error_type text,
            error text, title text, is_poll_error boolean, report {json_type})""",
        f"""CREATE TABLE job_history_lines (user_id {number}, job_id {job_id}, line_index integer,
            recipe_line_number integer, adapter_name text, adapter_operation text, input {json_type},
            output {json_type}, error text, mask_data boolean)""",
    ]


@pytest.mark.parametrize("empty_store", ["postgres-psycopg", "postgres-psycopg2"], indirect=True)
def test_21_digits_in_a_numeric_column(empty_store: SqlStore) -> None:
    empty_store.execute(*tables(number="numeric", job_id="numeric(21)"))
    empty_store.fill([job("123456789012345678901"), job(100)])

    made = [json.loads(body) for body in documents(listed(empty_store.source())).values()]

    assert sorted((one["id"], len(one["lines"])) for one in made) == [(100, 2), (123456789012345678901, 2)]


TOKENS = '{ "z" : 1.50, "a" : [12345678901234567890123, 1E+2, -0], "a" : "\\u00e9" }'


@pytest.mark.promise("json-unchanged")
@every_empty_database
@pytest.mark.parametrize(
    ("json_type", "expected"),
    [
        ("json", b'{"z":1.50,"a":[12345678901234567890123,1E+2,-0],"a":"\\u00e9"}'),
        ("text", b'{"z":1.50,"a":[12345678901234567890123,1E+2,-0],"a":"\\u00e9"}'),
        # The store itself has given up spelling, order and repeated names there; numbers it keeps.
        ("jsonb", '{"a":"é","z":1.50}'.encode()),
    ],
)
def test_json_columns_pass_through(empty_store: SqlStore, json_type: str, expected: bytes) -> None:
    if json_type == "jsonb" and empty_store.dialect == "sqlite":
        expected = b'{"z":1.50,"a":[12345678901234567890123,1E+2,-0],"a":"\\u00e9"}'  # no type of its own there
    empty_store.execute(*tables(json_type=json_type))
    line = example_job().lines[0]._replace(job_id=1, input=TOKENS, output=None)
    empty_store.fill([job(1, report=TOKENS, lines=(line,))])

    [body] = documents(listed(empty_store.source())).values()

    assert b'"report":' + expected + b"," in body
    assert b'"input":' + expected + b',"output":null,' in body


@pytest.mark.promise("field-order")
@every_database
def test_columns_that_only_this_store_has_follow_sorted_by_name(store: SqlStore) -> None:
    store.execute(
        "ALTER TABLE job_history_jobs ADD COLUMN zeta text",
        "ALTER TABLE job_history_jobs ADD COLUMN action_count integer",
        'ALTER TABLE job_history_jobs ADD COLUMN "Is Repeat" integer',
        "ALTER TABLE job_history_lines ADD COLUMN line_stat text",
        "ALTER TABLE job_history_lines ADD COLUMN attempts integer",
    )
    store.fill([job(1), job(2)])
    store.execute(
        """UPDATE job_history_jobs SET zeta = 'größer "z"', action_count = 3, "Is Repeat" = 0 WHERE CAST(job_id AS text) = '1'""",
        "UPDATE job_history_lines SET line_stat = 'ok', attempts = 2 WHERE CAST(job_id AS text) = '1' AND line_index = 1",
    )

    first, second = documents(listed(store.source())).values()

    assert first.endswith(
        '"mask_data":false,"attempts":2,"line_stat":"ok"}],"Is Repeat":0,"action_count":3,"zeta":"größer \\"z\\""}\n'.encode()
    )
    assert second.endswith(b'"mask_data":false}]}\n')


@both_drivers
def test_extra_columns_of_rich_types_become_json(store: SqlStore) -> None:
    store.execute(
        "ALTER TABLE job_history_jobs ADD COLUMN a boolean DEFAULT true",
        "ALTER TABLE job_history_jobs ADD COLUMN b numeric DEFAULT 12345678901234567890.50",
        "ALTER TABLE job_history_jobs ADD COLUMN c text[] DEFAULT '{x,y}'",
        """ALTER TABLE job_history_jobs ADD COLUMN d json DEFAULT '{"k": 1E+2}'""",
    )
    store.fill([job(1, lines=())])

    [body] = documents(listed(store.source())).values()

    assert body.endswith(b'"lines":[],"a":true,"b":12345678901234567890.50,"c":["x","y"],"d":{"k":1E+2}}\n')


@both_drivers
def test_a_time_in_an_extra_column_does_not_depend_on_the_time_zone_of_the_session(store: PostgresStore) -> None:
    store.execute("ALTER TABLE job_history_jobs ADD COLUMN seen_at timestamptz DEFAULT '2018-05-21T00:00:10Z'")
    store.fill([job(1, lines=())])
    database = store.uri.split("?", maxsplit=1)[0].rpartition("/")[2]

    def extra() -> bytes:
        [body] = documents(listed(store.source())).values()
        return body

    before = extra()
    store.execute(f"ALTER DATABASE {database} SET timezone = 'Europe/Berlin'")

    assert extra() == before
    assert b'"seen_at":"2018-05-21T00:00:10+00:00"' in before


def fault_of(source: Source[JobRecord], *, lines: bool = True) -> tuple[type, str]:
    with pytest.raises(ReplicationError) as raised:
        listed(source, lines=lines)
    return type(raised.value), str(raised.value)


TRY_LATER = "It is tried again; should it last, check the connection's host and login."
ABOUT = f"Reading the jobs of account {USER_ID} in {HOUR} failed:"


@every_database
@pytest.mark.parametrize("relation", ["job_history_jobs", "job_history_lines"])
def test_a_missing_relation_is_named_with_the_remedy(store: SqlStore, relation: str) -> None:
    store.execute(f"DROP TABLE {relation}")
    says = {
        "sqlite": f"no such table: {relation} (OperationalError)",
        "postgresql": f'relation "{relation}" does not exist (UndefinedTable, SQLSTATE 42P01)',
    }[store.dialect]

    assert fault_of(store.source()) == (PermanentError, f"{ABOUT} {says}. {REMEDY}")


@every_database
def test_a_missing_column_that_the_window_needs_is_named_with_the_remedy(store: SqlStore) -> None:
    store.execute("DROP INDEX job_history_jobs_completed", "ALTER TABLE job_history_jobs RENAME completed_at TO ended")
    says = {
        "sqlite": "no such column: j.completed_at (OperationalError)",
        "postgresql": "column j.completed_at does not exist (UndefinedColumn, SQLSTATE 42703)",
    }[store.dialect]

    assert fault_of(store.source()) == (PermanentError, f"{ABOUT} {says}. {REMEDY}")


@every_database
@pytest.mark.parametrize(
    ("relation", "columns", "names"),
    [
        ("job_history_jobs", ["title"], "column title"),
        ("job_history_jobs", ["report", "status"], "columns status, report"),
        ("job_history_lines", ["mask_data"], "column mask_data"),
    ],
)
def test_missing_columns_are_named_with_the_remedy(
    store: SqlStore, relation: str, columns: list[str], names: str
) -> None:
    store.execute(*(f"ALTER TABLE {relation} DROP COLUMN {column}" for column in columns))

    kind, message = fault_of(store.source())

    assert kind is PermanentError
    assert message == (
        f"The relation {relation} lacks the {names}. Map your schema with a view that has every column named in "
        "docs/job-store.md."
    )


@every_database
def test_a_column_with_the_name_of_a_field_of_the_document_is_refused(store: SqlStore) -> None:
    store.execute("ALTER TABLE job_history_jobs ADD COLUMN flow_id integer")

    kind, message = fault_of(store.source())

    assert kind is PermanentError
    assert message == (
        "The relation job_history_jobs has a column 'flow_id', which is the name of a document's own field. Leave it out "
        "of the view, or give it another name."
    )


@both_drivers
def test_ids_of_two_types_that_cannot_be_compared_are_an_error_and_no_loss_of_lines(store: SqlStore) -> None:
    store.fill([job(1)])
    store.execute("ALTER TABLE job_history_lines ALTER COLUMN job_id TYPE bigint USING job_id::bigint")

    kind, message = fault_of(store.source())

    assert kind is PermanentError
    assert message == (
        f"{ABOUT} operator does not exist: bigint = text (UndefinedFunction, SQLSTATE 42883). Check the relations' column "
        "types against docs/job-store.md, and the permissions."
    )


def test_a_sqlite_file_in_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    source = SqlJobSource(lambda: sqlite3.connect(tmp_path / "no" / "store.sqlite"), dialect_for("sqlite"))

    assert fault_of(source) == (
        PermanentError,
        f"{ABOUT} unable to open database file (OperationalError). {REMEDY}",
    )


@both_drivers
def test_an_unknown_database_is_permanent(store: PostgresStore) -> None:
    store.uri = store.uri.replace("/store_", "/no_store_")
    name = store.uri.split("/")[3].split("?")[0]

    kind, message = fault_of(store.source())

    assert kind is PermanentError
    assert message.startswith(f"{ABOUT} ")
    assert message.endswith(f'FATAL:  database "{name}" does not exist (OperationalError). {LOGIN_REMEDY}')


@both_drivers
def test_an_unknown_login_is_permanent(store: PostgresStore) -> None:
    store.uri = store.uri.replace("//postgres@", "//nobody@")

    kind, message = fault_of(store.source())

    assert kind is PermanentError
    assert message.endswith(f'FATAL:  role "nobody" does not exist (OperationalError). {LOGIN_REMEDY}')


LOGIN_REMEDY = "Correct the connection's database, login or password."


@both_drivers
def test_a_server_that_is_away_is_transient(store: PostgresStore, tmp_path: Path) -> None:
    store.uri = f"postgresql://postgres@/store?host={tmp_path}"

    kind, message = fault_of(store.source())

    assert kind is TransientError
    assert message.startswith(f"{ABOUT} ")
    assert message.endswith(f"No such file or directory (OperationalError). {TRY_LATER}")


@both_drivers
def test_a_database_that_breaks_off_in_the_middle_is_transient(store: SqlStore) -> None:
    store.fill(job(number) for number in range(3_000))

    def break_off(source: Source[JobRecord]) -> None:
        with source.listing(USER_ID, HOUR, line_details=True) as listing:
            jobs = iter(listing)
            assert (listing.counted, next(jobs).job_id) == (3_000, "0")
            store.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            list(jobs)

    with pytest.raises(TransientError) as raised:
        break_off(store.source())

    about, said = str(raised.value).split(" failed: ")
    assert f"{about} failed:" == ABOUT
    assert said in (
        "terminating connection due to administrator command (AdminShutdown, SQLSTATE 57P01). It is tried again.",
        f"server closed the connection unexpectedly (OperationalError). {TRY_LATER}",
    )
    assert len(listed(store.source())) == 3_000


def test_a_sqlite_file_that_somebody_holds_is_transient(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.fill([job(1)])
    source = SqlJobSource(lambda: sqlite3.connect(store.path, timeout=0.1), dialect_for("sqlite"))
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert fault_of(source) == (
            TransientError,
            f"{ABOUT} database is locked (OperationalError). It is tried again.",
        )
    assert ids(listed(source)) == ["1"]


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
            "UPDATE job_history_jobs SET title = 'changed' WHERE CAST(job_id AS text) = '2900'",
            "UPDATE job_history_jobs SET completed_at = NULL WHERE CAST(job_id AS text) = '2901'",
            "DELETE FROM job_history_lines WHERE CAST(job_id AS text) = '2902'",
        )
        records += jobs

    assert (listing.counted, ids(records)) == (2_000, [str(number) for number in numbers])
    assert {(record.title, len(record.lines or []), record.fault) for record in records} == {("hello world", 2, None)}
    assert len(listed(store.source())) == 2_002


@every_database
def test_whoever_stops_on_the_way_leaves_nothing_open(store: SqlStore) -> None:
    """A cursor that outlives its connection complains of that when it is collected, into the log of a task."""
    store.fill(job(number) for number in range(100))

    with pytest.raises(KeyError), store.source().listing(USER_ID, HOUR, line_details=True) as listing:
        jobs = iter(listing)
        next(jobs)
        raise KeyError

    assert next(jobs, None) is None


@pytest.mark.promise("bounded-memory")
@both_databases
def test_memory_does_not_grow_with_the_window(store: SqlStore) -> None:
    store.execute(many_jobs(store, 30_000))

    counted, growth = memory_growth(store.source())

    assert counted == (30_000, 0)
    assert growth < 60 * MEGABYTE  # of 120


@both_databases
def test_memory_does_not_jump_where_small_lines_are_followed_by_large_ones(store: SqlStore) -> None:
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
    if store.dialect == "sqlite":
        return f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c) s"
    return f"generate_series(1, {count}) AS s(n)"


def text_of(store: SqlStore, size: int | str) -> str:
    """An expression for JSON text of about this size."""
    text = f"hex(zeroblob({size} / 2))" if store.dialect == "sqlite" else f"repeat('0', {size})"
    return f"""('{{"x":"' || {text} || '"}}')"""


def many_jobs(store: SqlStore, count: int, *, report_bytes: int = 3_900) -> str:
    json_type = "json" if store.dialect == "postgresql" else "text"
    return f"""INSERT INTO job_history_jobs (user_id, recipe_id, job_id, status, started_at, completed_at, title, report)
        SELECT {USER_ID}, 234, {100_000} + n, 'completed', '2018-05-21T00:00:00Z', '2018-05-21T00:30:00Z', 'one of many',
        CAST({text_of(store, report_bytes)} AS {json_type}) FROM {numbers(store, count)}"""


def many_lines(store: SqlStore) -> list[str]:
    """A line for each of 3,400 jobs: 3,000 of ten bytes, then 400 of a megabyte."""
    json_type = "json" if store.dialect == "postgresql" else "text"
    return [
        f"""INSERT INTO job_history_lines (user_id, job_id, line_index, input)
        SELECT {USER_ID}, {100_000} + n, 0, CAST({text_of(store, size)} AS {json_type}) FROM {numbers(store, 3_400)}
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


@both_databases
def test_lines_that_cannot_fit_into_a_document_are_not_read_into_memory(store: SqlStore) -> None:
    lines = tuple(example_job().lines[0]._replace(job_id=1, line_index=n, output=f'"{"x" * 10_000}"') for n in range(9))
    store.fill([job(1, lines=lines), job(2)])
    source = SqlJobSource(store.connect, dialect_for(store.connection_type), max_line_bytes=50_000)

    first, second = listed(source)

    assert (first.lines, first.lines_left_out, len(second.lines or []), second.lines_left_out) == ([], True, 2, False)


@every_empty_database
def test_views_over_another_schema(empty_store: SqlStore) -> None:
    postgres = empty_store.dialect == "postgresql"
    schema = "platform." if postgres else "platform_"
    moment = "to_timestamp({})" if postgres else "strftime('%Y-%m-%dT%H:%M:%fZ', {}, 'unixepoch')"
    empty_store.execute(
        *(["CREATE SCHEMA platform"] if postgres else []),
        f"CREATE TABLE {schema}runs (workspace text, recipe integer, handle text, state integer, t0 integer, t1 integer)",
        f"CREATE TABLE {schema}steps (handle text, number integer, app text, payload text)",
        f"INSERT INTO {schema}runs VALUES ('w-5234', 234, 'j-1', 1, 1526860800, 1526860810)",
        f"INSERT INTO {schema}runs VALUES ('w-5234', 234, 'j-2', 2, 1526860800, 1526864399)",
        f"INSERT INTO {schema}runs VALUES ('w-5234', 234, 'j-3', 1, 1526860800, 1526864400)",
        f"INSERT INTO {schema}runs VALUES ('w-5234', 234, 'j-4', 0, 1526860800, NULL)",
        f"INSERT INTO {schema}steps VALUES ('j-1', 2, 'b', '[2]'), ('j-1', 1, 'a', '[1]'), ('j-2', 1, 'c', '[3]')",
        f"""CREATE VIEW job_history_jobs AS SELECT {USER_ID} AS user_id, recipe AS recipe_id, handle AS job_id,
            NULL AS parent_id, NULL AS calling_job_id,
            CASE state WHEN 1 THEN 'succeeded' WHEN 2 THEN 'failed' ELSE 'running' END AS status,
            {moment.format("t0")} AS started_at, {moment.format("t1")} AS completed_at,
            NULL AS error_type, NULL AS error, 'run of ' || handle AS title, NULL AS is_poll_error, NULL AS report
            FROM {schema}runs WHERE workspace = 'w-{USER_ID}'""",
        f"""CREATE VIEW job_history_lines AS SELECT {USER_ID} AS user_id, handle AS job_id, number AS line_index,
            number AS recipe_line_number, app AS adapter_name, 'run' AS adapter_operation,
            payload AS input, NULL AS output, NULL AS error, NULL AS mask_data FROM {schema}steps""",
    )

    made = documents(listed(empty_store.source()))

    assert {
        key.rsplit("/", 1)[1]: [line["input"] for line in json.loads(body)["lines"]] for key, body in made.items()
    } == {
        "5234-234-j-1-20180521000000-succeeded.json": [[1], [2]],
        "5234-234-j-2-20180521000000-failed.json": [[3]],
    }


@pytest.mark.promise("same-documents-from-each-database")
def test_databases_give_the_same_documents(tmp_path: Path, postgres: PostgresServer) -> None:
    stores = [make(tmp_path, lambda: postgres, False) for make in STORES.values()]
    for store in stores:
        store.fill(sample())

    for hour in range(3):
        window = Window(START + timedelta(hours=hour), START + timedelta(hours=hour + 1))
        found = [listed(store.source(), window) for store in stores]
        made = [documents(records) for records in found]
        assert made[0] == made[1] == made[2]
        assert [len(records) for records in found] == [len(found[0])] * 3
        assert len(made[0]) > 50


def sample() -> Iterator[SampleJob]:
    end = START + timedelta(hours=3)
    return sample_jobs(7, USER_ID, recipe_ids=(234, 456), start=START - timedelta(hours=1), end=end, jobs_per_hour=100)
