"""What differs between databases: how a snapshot is opened, how columns are read, how rows of a window are selected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from job_history.model.window import Window
from job_history.sources.sql.time_forms import TimeForm
from job_history.sources.sql.values import Row

Parameters = tuple[Any, ...]
RowDecoder = Callable[[Row], Row]
"""Makes texts of a row what they are; for a database whose driver cannot."""
ColumnTypes = Mapping[str, Any]
"""The driver's type code of each column, by the column's name."""


class Condition(NamedTuple):
    """The text after WHERE, and its parameters in order."""

    text: str
    parameters: Parameters = ()


class Relation(NamedTuple):
    """A relation under its alias. `moment_column` decides to which window a row belongs."""

    name: str
    alias: str
    id_column: str = ""
    moment_column: str = ""

    @property
    def id(self) -> str:
        return f"{self.alias}.{self.id_column}"

    @property
    def moment(self) -> str:
        return f"{self.alias}.{self.moment_column}"

    def __str__(self) -> str:
        return f"{self.name} {self.alias}"


class Dialect(Protocol):
    """One kind of database. Arguments named `column` are qualified and quoted names, as `j.report`."""

    gives_any_as_json: bool
    streams_one_at_a_time: bool
    """A connection can read only one result row by row; the next query must wait for its end."""
    clock_query: str | None
    """Gives the time of the database in UTC, as ISO 8601 text; None: no query is known."""
    is_local: bool
    """The database is a file, and its connection is for the thread that opened it."""
    computes_forms: bool
    """A query can read a time in any form: `within_form` and `unreadable` are there."""

    def open_snapshot(self, connection: Any) -> RowDecoder | None:
        """Begin a read-only transaction in which each query sees the same rows, with UTC as its time zone.

        Raises PermanentError if the database did not take a setting.
        """
        ...

    def limit_time(self, connection: Any, seconds: int) -> None:
        """Have the database end each later query of the snapshot after this long."""
        ...

    def cursor(self, connection: Any) -> Any:
        """Return a cursor for a result that fits into memory; its rows are tuples."""
        ...

    def stream(self, connection: Any, name: str) -> Any:
        """Return a cursor that leaves the rows at the server until they are fetched."""
        ...

    def quoted(self, name: str) -> str: ...

    def of_account(self, relation: Relation, user_id: int, types: ColumnTypes) -> Condition: ...

    def has_time_type(self, type_code: Any) -> bool:
        """Return whether a column's type is one of times; if not, its values have a form."""
        ...

    def within(self, relation: Relation, window: Window) -> Condition:
        """Return the condition for the rows of a window, for a column with a time type."""
        ...

    def unplaceable(self, relation: Relation) -> str:
        """Return the condition for rows that no window can have, for a column with a time type."""
        ...

    def within_form(self, relation: Relation, window: Window, form: TimeForm) -> Condition: ...

    def unreadable(self, relation: Relation, form: TimeForm) -> Condition: ...

    def one_of(self, column: str, values: list[str]) -> Condition:
        """Return the condition for rows whose `raw_moment` is one of the values."""
        ...

    def days_around(self, relation: Relation, first_day: str, last_day: str) -> Condition:
        """Return a condition for all rows whose `raw_moment` begins with a day from `first_day` on, before `last_day`.

        It may hold for others; it holds for each that does not begin with a digit.
        """
        ...

    def text(self, column: str) -> str: ...

    def json_text(self, column: str) -> str: ...

    def moment(self, column: str) -> str:
        """Return ISO 8601 text of a column with a time type."""
        ...

    def raw_moment(self, column: str) -> str:
        """Return a column without a time type as the text, or number, that it holds."""
        ...

    def any_as_json(self, column: str) -> str:
        """Return an expression that gives any value as JSON text if the database can, else the column."""
        ...

    def same(self, left: str, right: str) -> str:
        """Return the condition that two ids are the same, letter for letter."""
        ...

    def order(self, column: str) -> str:
        """Return what to order by, so that two queries have ids in one order."""
        ...

    def check_joinable(self, jobs: ColumnTypes, lines: ColumnTypes) -> None:
        """Raise PermanentError if ids of the two relations have types that the database would compare by guesses."""
        ...


class BaseDialect:
    """What most databases have in common."""

    gives_any_as_json = False
    streams_one_at_a_time = False
    is_local = False
    computes_forms = False
    clock_query: str | None = None

    def limit_time(self, connection: Any, seconds: int) -> None:
        """Set no limit."""

    def cursor(self, connection: Any) -> Any:
        return connection.cursor()

    def stream(self, connection: Any, name: str) -> Any:  # noqa: ARG002 - a name for those that have server-side cursors
        return connection.cursor()

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def has_time_type(self, type_code: Any) -> bool:  # noqa: ARG002 - not known here
        return True

    # A dialect with computes_forms has the next two, any other the two after them; snapshot.py calls no others.
    def within_form(self, relation: Relation, window: Window, form: TimeForm) -> Condition:
        raise NotImplementedError

    def unreadable(self, relation: Relation, form: TimeForm) -> Condition:
        raise NotImplementedError

    def one_of(self, column: str, values: list[str]) -> Condition:
        raise NotImplementedError

    def days_around(self, relation: Relation, first_day: str, last_day: str) -> Condition:
        raise NotImplementedError

    def unplaceable(self, relation: Relation) -> str:
        return f"{relation.moment} IS NULL"

    def text(self, column: str) -> str:
        return column

    def json_text(self, column: str) -> str:
        return column

    def moment(self, column: str) -> str:
        return column

    def raw_moment(self, column: str) -> str:
        return column

    def any_as_json(self, column: str) -> str:
        return column

    def same(self, left: str, right: str) -> str:
        return f"{left} = {right}"

    def order(self, column: str) -> str:
        return column

    def check_joinable(self, jobs: ColumnTypes, lines: ColumnTypes) -> None:
        """Leave it to the database."""
