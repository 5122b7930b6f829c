"""PostgreSQL, with psycopg 2 or 3, directly or through PgBouncer in transaction mode."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.sources.sql.dialect import BaseDialect, ColumnTypes, Condition, Relation, RowDecoder
from job_history.sources.sql.values import Row

_TIMESTAMP, _TIMESTAMPTZ = 1114, 1184  # type OIDs
_FIRST, _AFTER_LAST = "'0001-01-01T00:00:00Z'", "'10000-01-01T00:00:00Z'"
_OUTSIDE = "outside the years 1 to 9999"
# How dates, intervals, bytes and floating-point numbers are written: a login or a database may have other settings.
_STYLES = ("datestyle = 'ISO, MDY'", "intervalstyle = 'postgres'", "bytea_output = 'hex'", "extra_float_digits = 1")


class PostgresDialect(BaseDialect):
    """Times are `timestamptz` or `timestamp` (UTC); JSON columns json, jsonb or text."""

    gives_any_as_json = True
    # When the transaction began: not after the snapshot that it sees.
    clock_query: str | None = """SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')"""

    def open_snapshot(self, connection: Any) -> RowDecoder | None:
        connection.autocommit = False
        ascii_only = _set_up_driver(connection)
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            # A value in a column that only this store has must not depend on who reads it.
            cursor.execute("SET LOCAL TIME ZONE 'UTC'")
            for setting in _STYLES:
                cursor.execute(f"SET LOCAL {setting}")
            # All rows are read. Plans for the first tenth of them, as are usual for cursors, take minutes for 60,000
            # jobs if the tables have no statistics yet.
            cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
            cursor.execute(
                "SELECT current_setting('TimeZone'), current_setting('transaction_isolation'),"
                " current_setting('transaction_read_only'), current_setting('client_encoding')"
            )
            found = tuple(cursor.fetchone())
        wanted = ("UTC", "repeatable read", "on", "LATIN1" if ascii_only else "UTF8")
        if found != wanted:
            detail = f"the database did not take the session's settings: it has {found} instead of {wanted}"
            raise PermanentError(
                f"{detail[0].upper()}{detail[1:]}. Read it directly, or through a pooler in session or transaction "
                "mode.",
                code=Code.SQL_NOT_READABLE,
                detail=detail,
            )
        return _decoded if ascii_only else None

    def limit_time(self, connection: Any, seconds: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {seconds * 1_000}")

    def stream(self, connection: Any, name: str) -> Any:
        return connection.cursor(name=name)

    def quoted(self, name: str) -> str:
        return super().quoted(name).replace("%", "%%")

    def has_time_type(self, type_code: Any) -> bool:
        return type_code in {_TIMESTAMP, _TIMESTAMPTZ}

    def of_account(self, relation: Relation, user_id: int, types: ColumnTypes) -> Condition:  # noqa: ARG002 - read as the column's type
        # As text, so that PostgreSQL reads it as the column's own type: user_id may be an integer, numeric or text.
        return Condition(f"{relation.alias}.user_id = %s", (str(user_id),))

    def within(self, relation: Relation, window: Window) -> Condition:
        return Condition(
            f"{relation.moment} >= %s AND {relation.moment} < %s",
            (format_time(window.start), format_time(window.end)),
        )

    def unplaceable(self, relation: Relation) -> str:
        moment = relation.moment
        return f"({moment} IS NULL OR {moment} < {_FIRST} OR {moment} >= {_AFTER_LAST})"

    def one_of(self, column: str, values: list[str]) -> Condition:
        return Condition(f"{self.raw_moment(column)} = ANY(%s)", (values,))

    def days_around(self, relation: Relation, first_day: str, last_day: str) -> Condition:
        raw = f'{self.raw_moment(relation.moment)} COLLATE "C"'
        return Condition(
            f"(({raw} >= %s AND {raw} < %s) OR {raw} < '0' OR {raw} >= ':')",
            (first_day, last_day),
        )

    def text(self, column: str) -> str:
        return f"{column}::text"

    def json_text(self, column: str) -> str:
        # As text: a driver would parse it, and lose big integers, decimals and key order.
        return f"{column}::text"

    def moment(self, column: str) -> str:
        # No driver can hold `infinity`, and to_char writes years before 1 as if they were after it: both are bad times
        # of one record, not an error of the query.
        return (
            f"CASE WHEN {column} >= {_FIRST} AND {column} < {_AFTER_LAST}"
            f""" THEN to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
            f" WHEN {column} IS NOT NULL THEN '{_OUTSIDE}' END"
        )

    def raw_moment(self, column: str) -> str:
        return f"{column}::text"

    def any_as_json(self, column: str) -> str:
        return f"to_json({column})::text"


def _set_up_driver(connection: Any) -> bool:
    """Have the driver return tuples and decode texts; return whether the database has no encoding (SQL_ASCII).

    Such a database converts nothing: its bytes come as one character each, and are decoded here, value by value.
    """
    if hasattr(connection, "prepare_threshold"):  # psycopg 3
        ascii_only = connection.info.parameter_status("server_encoding") == "SQL_ASCII"
        # PgBouncer would give a later transaction another server connection, which has not prepared it.
        connection.prepare_threshold = None
        connection.row_factory = import_module("psycopg.rows").tuple_row
        connection.execute(f"SET LOCAL client_encoding = '{'LATIN1' if ascii_only else 'UTF8'}'")
    else:
        ascii_only = connection.get_parameter_status("server_encoding") == "SQL_ASCII"
        connection.cursor_factory = None
        connection.set_client_encoding("LATIN1" if ascii_only else "UTF8")
    return bool(ascii_only)


def _decoded(row: Row) -> Row:
    return tuple(
        value.encode("latin-1").decode("utf-8", "surrogateescape") if type(value) is str else value for value in row
    )
