"""Jobs and their lines from a database, in one pass and one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

from job_history.errors import BadRecordError, QuarantineReason, TransientError
from job_history.errors.masking import Masker
from job_history.model.job import JobRecord, LineRecord
from job_history.model.window import Window
from job_history.sources.listing import StreamedListing
from job_history.sources.sql.dialect import Dialect, Parameters
from job_history.sources.sql.relations import JOBS, LINES, select_jobs, select_lines
from job_history.sources.sql.rows import JOB_COLUMNS, id_text, job_record, line_record
from job_history.sources.sql.snapshot import Snapshot, snapshot, with_repeats
from job_history.sources.sql.values import ExtraColumns, Row, text_size

_JOB_ID = JOB_COLUMNS.index("job_id")
_OF_THE_JOB = "l.user_id = j.user_id AND l.job_id = j.job_id"


class SqlJobSource:
    """Reads the two relations through connections that `connect` opens; each is used for one snapshot and closed."""

    def __init__(
        self,
        connect: Callable[[], Any],
        dialect: Dialect,
        *,
        max_line_bytes: int = 80_000_000,
        mask_secrets: Masker = str,
    ) -> None:
        """`max_line_bytes`: a job whose lines hold more text than that is read without them, as oversize.

        `mask_secrets` takes the connection's secrets out of a database's messages.
        """
        self._mask_secrets = mask_secrets
        self._connect = connect
        self._dialect = dialect
        self._max_line_bytes = max_line_bytes

    def count(self, user_id: int, window: Window) -> int:
        with self._snapshot(_jobs_of(user_id, window)) as opened:
            return opened.count(JOBS, *self._dialect.within(JOBS, user_id, window))

    def counts(self, user_ids: Sequence[int], window: Window) -> list[int]:
        with self._snapshot(f"the jobs of {len(user_ids)} accounts in {window}") as opened:
            return opened.counts(JOBS, [self._dialect.within(JOBS, user_id, window) for user_id in user_ids])

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        with self._snapshot(_jobs_of(user_id, window)) as opened:
            condition, parameters = self._dialect.within(JOBS, user_id, window)
            statement = f"SELECT j.job_id FROM {JOBS} WHERE {condition}"  # noqa: S608 - constants
            for (job_id,) in opened.rows(JOBS, statement, parameters):
                yield id_text(job_id)

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[StreamedListing[JobRecord]]:
        with self._snapshot(_jobs_of(user_id, window)) as opened:
            condition, parameters = self._dialect.within(JOBS, user_id, window)
            counted = opened.count(JOBS, condition, parameters)
            # Ended before the connection is, also where whoever reads it stops on the way.
            with closing(self._jobs(opened, condition, parameters, line_details=line_details)) as jobs:
                yield StreamedListing(counted, jobs)

    def check_readable(self, *, line_details: bool) -> None:
        """Look, without reading a row, whether a listing could. Raises PermanentError or TransientError where not."""
        with self._snapshot("the relations of jobs") as opened:
            opened.check_query(f"SELECT {select_jobs(opened.connection, self._dialect).columns} FROM {JOBS}")  # noqa: S608 - constants
            if line_details:
                lines = select_lines(opened.connection, self._dialect).columns
                opened.check_query(f"SELECT {lines} FROM {JOBS} JOIN {LINES} ON {_OF_THE_JOB}")  # noqa: S608 - constants

    def _snapshot(self, about: str) -> AbstractContextManager[Snapshot]:
        return snapshot(self._connect, self._dialect, about, self._mask_secrets)

    def _jobs(
        self, opened: Snapshot, condition: str, parameters: Parameters, *, line_details: bool
    ) -> Generator[JobRecord]:
        # Ordered by id, so that one that is there twice is seen.
        selection = select_jobs(opened.connection, self._dialect)
        statement = f"SELECT {selection.columns} FROM {JOBS} WHERE {condition} ORDER BY j.job_id"  # noqa: S608 - constants
        rows = with_repeats(opened.rows(JOBS, statement, parameters), _JOB_ID)
        if not line_details:
            for row, repeated in rows:
                yield _finished(job_record(row, selection.extra), repeated=repeated)
            return
        lines = self._lines(opened, condition, parameters)
        for row, repeated in rows:
            record = job_record(row, selection.extra)
            lines.add_to(record, row[_JOB_ID])
            yield _finished(record, repeated=repeated)
        lines.check_used_up()

    def _lines(self, opened: Snapshot, condition: str, parameters: Parameters) -> _LinesByJob:
        selection = select_lines(opened.connection, self._dialect)
        statement = (
            f"SELECT j.job_id, {selection.columns} FROM {JOBS}"  # noqa: S608 - constants
            f" JOIN {LINES} ON {_OF_THE_JOB}"
            f" WHERE {condition} ORDER BY j.job_id, l.line_index"
        )
        return _LinesByJob(opened.rows(LINES, statement, parameters), selection.extra, self._max_line_bytes)


def _jobs_of(user_id: int, window: Window) -> str:
    return f"the jobs of account {user_id} in {window}"


class _LinesByJob:
    """Rows of lines, in the order of the jobs that they belong to: the two are walked side by side."""

    def __init__(self, rows: Iterator[Row], extra: ExtraColumns, max_bytes: int) -> None:
        self._rows = rows
        self._extra = extra
        self._max_bytes = max_bytes
        self._next = next(rows, None)

    def add_to(self, record: JobRecord, job_id: Any) -> None:
        """Give a job its lines; a line that cannot be read is the fault of the whole record."""
        lines: list[LineRecord] = []
        text_bytes = 0
        while self._next is not None and self._next[0] == job_id:
            row = self._next[1:]
            self._next = next(self._rows, None)
            text_bytes += text_size(row)
            if text_bytes > self._max_bytes:
                record.lines_left_out = True
                lines.clear()
                continue
            try:
                lines.append(line_record(row, self._extra))
            except BadRecordError as fault:
                record.fault = fault.reason
                record.fault_explanation = f"lines[{len(lines)}]: {fault.explanation}"
        record.lines = lines

    def check_used_up(self) -> None:
        if self._next is not None:
            raise TransientError(
                f"The database gave lines of job {self._next[0]!r} out of the order of the jobs, so that lines would be "
                "missing from documents. Nothing was delivered; it is tried again."
            )


def _finished(record: JobRecord, *, repeated: bool) -> JobRecord:
    if repeated:
        # Which of them is right cannot be known here; a view that joins too much shows itself in this way.
        record.fault = QuarantineReason.DUPLICATE_JOB_ID
        record.fault_explanation = f"the source has more than one row with job_id {record.job_id!r} in this window"
    return record
