"""The two relations that a job store must show, as tables or as views, and how they are selected from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from job_history.errors import PermanentError
from job_history.preflight.catalogue import fix_of
from job_history.preflight.code import Code
from job_history.sources.sql.dialect import Dialect
from job_history.sources.sql.rows import JOB_COLUMNS, LINE_COLUMNS, ExtraColumns

JOBS = "job_history_jobs"
LINES = "job_history_lines"

_MOMENTS = {"started_at", "completed_at"}
_TEXTS = {"status", "error_type", "error", "title", "adapter_name", "adapter_operation"}
_JSON = {"report", "input", "output"}
_LINE_KEYS = ("user_id", "job_id", "line_index")
# A document's own fields that no column of jobs is named after: a column of that name would stand in it twice.
_TAKEN_OF_JOBS = frozenset({"id", "flow_id", "lines"})


@dataclass(frozen=True)
class Selection:
    """The columns of a relation as a query asks for them; `extra` are those that only this store has."""

    columns: str
    extra: ExtraColumns


def select_jobs(connection: Any, dialect: Dialect) -> Selection:
    """Look at the relation of jobs. Raises PermanentError where a column is missing."""
    return _selection(connection, dialect, JOBS, alias="j", wanted=JOB_COLUMNS, taken=_TAKEN_OF_JOBS)


def select_lines(connection: Any, dialect: Dialect) -> Selection:
    """Look at the relation of lines. Raises PermanentError where a column is missing."""
    return _selection(connection, dialect, LINES, alias="l", wanted=LINE_COLUMNS, keys=_LINE_KEYS)


def _selection(
    connection: Any,
    dialect: Dialect,
    relation: str,
    *,
    alias: str,
    wanted: tuple[str, ...],
    keys: tuple[str, ...] = (),
    taken: frozenset[str] = frozenset(),
) -> Selection:
    present = _column_names(connection, relation)
    by_lower_case = {name.lower() for name in present}
    if missing := [name for name in (*keys, *wanted) if name not in by_lower_case]:
        _refuse(
            Code.SQL_COLUMN_MISSING,
            f"relation {relation} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
        )
    extra = [name for name in present if name.lower() not in {*keys, *wanted}]
    if clashing := [name for name in extra if name.lower() in taken]:
        _refuse(
            Code.SQL_COLUMN_CLASHES,
            f"relation {relation} has a column {clashing[0]!r}, which is the name of a document's own field",
        )
    expressions = [_read(dialect, f"{alias}.{name}", name) for name in wanted]
    for name in extra:
        column = f'{alias}."{name}"'
        expressions.append(dialect.any_as_json(column))
    return Selection(", ".join(expressions), ExtraColumns(extra, dialect.gives_any_as_json))


def _refuse(code: Code, said: str) -> NoReturn:
    raise PermanentError(f"The {said}. {fix_of(code)}", code=code, said=said)


def _column_names(connection: Any, relation: str) -> list[str]:
    cursor = connection.cursor()
    try:
        cursor.execute(f"SELECT * FROM {relation} WHERE 1 = 0")  # noqa: S608 - one of two constants
        return [column[0] for column in cursor.description]
    finally:
        cursor.close()


def _read(dialect: Dialect, column: str, name: str) -> str:
    if name in _MOMENTS:
        return dialect.moment(column)
    if name in _TEXTS:
        return dialect.text(column)
    if name in _JSON:
        return dialect.json_text(column)
    return column
