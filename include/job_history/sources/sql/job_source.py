"""Jobs and their lines from a database, in one pass and one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from job_history.errors import BadRecordError, QuarantineReason, TransientError
from job_history.job import JobRecord, LineRecord
from job_history.sources.sql.dialect import Dialect, Parameters
from job_history.sources.sql.faults import database_faults
from job_history.sources.sql.relations import JOBS, LINES, select_jobs, select_lines
from job_history.sources.sql.rows import JOB_COLUMNS, ExtraColumns, Row, fetched, job_record, line_record
from job_history.window import Window

_JOB_ID = JOB_COLUMNS.index("job_id")


@dataclass(frozen=True)
class SqlListing:
    """The ended jobs of a window, ordered by id, so that an id that is there twice is seen."""

    counted: int
    jobs: Iterator[JobRecord]
    counted_by: str = "query"

    def __iter__(self) -> Iterator[JobRecord]:
        return self.jobs


class SqlJobSource:
    """Reads the two relations through connections that `connect` opens; each is used for one snapshot and closed."""

    def __init__(self, connect: Callable[[], Any], dialect: Dialect, *, most_line_bytes: int = 80_000_000) -> None:
        """`most_line_bytes`: a job whose lines hold more text than that is read without them, as oversize."""
        self._connect = connect
        self._dialect = dialect
        self._most_line_bytes = most_line_bytes

    def count(self, user_id: int, window: Window) -> int:
        with self._snapshot(_jobs_of(user_id, window)) as connection:
            return self._count(connection, *self._dialect.finished_in(user_id, window))

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[SqlListing]:
        with self._snapshot(_jobs_of(user_id, window)) as connection:
            condition, parameters = self._dialect.finished_in(user_id, window)
            counted = self._count(connection, condition, parameters)
            yield SqlListing(counted, self._jobs(connection, condition, parameters, line_details=line_details))

    def must_be_readable(self, *, line_details: bool) -> None:
        """Look, without reading a row, whether a listing could. Raises PermanentError or TransientError where not."""
        with self._snapshot("the relations of jobs") as connection:
            jobs = select_jobs(connection, self._dialect).columns
            self._run(connection, f"SELECT {jobs} FROM {JOBS} j WHERE 1 = 0")  # noqa: S608 - constants
            if line_details:
                lines = select_lines(connection, self._dialect).columns
                self._run(
                    connection,
                    f"SELECT {lines} FROM {JOBS} j"  # noqa: S608 - constants
                    f" JOIN {LINES} l ON l.user_id = j.user_id AND l.job_id = j.job_id WHERE 1 = 0",
                )

    @staticmethod
    def _run(connection: Any, statement: str) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute(statement)

    @contextmanager
    def _snapshot(self, about: str) -> Iterator[Any]:
        with database_faults(about), closing(self._connect()) as connection:
            self._dialect.open_snapshot(connection)
            yield connection

    def _count(self, connection: Any, condition: str, parameters: Parameters) -> int:
        with closing(connection.cursor()) as cursor:
            cursor.execute(f"SELECT count(*) FROM {JOBS} j WHERE {condition}", parameters)  # noqa: S608 - constants
            return int(cursor.fetchone()[0])

    def _jobs(
        self, connection: Any, condition: str, parameters: Parameters, *, line_details: bool
    ) -> Iterator[JobRecord]:
        selection = select_jobs(connection, self._dialect)
        rows = self._query(
            connection,
            "jobs",
            f"SELECT {selection.columns} FROM {JOBS} j WHERE {condition} ORDER BY j.job_id",  # noqa: S608 - constants
            parameters,
        )
        if not line_details:
            for row, repeated in _with_repeats(rows):
                yield _finished(job_record(row, selection.extra), repeated=repeated)
            return
        lines = self._lines(connection, condition, parameters)
        for row, repeated in _with_repeats(rows):
            record = job_record(row, selection.extra)
            lines.add_to(record, row[_JOB_ID])
            yield _finished(record, repeated=repeated)
        lines.must_be_used_up()

    def _lines(self, connection: Any, condition: str, parameters: Parameters) -> _LinesByJob:
        selection = select_lines(connection, self._dialect)
        rows = self._query(
            connection,
            "lines",
            f"SELECT j.job_id, {selection.columns} FROM {JOBS} j"  # noqa: S608 - constants
            f" JOIN {LINES} l ON l.user_id = j.user_id AND l.job_id = j.job_id"
            f" WHERE {condition} ORDER BY j.job_id, l.line_index",
            parameters,
        )
        return _LinesByJob(rows, selection.extra, self._most_line_bytes)

    def _query(self, connection: Any, name: str, statement: str, parameters: Parameters) -> Iterator[Row]:
        named = {"name": f"job_history_{name}"} if self._dialect.streams_by_named_cursor else {}
        with closing(connection.cursor(**named)) as cursor:
            cursor.execute(statement, parameters)
            yield from fetched(cursor)


def _jobs_of(user_id: int, window: Window) -> str:
    return f"the jobs of account {user_id} in {window}"


class _LinesByJob:
    """Rows of lines, in the order of the jobs that they belong to: the two are walked side by side."""

    def __init__(self, rows: Iterator[Row], extra: ExtraColumns, most_bytes: int) -> None:
        self._rows = rows
        self._extra = extra
        self._most_bytes = most_bytes
        self._next = next(rows, None)

    def add_to(self, record: JobRecord, job_id: Any) -> None:
        """Give a job its lines; a line that cannot be read is the fault of the whole record."""
        lines: list[LineRecord] = []
        text_bytes = 0
        while self._next is not None and self._next[0] == job_id:
            row = self._next[1:]
            self._next = next(self._rows, None)
            text_bytes += sum(len(value) for value in row if type(value) is str)
            if text_bytes > self._most_bytes:
                record.lines_left_out = True
                lines.clear()
                continue
            try:
                lines.append(line_record(row, self._extra))
            except BadRecordError as fault:
                record.fault = fault.reason
                record.fault_explanation = f"lines[{len(lines)}]: {fault.explanation}"
        record.lines = lines

    def must_be_used_up(self) -> None:
        if self._next is not None:
            raise TransientError(
                f"The database gave lines of job {self._next[0]!r} out of the order of the jobs, so that lines would be "
                "missing from documents. Nothing was delivered; it is tried again."
            )


def _with_repeats(rows: Iterator[Row]) -> Iterator[tuple[Row, bool]]:
    """Yield each row and whether its job id is there more than once; the rows are ordered by it."""
    row = next(rows, None)
    repeated = False
    while row is not None:
        following = next(rows, None)
        same = following is not None and following[_JOB_ID] == row[_JOB_ID] is not None
        yield row, repeated or same
        row, repeated = following, same


def _finished(record: JobRecord, *, repeated: bool) -> JobRecord:
    if repeated:
        # Which of them is right cannot be known here; a view that joins too much shows itself in this way.
        record.fault = QuarantineReason.DUPLICATE_JOB_ID
        record.fault_explanation = f"the source has more than one row with job_id {record.job_id!r} in this window"
    return record
