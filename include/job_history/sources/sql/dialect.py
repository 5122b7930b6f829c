"""What differs between databases: how a snapshot is opened, how a window is asked for, how columns are read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple, Protocol

from job_history.model.timestamp import format_time, parse_time
from job_history.model.window import Window

Parameters = tuple[Any, ...]


class Relation(NamedTuple):
    """A relation under its alias. The first of `moments` puts a row into a window; another stands in where it is unreadable."""

    name: str
    alias: str
    moment_columns: tuple[str, ...]

    @property
    def user_id(self) -> str:
        return f"{self.alias}.user_id"

    @property
    def moments(self) -> list[str]:
        return [f"{self.alias}.{column}" for column in self.moment_columns]

    @property
    def moment(self) -> str:
        return self.moments[0]

    def __str__(self) -> str:
        return f"{self.name} {self.alias}"


class Dialect(Protocol):
    """One kind of database. Column arguments are qualified names, as `j.report`."""

    streams_by_named_cursor: bool
    gives_any_as_json: bool

    def open_snapshot(self, connection: Any) -> None:
        """Begin a read-only transaction in which each query sees the same rows."""
        ...

    def within(self, relation: Relation, user_id: int, window: Window) -> tuple[str, Parameters]:
        """Return the condition that holds for the account's rows of a window, and its parameters."""
        ...

    def text(self, column: str) -> str: ...

    def json_text(self, column: str) -> str: ...

    def moment(self, column: str) -> str: ...

    def any_as_json(self, column: str) -> str:
        """Return an expression that gives any value as JSON text where the database can, else the column."""
        ...


class PostgresDialect:
    """PostgreSQL, with psycopg 2 or 3. Times are `timestamptz`, JSON columns json, jsonb or text."""

    streams_by_named_cursor = True
    gives_any_as_json = True

    def open_snapshot(self, connection: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # How a time is written, in a column that only this store has, must not depend on who reads it.
            cursor.execute("SET LOCAL TIME ZONE 'UTC'")
            # All rows are read. Plans for the first tenth of them, as are usual for cursors, take minutes for 60,000 jobs
            # where the tables have no statistics yet.
            cursor.execute("SET LOCAL cursor_tuple_fraction = 1")

    def within(self, relation: Relation, user_id: int, window: Window) -> tuple[str, Parameters]:
        # Texts, so that PostgreSQL reads them as the column's own type: user_id may be an integer, numeric or text.
        return (
            f"{relation.user_id} = %s AND {relation.moment} >= %s AND {relation.moment} < %s",
            (str(user_id), format_time(window.start), format_time(window.end)),
        )

    def text(self, column: str) -> str:
        return f"{column}::text"

    def json_text(self, column: str) -> str:
        # As text: a driver would parse it, and lose big integers, decimals and key order.
        return f"{column}::text"

    def moment(self, column: str) -> str:
        # `infinity`, which no driver can hold, becomes an empty text: a bad time of one record, not a fault of the query.
        return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

    def any_as_json(self, column: str) -> str:
        return f"to_json({column})::text"


class _ColumnsAsTheyCome:
    """For a database whose driver hands over texts, and JSON as the text it is."""

    streams_by_named_cursor = False
    gives_any_as_json = False

    def text(self, column: str) -> str:
        return column

    def json_text(self, column: str) -> str:
        return column

    def moment(self, column: str) -> str:
        return column

    def any_as_json(self, column: str) -> str:
        return column


class SqliteDialect(_ColumnsAsTheyCome):
    """SQLite, with ISO 8601 text in any offset as times.

    A row whose moment cannot be read belongs to the window of its other moment (a job's `started_at`), if it has one, so
    that it is set aside once, in plain sight, and not lost.
    """

    def open_snapshot(self, connection: Any) -> None:
        connection.create_function("job_history_moment", -1, _microseconds_of_first, deterministic=True)
        # A text that is no UTF-8 is the fault of one record, not of the query.
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        connection.execute("PRAGMA query_only = ON")
        # Kilobytes, for the sorter too: it sorts in runs of this size, and holds a record of each run in the end. With the
        # usual 2 MB, a gigabyte of large lines would be 500 of them at once.
        connection.execute("PRAGMA cache_size = -8000")
        connection.execute("BEGIN")

    def within(self, relation: Relation, user_id: int, window: Window) -> tuple[str, Parameters]:
        moment = relation.moment
        # The comparison of texts is only there for speed, a day wide on either side for the sake of offsets.
        condition = f"""{relation.user_id} IN (?, ?) AND {moment} IS NOT NULL
            AND (({moment} >= ? AND {moment} < ?)
                 OR {moment} NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ]*')
            AND job_history_moment({", ".join(relation.moments)}) BETWEEN ? AND ?"""
        return condition, (
            # A whole number of SQLite has 64 bits; a longer id can only be there as text.
            user_id if user_id < 2**63 else str(user_id),
            str(user_id),
            f"{window.start - timedelta(days=1):%Y-%m-%d}",
            f"{window.end + timedelta(days=2):%Y-%m-%d}",
            _microseconds(format_time(window.start)),
            _microseconds(format_time(window.end)) - 1,
        )


class PlainDialect(_ColumnsAsTheyCome):
    """Any other database with a DbApiHook: plain SQL, times as the driver's own, no server-side cursor."""

    def __init__(self, placeholder: str = "%s") -> None:
        self._placeholder = placeholder

    def open_snapshot(self, connection: Any) -> None:
        """Leave it at the database's own default isolation."""

    def within(self, relation: Relation, user_id: int, window: Window) -> tuple[str, Parameters]:
        mark, moment = self._placeholder, relation.moment
        condition = f"{relation.user_id} = {mark} AND {moment} >= {mark} AND {moment} < {mark}"
        return condition, (user_id, window.start, window.end)


def dialect_for(connection_type: str, placeholder: str = "%s") -> Dialect:
    """Return the dialect for an Airflow connection type."""
    if connection_type == "sqlite":
        return SqliteDialect()
    if connection_type == "postgres":
        return PostgresDialect()
    return PlainDialect(placeholder)


def _microseconds_of_first(*moments: object) -> int | None:
    for moment in moments:
        try:
            return _microseconds(str(moment))
        except ValueError:
            continue
    return None


def _microseconds(text: str) -> int:
    moment = parse_time(text)
    return (moment.toordinal() * 86_400 + moment.hour * 3_600 + moment.minute * 60 + moment.second) * 1_000_000 + (
        moment.microsecond
    )
