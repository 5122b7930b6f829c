"""A connection in its one transaction: small results, and streams of rows. Every error of the driver is sorted here."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from typing import Any

from job_history.errors.masking import Masker
from job_history.sources.sql.dialect import ColumnTypes, Dialect, Parameters, Relation, RowDecoder
from job_history.sources.sql.errors import database_errors
from job_history.sources.sql.rows import fetch_size
from job_history.sources.sql.values import Row

_SPOOL_BYTES = 8_000_000


class Session:
    """`about` names, in an error, what was being read; `mask_secrets` masks the connection's secrets in its text."""

    def __init__(self, connection: Any, dialect: Dialect, about: str, mask_secrets: Masker) -> None:
        self._connection = connection
        self._dialect = dialect
        self._about = about
        self._mask_secrets = mask_secrets
        self._decode: RowDecoder | None = None
        self._types: dict[str, ColumnTypes] = {}
        self._names: dict[str, str] = {}

    def open_snapshot(self) -> None:
        with database_errors(self._about, self._mask_secrets):
            self._decode = self._dialect.open_snapshot(self._connection)

    def limit_time(self, seconds: int) -> None:
        with database_errors(self._about, self._mask_secrets):
            self._dialect.limit_time(self._connection, seconds)

    def all(self, statement: str, parameters: Parameters = ()) -> list[Row]:
        """Return the rows of a result that fits into memory."""
        with (
            database_errors(self._about, self._mask_secrets),
            closing(self._dialect.cursor(self._connection)) as cursor,
        ):
            cursor.execute(statement, parameters)
            return self._rows(cursor.fetchall())

    def columns(self, relation: Relation) -> ColumnTypes:
        """Return the type codes of a relation's columns, in their order."""
        if relation.name not in self._types:
            with (
                database_errors(self._about, self._mask_secrets),
                closing(self._dialect.cursor(self._connection)) as cursor,
            ):
                cursor.execute(f"SELECT * FROM {relation.name} WHERE 1 = 0")  # noqa: S608 - one of three constants
                given = tuple(column[0] for column in cursor.description)
                [names] = self._rows([given])
                codes = [column[1] for column in cursor.description]
                cursor.fetchall()
            self._names |= zip(names, given, strict=True)
            self._types[relation.name] = dict(zip(names, codes, strict=True))
        return self._types[relation.name]

    def types(self, relation: Relation) -> ColumnTypes:
        """Return the type codes by the names in lower case, as our own statements write them."""
        found = self.columns(relation)
        # PostgreSQL has "Status" beside status, which is the one that our statements read.
        return {**{name.lower(): code for name, code in found.items()}, **found}

    def quoted(self, name: str) -> str:
        """Quote a column's name as the driver gave it: a database without an encoding knows no decoded names."""
        return self._dialect.quoted(self._names.get(name, name))

    def stream(self, name: str, statement: str, parameters: Parameters) -> Generator[Row]:
        """Yield the rows of a result, holding a few megabytes of them at a time."""
        with database_errors(self._about, self._mask_secrets):
            cursor = self._dialect.stream(self._connection, name)
        size = fetch_size()
        try:
            with database_errors(self._about, self._mask_secrets):
                cursor.execute(statement, parameters)
            while True:
                with database_errors(self._about, self._mask_secrets):
                    rows = self._rows(cursor.fetchmany(size))
                if not rows:
                    return
                yield from rows
                size = fetch_size(rows, size)
        finally:
            # Closing it adds nothing to what was read, or to the error that ended it.
            with suppress(Exception):
                cursor.close()

    def stream_beside_another(self, name: str, statement: str, parameters: Parameters) -> Generator[Row]:
        """Yield the rows of a result while another is streamed; if the connection cannot, they are first put into a
        file.
        """
        rows = self.stream(name, statement, parameters)
        return _spooled(rows) if self._dialect.streams_one_at_a_time else rows

    def _rows(self, rows: Any) -> list[Row]:
        return [self._decode(row) for row in rows] if self._decode else list(rows)


def _spooled(rows: Iterable[Row]) -> Generator[Row]:
    """Read all rows now, into memory while they are few and then into a temporary file; return them as a stream."""
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed with the stream
    for row in rows:
        pickle.dump(row, spool, pickle.HIGHEST_PROTOCOL)
    spool.seek(0)
    return _unspooled(spool)


def _unspooled(spool: Any) -> Generator[Row]:
    with spool, suppress(EOFError):
        while True:
            yield pickle.load(spool)  # noqa: S301 - written above
