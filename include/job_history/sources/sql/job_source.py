"""Jobs and their lines from a database, in one pass and one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from job_history.errors import BadRecordError, QuarantineReason, TransientError
from job_history.errors.masking import Masker
from job_history.errors.quoting import quoted
from job_history.model.job import JobRecord, LineRecord
from job_history.model.window import Window
from job_history.sources.sql.dialect import Condition, Dialect
from job_history.sources.sql.relation_source import RelationSource
from job_history.sources.sql.relations import JOBS, LINES, select_jobs, select_lines
from job_history.sources.sql.rows import JOB_COLUMNS, id_text, job_record, line_record
from job_history.sources.sql.snapshot import Snapshot, with_repeats
from job_history.sources.sql.values import ExtraColumns, Row, text_size

_JOB_ID = JOB_COLUMNS.index("job_id")


class SqlJobSource(RelationSource[JobRecord]):
    """Reads the relations of jobs and lines."""

    relation = JOBS
    words = "jobs"
    status_column = "status"

    def __init__(
        self,
        connect: Callable[[], Any],
        dialect: Dialect,
        *,
        max_line_bytes: int = 80_000_000,
        mask_secrets: Masker = str,
    ) -> None:
        """`max_line_bytes`: a job whose lines hold more text than this is read without them, as oversize."""
        super().__init__(connect, dialect, mask_secrets=mask_secrets)
        self._max_line_bytes = max_line_bytes

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        with self._snapshot(self._in(user_id, window)) as opened:
            yield from _ids(opened, user_id, window)

    @contextmanager
    def id_listing(self, user_id: int) -> Iterator[Callable[[Window], Iterator[str]]]:
        with self._snapshot(f"the jobs of account {user_id}") as opened:
            yield partial(_ids, opened, user_id)

    def check_readable(self, *, line_details: bool) -> None:
        """Check, without reading a row, whether a listing is possible.

        Raises PermanentError or TransientError if not.
        """
        with self._snapshot("the relations of jobs") as opened:
            opened.check_query(JOBS, f"SELECT {select_jobs(opened, 0).columns} FROM {JOBS}")  # noqa: S608 - constants
            if line_details:
                lines, of_the_job = select_lines(opened, 0).columns, _of_the_job(self._dialect)
                opened.check_query(JOBS, f"SELECT {lines} FROM {JOBS} JOIN {LINES} ON {of_the_job}")  # noqa: S608 - constants

    def _records(
        self, opened: Snapshot, user_id: int, condition: Condition, *, line_details: bool
    ) -> Generator[JobRecord]:
        selection = select_jobs(opened, user_id)
        statement = (
            f"SELECT {selection.columns} FROM {JOBS} WHERE {condition.text}"  # noqa: S608 - constants
            f" ORDER BY {self._dialect.order('j.job_id')}"
        )
        read = opened.rows_beside_others if line_details else opened.rows
        with closing(read(JOBS, statement, condition.parameters)) as of_jobs:
            rows = with_repeats(of_jobs, _JOB_ID)
            if not line_details:
                for row, repeated in rows:
                    yield _finished(job_record(row, selection.extra, selection.forms), repeated=repeated)
                return
            with closing(self._lines(opened, user_id, condition)) as of_lines:
                lines = _LinesByJob(of_lines, select_lines(opened, user_id).extra, self._max_line_bytes)
                for row, repeated in rows:
                    record = job_record(row, selection.extra, selection.forms)
                    lines.add_to(record, row[_JOB_ID])
                    yield _finished(record, repeated=repeated)
                lines.check_used_up()

    def _lines(self, opened: Snapshot, user_id: int, condition: Condition) -> Generator[Row]:
        order = self._dialect.order
        statement = (
            f"SELECT j.job_id, l.line_index, {select_lines(opened, user_id).columns} FROM {JOBS}"  # noqa: S608 - constants
            f" JOIN {LINES} ON {_of_the_job(self._dialect)}"
            f" WHERE {condition.text} ORDER BY {order('j.job_id')}, l.line_index"
        )
        return opened.rows(LINES, statement, condition.parameters)


def _ids(opened: Snapshot, user_id: int, window: Window) -> Iterator[str]:
    condition, parameters = opened.within(JOBS, user_id, window)
    statement = f"SELECT j.job_id FROM {JOBS} WHERE {condition}"  # noqa: S608 - constants
    for (job_id,) in opened.rows(JOBS, statement, parameters):
        yield id_text(job_id)


def _of_the_job(dialect: Dialect) -> str:
    return f"{dialect.same('l.user_id', 'j.user_id')} AND {dialect.same('l.job_id', 'j.job_id')}"


class _LinesByJob:
    """Rows of lines in the order of the jobs that they belong to; jobs and lines are read side by side."""

    def __init__(self, rows: Iterator[Row], extra: ExtraColumns, max_bytes: int) -> None:
        self._rows = rows
        self._extra = extra
        self._max_bytes = max_bytes
        self._next = next(rows, None)

    def add_to(self, record: JobRecord, job_id: Any) -> None:
        """Add a job's lines to its record; a line that cannot be read sets the fault of the whole record."""
        lines: list[LineRecord] = []
        places: list[Any] = []
        text_bytes = 0
        while self._next is not None and self._next[0] == job_id:
            place, row = self._next[1], self._next[2:]
            self._next = next(self._rows, None)
            text_bytes += text_size(row)
            if text_bytes > self._max_bytes:
                record.lines_left_out = True
                lines.clear()
                continue
            try:
                lines.append(line_record(row, self._extra))
                places.append(place)
            except BadRecordError as fault:
                record.fault = fault.reason
                record.fault_explanation = f"lines[{len(lines)}]: {fault.explanation}"
        record.lines = _in_order(lines, places)

    def check_used_up(self) -> None:
        if self._next is not None:
            raise TransientError(
                f"The database returned lines of job {quoted(self._next[0])} out of the order of the jobs: documents "
                "would lack lines. Nothing was delivered; the task is retried."
            )


def _in_order(lines: list[LineRecord], places: list[Any]) -> list[LineRecord]:
    """Order lines with equal places by what they hold: a database may give these in another order the next time."""
    if len(set(places)) == len(places):
        return lines
    groups = groupby(zip(places, lines, strict=False), key=itemgetter(0))
    return [line for _, group in groups for line in sorted((line for _, line in group), key=msgspec.json.encode)]


def _finished(record: JobRecord, *, repeated: bool) -> JobRecord:
    if repeated:
        # Which row is right cannot be known here; a view that joins too much shows in this way.
        record.fault = QuarantineReason.DUPLICATE_JOB_ID
        record.fault_explanation = (
            f"the source has more than one row with job_id {quoted(record.job_id)} in this window"
        )
    return record
