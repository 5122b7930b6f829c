"""A database as it is at one moment: what its columns hold, which rows a window has, how many there are."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from job_history.errors.masking import Masker
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.sources.sql.dialect import Condition, Dialect, Parameters, Relation
from job_history.sources.sql.errors import database_errors
from job_history.sources.sql.rows import id_text
from job_history.sources.sql.session import Session
from job_history.sources.sql.time_forms import TimeForm, column_form
from job_history.sources.sql.values import Row
from job_history.sources.sql.watchdog import connected_in_time, ended_in_time

# A compound statement of SQLite takes 500, and 999 parameters in old versions.
SELECTIONS_A_STATEMENT = 100
# Of the smallest and of the largest values of an account each: both ends of an index.
SAMPLE_ROWS = 50


class Snapshot:
    """One transaction, in which each query sees the same rows."""

    def __init__(self, session: Session, dialect: Dialect) -> None:
        self.session = session
        self.dialect = dialect
        self._forms: dict[tuple[str, str, int], TimeForm | None] = {}

    def time(self) -> datetime | None:
        """Return the time of the database; None if it cannot be asked in its dialect, or its answer is no time."""
        if self.dialect.clock_query is None:
            return None
        [(text,)] = self.session.all(self.dialect.clock_query)
        with suppress(ValueError):
            return parse_time(str(as_text(text)))
        return None

    def of_account(self, relation: Relation, user_id: int) -> Condition:
        return self.dialect.of_account(relation, user_id, self.session.types(relation))

    def form(self, relation: Relation, column: str, user_id: int) -> TimeForm | None:
        """Return the form in which a column holds the account's times; None if the column has a time type."""
        key = (relation.name, column, user_id)
        if key not in self._forms:
            self._forms[key] = self._form(relation, column, user_id)
        return self._forms[key]

    def _form(self, relation: Relation, column: str, user_id: int) -> TimeForm | None:
        if self.dialect.has_time_type(self.session.types(relation).get(column)):
            return None
        account, parameters = self.of_account(relation, user_id)
        qualified = f"{relation.alias}.{column}"
        halves = " UNION ALL ".join(
            f"SELECT * FROM (SELECT {self.dialect.raw_moment(qualified)} FROM {relation} WHERE {account}"  # noqa: S608 - constants
            f" AND {qualified} IS NOT NULL ORDER BY {qualified} {order} LIMIT {SAMPLE_ROWS}) s{order}"
            for order in ("ASC", "DESC")
        )
        return column_form(as_text(value) for (value,) in self.session.all(halves, parameters + parameters))

    def within(self, relation: Relation, user_id: int, window: Window) -> Condition:
        """Return the condition for the account's rows of a window."""
        account = self.of_account(relation, user_id)
        form = self.form(relation, relation.moment_column, user_id)
        if form is None:
            return _both(account, self.dialect.within(relation, window))
        if self.dialect.computes_forms:
            return _both(account, self.dialect.within_form(relation, window, form))
        # The database cannot read the form: its values are read here, and the rows selected by them.
        values = list(self._values(relation, account, window, form))
        return _both(account, self.dialect.one_of(relation.moment, values) if values else Condition("1 = 0"))

    def _values(self, relation: Relation, account: Condition, window: Window, form: TimeForm) -> Iterator[str]:
        raw = self.dialect.raw_moment(relation.moment)
        condition = _both(account, Condition(f"{relation.moment} IS NOT NULL"))
        if form.is_dated:
            days = (window.start - timedelta(days=1), window.end + timedelta(days=2))
            condition = _both(condition, self.dialect.days_around(relation, *(f"{day:%Y-%m-%d}" for day in days)))
        statement = f"SELECT DISTINCT {raw} FROM {relation} WHERE {condition.text}"  # noqa: S608 - constants
        for (value,) in self.session.stream(f"{relation.name}_times", statement, condition.parameters):
            text = as_text(value)
            with suppress(ValueError):
                if form.read(text) in window:
                    yield text

    def counts(self, relation: Relation, conditions: Sequence[Condition]) -> list[int]:
        """Count the rows of each condition: a hundred of them in a statement, because each statement is a round
        trip.
        """
        numbers: list[int] = []
        for first in range(0, len(conditions), SELECTIONS_A_STATEMENT):
            some = conditions[first : first + SELECTIONS_A_STATEMENT]
            statement = " UNION ALL ".join(
                f"SELECT {place}, count(*) FROM {relation} WHERE {condition.text}"  # noqa: S608 - constants
                for place, condition in enumerate(some)
            )
            parameters = tuple(parameter for condition in some for parameter in condition.parameters)
            by_place = {int(place): int(number) for place, number in self.session.all(statement, parameters)}
            numbers += [by_place[place] for place in range(len(some))]
        return numbers

    def check_query(self, relation: Relation, selection: str) -> None:
        """Have the database look at a selection from a relation, without reading a row of it."""
        # With a parameter, so that the driver reads `%%` in a name as it does when rows are selected.
        account, parameters = self.of_account(relation, 0)
        self.session.all(f"{selection} WHERE 1 = 0 AND {account}", parameters)

    def rows(self, relation: Relation, statement: str, parameters: Parameters) -> Generator[Row]:
        return self.session.stream(relation.name, statement, parameters)

    def repeated_ids(self, relation: Relation, user_id: int, window: Window) -> Generator[str]:
        """Yield the ids that more than one row of the window has."""
        condition = self.within(relation, user_id, window)
        # As the listing compares them: what another collation takes for equal are two ids.
        exact = self.dialect.order(relation.id)
        statement = (
            f"SELECT {exact} FROM {relation} WHERE {condition.text} AND {relation.id} IS NOT NULL"  # noqa: S608 - constants
            f" GROUP BY {exact} HAVING COUNT(*) > 1"
        )
        for (found,) in self.rows(relation, statement, condition.parameters):
            yield id_text(as_text(found))

    def rows_beside_others(self, relation: Relation, statement: str, parameters: Parameters) -> Generator[Row]:
        """Yield rows while another relation's are read; call it before the other."""
        return self.session.stream_beside_another(relation.name, statement, parameters)


def as_text(value: Any) -> Any:
    """Return what a database gives as a raw time: text that came as bytes, or the value."""
    return bytes(value).decode("utf-8", "surrogateescape") if isinstance(value, bytes | bytearray) else value


def _both(first: Condition, second: Condition) -> Condition:
    return Condition(f"{first.text} AND {second.text}", first.parameters + second.parameters)


@contextmanager
def snapshot(
    connect: Callable[[], Any], dialect: Dialect, about: str, mask_secrets: Masker = str
) -> Iterator[Snapshot]:
    """Open a connection for one snapshot, and close it. `about` names, in an error, what was being read."""
    with database_errors(about, mask_secrets):
        connection = connect() if dialect.is_local else connected_in_time(connect)
    try:
        session = Session(connection, dialect, about, mask_secrets)
        with ended_in_time(connection):
            session.open_snapshot()
            yield Snapshot(session, dialect)
    finally:
        with suppress(Exception):  # nothing was written that a failure to close could lose
            connection.close()


def with_repeats(rows: Iterator[Row], column: int) -> Iterator[tuple[Row, bool]]:
    """Yield each row and whether its id is there more than once; the rows are ordered by the id, the value at
    `column`.
    """
    row = next(rows, None)
    repeated = False
    while row is not None:
        following = next(rows, None)
        same = following is not None and following[column] == row[column] is not None
        yield row, repeated or same
        row, repeated = following, same
