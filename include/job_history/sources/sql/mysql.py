"""MySQL and MariaDB, with mysqlclient or mysql-connector-python, either of which Airflow's hook may use."""

from __future__ import annotations

from contextlib import closing
from importlib import import_module
from typing import Any

from job_history.errors import PermanentError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.model.window import Window
from job_history.sources.sql.dialect import BaseDialect, ColumnTypes, Condition, Relation

# Type codes of columns, the same in both drivers.
_TIMESTAMP, _DATETIME = 7, 12
_NUMBERS = {0, 1, 2, 3, 4, 5, 8, 9, 13, 16, 246}
SETTINGS = (
    # How statements and texts are read must not depend on the server's settings.
    "SET SESSION sql_mode = ''",
    "SET SESSION time_zone = '+00:00'",
    # All rows, in the order of whole ids.
    "SET SESSION sql_select_limit = 18446744073709551615",
    "SET SESSION sql_big_selects = 1",
    "SET SESSION max_sort_length = 1024",
    # A result is read while documents are staged: the server may wait that long for the next read.
    "SET SESSION net_write_timeout = 3600",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)


class MysqlDialect(BaseDialect):
    """Times are `datetime` (UTC) or `timestamp`; JSON columns json or text.

    Tables must be InnoDB's, for the snapshot.
    """

    streams_one_at_a_time = True
    clock_query: str | None = "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)"

    def open_snapshot(self, connection: Any) -> None:
        if _is_connector(connection):
            connection.set_charset_collation("utf8mb4")
        else:
            connection.set_character_set("utf8mb4")
        with closing(self.cursor(connection)) as cursor:
            for statement in SETTINGS:
                cursor.execute(statement)
            cursor.execute("SELECT @@session.time_zone")
            [(time_zone,)] = cursor.fetchall()
        if time_zone != "+00:00":
            detail = f"the database did not take the session's time zone: it has {time_zone!r} instead of '+00:00'"
            raise PermanentError(
                f"{detail[0].upper()}{detail[1:]}. Read it without a proxy that changes sessions.",
                code=Code.SQL_NOT_READABLE,
                detail=detail,
            )

    def limit_time(self, connection: Any, seconds: int) -> None:
        with closing(self.cursor(connection)) as cursor:
            cursor.execute("SELECT VERSION()")
            [(version,)] = cursor.fetchall()
            mariadb = "mariadb" in str(version).lower()
            cursor.execute(
                f"SET SESSION max_statement_time = {seconds}"
                if mariadb
                else f"SET SESSION max_execution_time = {seconds * 1_000}"
            )

    def cursor(self, connection: Any) -> Any:
        if _is_connector(connection):
            return _ConnectorCursor(connection.cursor(buffered=True, dictionary=False))
        return connection.cursor(_cursors(connection).Cursor)

    def stream(self, connection: Any, name: str) -> Any:  # noqa: ARG002 - cursors have no names
        if _is_connector(connection):
            return _ConnectorStream(connection)
        return _ClientStream(connection, connection.cursor(_cursors(connection).SSCursor))

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``").replace("%", "%%") + "`"

    def of_account(self, relation: Relation, user_id: int, types: ColumnTypes) -> Condition:
        # A text is compared with a text and a number with a number: else both would become doubles.
        value = user_id if types.get("user_id") in _NUMBERS else str(user_id)
        return Condition(f"{relation.alias}.user_id = %s", (value,))

    def has_time_type(self, type_code: Any) -> bool:
        return type_code in {_TIMESTAMP, _DATETIME}

    def within(self, relation: Relation, window: Window) -> Condition:
        start, end = (f"{moment:%Y-%m-%d %H:%M:%S.%f}" for moment in (window.start, window.end))
        return Condition(f"{relation.moment} >= %s AND {relation.moment} < %s", (start, end))

    def unplaceable(self, relation: Relation) -> str:
        # A zero date is before the year 1, and `IS NULL` can be true for it.
        return f"({relation.moment} IS NULL OR {relation.moment} < '0001-01-01')"

    def one_of(self, column: str, values: list[str]) -> Condition:
        marks = ", ".join("%s" for _ in values)
        return Condition(f"{self.raw_moment(column)} IN ({marks})", tuple(value.encode() for value in values))

    def days_around(self, relation: Relation, first_day: str, last_day: str) -> Condition:
        raw = self.raw_moment(relation.moment)
        return Condition(
            f"(({raw} >= %s AND {raw} < %s) OR {raw} < '0' OR {raw} >= ':')", (first_day.encode(), last_day.encode())
        )

    def moment(self, column: str) -> str:
        return f"CONCAT(REPLACE(CAST({column} AS CHAR), ' ', 'T'), 'Z')"

    def raw_moment(self, column: str) -> str:
        # Bytes: a collation would take some texts for the same that are not.
        return f"CAST(CAST({column} AS CHAR) AS BINARY)"

    def same(self, left: str, right: str) -> str:
        # The first condition can use an index; the second knows upper case from lower case.
        return f"{left} = {right} AND CAST({left} AS BINARY) = CAST({right} AS BINARY)"

    def order(self, column: str) -> str:
        return f"CAST({column} AS BINARY)"

    def check_joinable(self, jobs: ColumnTypes, lines: ColumnTypes) -> None:
        for name in ("user_id", "job_id"):
            if (jobs.get(name) in _NUMBERS) != (lines.get(name) in _NUMBERS):
                detail = f"{name} is a number in one of job_history_jobs and job_history_lines, and a text in the other"
                raise PermanentError(
                    f"Lines cannot be joined to jobs: {detail}. {fix_of(Code.SQL_NOT_READABLE)}",
                    code=Code.SQL_NOT_READABLE,
                    detail=detail,
                )


class _ClientStream:
    """A server-side cursor of mysqlclient.

    Closed before its end it would read the rest, so it closes the connection.
    """

    def __init__(self, connection: Any, cursor: Any) -> None:
        self._connection = connection
        self._cursor = cursor
        self._ended = True

    def execute(self, statement: str, parameters: Any) -> None:
        self._ended = False
        self._cursor.execute(statement, parameters)

    def fetchmany(self, size: int) -> Any:
        rows = self._cursor.fetchmany(size)
        self._ended = not rows
        return rows

    def close(self) -> None:
        if self._ended:
            self._cursor.close()
        else:
            self._connection.close()


class _ConnectorCursor:
    """A cursor of mysql-connector-python, which would leave `%%` in a statement as it is."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, statement: str, parameters: Any = None) -> None:
        self._cursor.execute(statement.replace("%%", "%"), parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


class _ConnectorStream(_ClientStream):
    """A server-side cursor of mysql-connector-python. Closed before its end it would fail."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection, _ConnectorCursor(connection.cursor(buffered=False, dictionary=False)))

    def close(self) -> None:
        if self._ended:
            self._cursor.close()
        else:
            self._connection.shutdown()


def _is_connector(connection: Any) -> bool:
    return type(connection).__module__.startswith("mysql.")


def _cursors(connection: Any) -> Any:
    return import_module(f"{type(connection).__module__.split('.', maxsplit=1)[0]}.cursors")
