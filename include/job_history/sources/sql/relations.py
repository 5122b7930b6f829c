"""The three relations that a job store must show, as tables or as views, and how they are selected from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

from job_history.errors import PermanentError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.sources.sql.dialect import Dialect, Relation
from job_history.sources.sql.rows import EVENT_COLUMNS, JOB_COLUMNS, LINE_COLUMNS
from job_history.sources.sql.values import ExtraColumns

JOBS = Relation("job_history_jobs", "j", ("completed_at", "started_at"))
LINES = Relation("job_history_lines", "l", ())
EVENTS = Relation("job_history_admin_events", "e", ("occurred_at",))

_MOMENTS = {"started_at", "completed_at", "occurred_at"}
_TEXTS = {"status", "error_type", "error", "title", "adapter_name", "adapter_operation", "event"}
_JSON = {"report", "input", "output", "details", "actor", "team", "resource"}
_LINE_KEYS = ("user_id", "job_id", "line_index")
# A document's own fields that no column of its relation is named after: a column of that name would stand in it twice.
_TAKEN_OF_JOBS = frozenset({"id", "flow_id", "lines"})
_TAKEN_OF_EVENTS = frozenset({"user", "timestamp"})


@dataclass(frozen=True)
class Selection:
    """The columns of a relation as a query asks for them; `extra` are those that only this store has."""

    columns: str
    extra: ExtraColumns


def select_jobs(connection: Any, dialect: Dialect) -> Selection:
    """Look at the relation of jobs. Raises PermanentError where a column is missing."""
    return _selection(connection, dialect, JOBS, wanted=JOB_COLUMNS, taken=_TAKEN_OF_JOBS)


def select_lines(connection: Any, dialect: Dialect) -> Selection:
    """Look at the relation of lines. Raises PermanentError where a column is missing."""
    return _selection(connection, dialect, LINES, wanted=LINE_COLUMNS, keys=_LINE_KEYS)


def select_events(connection: Any, dialect: Dialect) -> Selection:
    """Look at the relation of admin events. Raises PermanentError where a column is missing."""
    return _selection(connection, dialect, EVENTS, wanted=EVENT_COLUMNS, taken=_TAKEN_OF_EVENTS)


def _selection(
    connection: Any,
    dialect: Dialect,
    relation: Relation,
    *,
    wanted: tuple[str, ...],
    keys: tuple[str, ...] = (),
    taken: frozenset[str] = frozenset(),
) -> Selection:
    present = _column_names(connection, relation.name)
    by_lower_case = {name.lower() for name in present}
    if missing := [name for name in (*keys, *wanted) if name not in by_lower_case]:
        _refuse(
            Code.SQL_COLUMN_MISSING,
            f"relation {relation.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
        )
    extra = [name for name in present if name.lower() not in {*keys, *wanted}]
    if clashing := [name for name in extra if name.lower() in taken]:
        _refuse(
            Code.SQL_COLUMN_CLASHES,
            f"relation {relation.name} has a column {clashing[0]!r}, which is the name of a document's own field",
        )
    expressions = [_read(dialect, f"{relation.alias}.{name}", name) for name in wanted]
    for name in extra:
        column = f'{relation.alias}."{name}"'
        expressions.append(dialect.any_as_json(column))
    return Selection(", ".join(expressions), ExtraColumns(extra, dialect.gives_any_as_json))


def _refuse(code: Code, detail: str) -> NoReturn:
    raise PermanentError(f"The {detail}. {fix_of(code)}", code=code, detail=detail)


def _column_names(connection: Any, relation: str) -> list[str]:
    cursor = connection.cursor()
    try:
        cursor.execute(f"SELECT * FROM {relation} WHERE 1 = 0")  # noqa: S608 - one of three constants
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
