"""The session of a database: its time zone and encoding, poolers between, names that need quoting."""

from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import psycopg2
import pytest
from psycopg.rows import dict_row
from psycopg2.extras import RealDictCursor
from tests.support.job_stores import MysqlStore, PostgresStore, SqlStore
from tests.support.pgbouncer import pgbouncer
from tests.support.source_suite import (
    HOUR,
    USER_ID,
    both_drivers,
    documents,
    error_of,
    every_database,
    every_mariadb,
    ids,
    job,
    listed,
)

from job_history.errors import PermanentError, QuarantineReason
from job_history.errors.code import Code
from job_history.sources.sql import mysql
from simulators.postgres import PostgresServer


@pytest.mark.promise("session-time-zone")
@both_drivers
def test_a_time_without_an_offset_is_utc_in_postgresql(store: PostgresStore) -> None:
    store.execute("ALTER TABLE job_history_jobs ALTER COLUMN completed_at TYPE timestamp")
    database = store.uri.split("?", maxsplit=1)[0].rpartition("/")[2]
    store.execute(f"ALTER DATABASE {database} SET timezone = 'America/New_York'")
    store.execute(
        f"INSERT INTO job_history_jobs (user_id, recipe_id, job_id, status, completed_at)"
        f" VALUES ({USER_ID}, 234, '1', 'completed', '2018-05-21 00:30:00')"
    )

    [record] = listed(store.source())

    assert record.completed_at == "2018-05-21T00:30:00.000000Z"


@pytest.mark.promise("session-time-zone")
@every_mariadb
@pytest.mark.parametrize(("time_type", "session"), [("timestamp(6) NULL", "-05:00"), ("datetime(6)", "+00:00")])
def test_the_servers_time_zone_changes_nothing_in_mariadb(store: MysqlStore, time_type: str, session: str) -> None:
    """The server's zone is -05:00: a `timestamp` was written in a session's zone, a `datetime` as UTC."""
    store.execute(f"ALTER TABLE job_history_jobs MODIFY completed_at {time_type}")
    written = "2018-05-20 19:30:00" if session == "-05:00" else "2018-05-21 00:30:00"
    store.execute(
        f"INSERT INTO job_history_jobs (user_id, recipe_id, job_id, status, completed_at)"
        f" VALUES ({USER_ID}, 234, '1', 'completed', '{written}')"
    )

    [record] = listed(store.source())

    assert record.completed_at == "2018-05-21T00:30:00.000000Z"


@every_mariadb
def test_zero_dates_are_unplaceable_and_months_of_zero_are_in_one_window(store: MysqlStore) -> None:
    store.fill([job(1), job(2), job(3)])
    with closing(store.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute("UPDATE job_history_jobs SET completed_at = '0000-00-00 00:00:00' WHERE job_id = '2'")
        connection.commit()

    assert ids(listed(store.source())) == ["1", "3"]
    found = store.source().unplaceable(USER_ID)
    assert (found.count, found.example_id) == (1, "2")


@pytest.mark.promise("session-time-zone")
@every_mariadb
def test_a_time_zone_that_mariadb_does_not_take_is_an_error(store: MysqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """As through a proxy that answers SET itself."""
    monkeypatch.setattr(mysql, "SETTINGS", [setting for setting in mysql.SETTINGS if "time_zone" not in setting])

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_READABLE)
    assert "'SYSTEM'" in error.detail or "'-05:00'" in error.detail


@pytest.mark.promise("session-time-zone")
@both_drivers
def test_a_time_zone_that_postgresql_does_not_take_is_an_error(store: PostgresStore) -> None:
    """As through a proxy that answers SET itself."""
    database = store.uri.split("?", maxsplit=1)[0].rpartition("/")[2]
    store.execute(f"ALTER DATABASE {database} SET timezone = 'Europe/Berlin'")
    connect = store.connect
    store.connect = lambda: Swallowing(connect())  # type: ignore[method-assign]

    error = error_of(store.source())

    assert (type(error), error.code) == (PermanentError, Code.SQL_NOT_READABLE)
    assert "'Europe/Berlin'" in error.detail


class Swallowing:
    """A connection that passes all statements on except SET TIME ZONE."""

    def __init__(self, wrapped: Any) -> None:
        self.__dict__["wrapped"] = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.wrapped, name, value)

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        return SwallowingCursor(self.wrapped.cursor(*args, **kwargs))


class SwallowingCursor(Swallowing):
    def execute(self, statement: str, parameters: Any = None) -> None:
        if "TIME ZONE" not in statement:
            self.wrapped.execute(statement, parameters)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.wrapped.close()


@both_drivers
def test_the_cursor_that_a_connection_names_changes_nothing_in_postgresql(store: PostgresStore) -> None:
    """Airflow's hook passes the extra `cursor` on to the driver."""
    store.fill([job(1)])
    factories = {psycopg: {"row_factory": dict_row}, psycopg2: {"cursor_factory": RealDictCursor}}
    store.connect = lambda: store.driver.connect(store.uri, **factories[store.driver])  # type: ignore[method-assign]

    assert ids(listed(store.source())) == ["1"]


@every_mariadb
def test_names_of_columns_in_upper_case_keep_their_types(store: MysqlStore) -> None:
    store.execute("ALTER TABLE job_history_jobs CHANGE completed_at COMPLETED_AT datetime(6)")
    store.fill([job(1)])

    assert [record.completed_at for record in listed(store.source())] == ["2018-05-21T00:30:10.000000Z"]


@both_drivers
def test_styles_of_a_database_or_login_change_no_document(store: PostgresStore) -> None:
    """As of `date`, `interval`, bytes and floating-point numbers in columns that only this store has."""
    store.execute(
        "ALTER TABLE job_history_jobs ADD COLUMN took interval DEFAULT '1 day 2:03'",
        "ALTER TABLE job_history_jobs ADD COLUMN raw bytea DEFAULT 'abc'",
        "ALTER TABLE job_history_jobs ADD COLUMN ratio float8 DEFAULT 0.1::float8 + 0.2",
        "ALTER TABLE job_history_jobs ALTER COLUMN title TYPE date USING '2018-05-21'",
    )
    store.fill([job(1, title="2018-05-21")])
    before = documents(listed(store.source()))

    database = store.uri.split("?", maxsplit=1)[0].rpartition("/")[2]
    for setting in (
        "datestyle = 'German, DMY'",
        "intervalstyle = 'iso_8601'",
        "bytea_output = 'escape'",
        "extra_float_digits = 0",
        "standard_conforming_strings = off",
    ):
        store.execute(f"ALTER DATABASE {database} SET {setting}")

    assert documents(listed(store.source())) == before
    assert b'"title":"2018-05-21"' in next(iter(before.values()))


@every_mariadb
def test_limits_of_a_mariadb_session_lose_no_row(store: MysqlStore) -> None:
    """As a server's configuration or the hook's `init_command` sets them."""
    long_ids = ["x" * 80 + str(number) for number in range(9, 0, -1)]
    store.fill(job(job_id) for job_id in long_ids)
    connect = store.connect

    def limited() -> Any:
        connection = connect()
        with closing(connection.cursor()) as cursor:
            cursor.execute("SET SESSION sql_select_limit = 2, max_sort_length = 64, sql_big_selects = 0")
        return connection

    store.connect = limited  # type: ignore[method-assign]

    records = listed(store.source())

    assert ids(records) == sorted(long_ids)
    assert {len(record.lines or []) for record in records} == {2}


# Encodings


@pytest.mark.parametrize("driver", [psycopg, psycopg2], ids=["psycopg", "psycopg2"])
@pytest.mark.parametrize("name", ["größe", "日本"])
def test_a_column_name_of_a_database_without_an_encoding(postgres: PostgresServer, driver: Any, name: str) -> None:
    store = PostgresStore(postgres, driver, encoding="SQL_ASCII")
    store.execute(f"ALTER TABLE job_history_jobs ADD COLUMN \"{name}\" text DEFAULT 'ü'")
    store.fill([job(1)])
    store.source().check_readable(line_details=True)

    [record] = listed(store.source())

    assert record.extra == {name: '"ü"'}


@pytest.mark.parametrize("driver", [psycopg, psycopg2], ids=["psycopg", "psycopg2"])
def test_a_database_without_an_encoding_is_read_as_utf_8(postgres: PostgresServer, driver: Any) -> None:
    store = PostgresStore(postgres, driver, encoding="SQL_ASCII")
    store.fill([job(1, title="Bücher 🚀"), job(2), job(3)])
    with psycopg.connect(store.uri) as connection:
        connection.execute(b"SET client_encoding = 'SQL_ASCII'")
        connection.execute(b"UPDATE job_history_jobs SET title = 'caf\xe9' WHERE job_id = '2'")

    records = {str(record.job_id): record for record in listed(store.source())}

    assert (records["1"].title, records["1"].fault, records["3"].fault) == ("Bücher 🚀", None, None)
    assert records["2"].fault is QuarantineReason.BAD_TEXT


# PgBouncer


@pytest.mark.pgbouncer
@pytest.mark.parametrize("driver", [psycopg, psycopg2], ids=["psycopg", "psycopg2"])
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_pgbouncer_serves_listings_and_many_counts(
    postgres: PostgresServer, tmp_path: Path, driver: Any, mode: str
) -> None:
    store = PostgresStore(postgres, driver)
    store.fill(job(number) for number in range(500))
    with pgbouncer(postgres, tmp_path, mode=mode) as port:
        direct, store.uri = store.uri, through(store.uri, port)
        source = store.source()
        accounts = list(range(USER_ID, USER_ID + 1_200))  # a statement that psycopg 3 would prepare after five times

        assert [sum(source.counts(accounts, HOUR)) for _ in range(3)] == [500] * 3
        through_pooler = documents(listed(source))

    store.uri = direct
    assert through_pooler == documents(listed(store.source()))


@pytest.mark.pgbouncer
@pytest.mark.parametrize("driver", [psycopg, psycopg2], ids=["psycopg", "psycopg2"])
def test_pgbouncer_in_statement_mode_is_refused(postgres: PostgresServer, tmp_path: Path, driver: Any) -> None:
    store = PostgresStore(postgres, driver)
    with pgbouncer(postgres, tmp_path, mode="statement") as port:
        store.uri = through(store.uri, port)
        error = error_of(store.source())

    # psycopg 2 drops the pooler's message, and knows only that the connection is lost.
    expected = Code.SQL_NOT_READABLE if driver is psycopg else Code.SQL_AWAY
    assert error.code is expected


def through(uri: str, port: int) -> str:
    database = uri.split("?", maxsplit=1)[0].rpartition("/")[2]
    return f"postgresql://postgres@127.0.0.1:{port}/{database}"


# Names


@every_database
@pytest.mark.parametrize("name", ['a"b', "a`b", 'x" FROM job_history_lines; --', "100%", "%%", "a b", "größe", "it's?"])
def test_the_name_of_an_extra_column_is_quoted(store: SqlStore, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    store.execute(f"ALTER TABLE job_history_jobs ADD COLUMN {quoted} integer DEFAULT 7")
    store.fill([job(1)])
    store.source().check_readable(line_details=True)

    [record] = listed(store.source())

    assert record.extra == {name: "7"}


@both_drivers
def test_a_column_that_differs_only_in_case_is_one_of_this_store_alone(store: SqlStore) -> None:
    store.execute(
        "ALTER TABLE job_history_jobs ADD COLUMN \"Status\" text DEFAULT 'x'",
        "ALTER TABLE job_history_jobs ADD COLUMN \"Completed_At\" text DEFAULT 'y'",
    )
    store.fill([job(1)])

    [record] = listed(store.source())

    assert record.extra == {"Status": '"x"', "Completed_At": '"y"'}
    assert record.status == "completed"
