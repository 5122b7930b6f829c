"""What a database refuses or lacks: the error's code, and whether a retry can help."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.job_stores import PostgresStore, SqliteStore, SqlStore
from tests.support.source_suite import HOUR, USER_ID, both_drivers, error_of, every_database, ids, job, listed

from job_history.errors import PermanentError, TransientError
from job_history.errors.code import Code
from job_history.model.job import JobRecord
from job_history.sources import Source
from job_history.sources.sql import SqlJobSource, dialect_for

ABOUT = f"Reading the jobs of account {USER_ID} in {HOUR} failed:"


@every_database
@pytest.mark.parametrize("relation", ["job_history_jobs", "job_history_lines"])
def test_a_missing_relation_is_named(store: SqlStore, relation: str) -> None:
    store.execute(f"DROP TABLE {relation}")

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_FOUND)
    assert str(error).startswith(ABOUT)
    assert relation in error.detail


@every_database
def test_a_missing_column_that_the_window_needs_is_named(store: SqlStore) -> None:
    store.drop_index("job_history_jobs_completed", "job_history_jobs")
    store.execute("ALTER TABLE job_history_jobs RENAME COLUMN completed_at TO ended")

    error = error_of(store.source())

    assert type(error) is PermanentError
    assert error.code in (Code.SQL_NOT_FOUND, Code.SQL_COLUMN_MISSING)
    assert "completed_at" in error.detail


@every_database
@pytest.mark.parametrize(
    ("relation", "columns", "names"),
    [
        ("job_history_jobs", ["title"], "column title"),
        ("job_history_jobs", ["report", "status"], "columns status, report"),
        ("job_history_lines", ["mask_data"], "column mask_data"),
    ],
)
def test_missing_columns_are_named(store: SqlStore, relation: str, columns: list[str], names: str) -> None:
    store.execute(*(f"ALTER TABLE {relation} DROP COLUMN {column}" for column in columns))

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_COLUMN_MISSING)
    assert error.detail == f"relation {relation} lacks the {names}"


@every_database
def test_a_column_named_as_a_field_of_the_document_is_refused(store: SqlStore) -> None:
    store.execute("ALTER TABLE job_history_jobs ADD COLUMN flow_id integer")

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_COLUMN_CLASHES)
    assert "'flow_id'" in error.detail


@both_drivers
def test_job_ids_of_two_types_are_an_error_and_lose_no_lines(store: SqlStore) -> None:
    store.fill([job(1)])
    store.execute("ALTER TABLE job_history_lines ALTER COLUMN job_id TYPE bigint USING job_id::bigint")

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_READABLE)
    assert error.detail.endswith("(UndefinedFunction, SQLSTATE 42883)")


def test_a_sqlite_file_in_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    source = SqlJobSource(lambda: sqlite3.connect(tmp_path / "no" / "store.sqlite"), dialect_for("sqlite"))

    error = error_of(source)

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_FOUND)


@both_drivers
def test_an_unknown_database_is_permanent(store: PostgresStore) -> None:
    store.uri = store.uri.replace("/store_", "/no_store_")
    name = store.uri.split("/")[3].split("?")[0]

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_LET_IN)
    assert f'database "{name}" does not exist' in error.detail


@both_drivers
def test_an_unknown_login_is_permanent(store: PostgresStore) -> None:
    store.uri = store.uri.replace("//postgres@", "//nobody@")

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_LET_IN)
    assert 'role "nobody" does not exist' in error.detail


@both_drivers
def test_an_unreachable_server_is_transient(store: PostgresStore, tmp_path: Path) -> None:
    store.uri = f"postgresql://postgres@/store?host={tmp_path}"

    error = error_of(store.source())

    assert (type(error), error.code) == (TransientError, Code.SQL_AWAY)
    assert str(error).startswith(ABOUT)


@both_drivers
def test_a_connection_lost_in_the_middle_is_transient(store: SqlStore) -> None:
    store.fill(job(number) for number in range(3_000))

    def lose_connection(source: Source[JobRecord]) -> None:
        with source.listing(USER_ID, HOUR, line_details=True) as listing:
            jobs = iter(listing)
            assert (listing.counted, next(jobs).job_id) == (3_000, "0")
            store.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
            list(jobs)

    with pytest.raises(TransientError) as raised:
        lose_connection(store.source())

    assert raised.value.code == Code.SQL_AWAY
    assert str(raised.value).startswith(ABOUT)
    assert len(listed(store.source())) == 3_000


def test_a_locked_sqlite_file_is_transient(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.fill([job(1)])
    source = SqlJobSource(lambda: sqlite3.connect(store.path, timeout=0.1), dialect_for("sqlite"))
    with closing(sqlite3.connect(store.path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        error = error_of(source)

    assert (type(error), error.code) == (TransientError, Code.SQL_AWAY)
    assert ids(listed(source)) == ["1"]


@pytest.mark.parametrize(
    "view",
    [
        "SELECT *, no_such_function(1) AS extra FROM t",
        "SELECT t.*, status AS extra FROM t, t AS u",
        "SELECT * FROM t ORDER BY title COLLATE no_such_collation",
    ],
)
def test_a_view_that_sqlite_cannot_run_is_permanent(tmp_path: Path, view: str) -> None:
    store = SqliteStore(tmp_path)
    store.execute("ALTER TABLE job_history_jobs RENAME TO t", f"CREATE VIEW job_history_jobs AS {view}")

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_READABLE)


@both_drivers
def test_a_locked_table_is_transient(store: PostgresStore) -> None:
    store.fill([job(1)])
    database = store.uri.split("?", maxsplit=1)[0].rpartition("/")[2]
    store.execute(f"ALTER DATABASE {database} SET lock_timeout = '100ms'")
    with closing(store.writer()) as other:
        other.execute("LOCK TABLE job_history_jobs IN ACCESS EXCLUSIVE MODE")
        error = error_of(store.source())

    assert (type(error), error.code) == (TransientError, Code.SQL_AWAY)


@both_drivers
@pytest.mark.parametrize("parameter", ["sslmode=foo", "options=-c%20foo%3D1", "client_encoding=foo"])
def test_a_wrong_parameter_of_the_connection_is_permanent(store: PostgresStore, parameter: str) -> None:
    store.uri += ("&" if "?" in store.uri else "?") + parameter

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_LET_IN)


@both_drivers
def test_a_login_without_the_right_to_connect_is_permanent(store: PostgresStore) -> None:
    database = store.uri.split("?", maxsplit=1)[0].rpartition("/")[2]
    role = f"limited_{database}"
    store.execute(f"CREATE ROLE {role} LOGIN", f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")
    store.uri = store.uri.replace("postgres@", f"{role}@")

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_LET_IN)
