"""A database as it stands at one moment: counted, and read as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from job_history.errors.masking import Masker
from job_history.sources.sql.dialect import Dialect, Parameters, Relation
from job_history.sources.sql.errors import database_errors
from job_history.sources.sql.rows import fetched
from job_history.sources.sql.values import Row

Selected = tuple[str, Parameters]
# A compound statement of SQLite takes 500, and 999 parameters where it is old.
SELECTIONS_A_STATEMENT = 100


@dataclass(frozen=True)
class Snapshot:
    """One transaction, in which each query sees the same rows."""

    connection: Any
    dialect: Dialect

    def counts(self, relation: Relation, selections: Sequence[Selected]) -> list[int]:
        """Count the rows of each selection: a hundred of them in a statement, because each statement is a round trip."""
        numbers: list[int] = []
        for first in range(0, len(selections), SELECTIONS_A_STATEMENT):
            some = selections[first : first + SELECTIONS_A_STATEMENT]
            statement = " UNION ALL ".join(
                f"SELECT {place}, count(*) FROM {relation} WHERE {condition}"  # noqa: S608 - constants
                for place, (condition, _) in enumerate(some)
            )
            with closing(self.connection.cursor()) as cursor:
                cursor.execute(statement, tuple(parameter for _, parameters in some for parameter in parameters))
                by_place = {int(place): int(number) for place, number in cursor.fetchall()}
            numbers += [by_place[place] for place in range(len(some))]
        return numbers

    def count(self, relation: Relation, condition: str, parameters: Parameters) -> int:
        return self.counts(relation, [(condition, parameters)])[0]

    def check_query(self, selection: str) -> None:
        """Have the database look at a selection, without reading a row of it."""
        with closing(self.connection.cursor()) as cursor:
            cursor.execute(f"{selection} WHERE 1 = 0")

    def rows(self, relation: Relation, statement: str, parameters: Parameters) -> Iterator[Row]:
        named = {"name": relation.name} if self.dialect.streams_by_named_cursor else {}
        with closing(self.connection.cursor(**named)) as cursor:
            cursor.execute(statement, parameters)
            yield from fetched(cursor)


@contextmanager
def snapshot(
    connect: Callable[[], Any], dialect: Dialect, about: str, mask_secrets: Masker = str
) -> Iterator[Snapshot]:
    """Open a connection for one snapshot, and close it. `about` is what a fault says was being read.

    `mask_secrets` takes the secrets of the connection out of what a fault says.
    """
    with database_errors(about, mask_secrets), closing(connect()) as connection:
        dialect.open_snapshot(connection)
        yield Snapshot(connection, dialect)


def with_repeats(rows: Iterator[Row], column: int) -> Iterator[tuple[Row, bool]]:
    """Yield each row and whether its id is there more than once; the rows are ordered by it, which stands in `column`."""
    row = next(rows, None)
    repeated = False
    while row is not None:
        following = next(rows, None)
        same = following is not None and following[column] == row[column] is not None
        yield row, repeated or same
        row, repeated = following, same
