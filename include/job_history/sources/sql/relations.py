"""The three relations of a job store, tables or views, and the columns that are selected from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from job_history.errors import PermanentError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.sources.sql.dialect import Dialect, Relation
from job_history.sources.sql.rows import EVENT_COLUMNS, JOB_COLUMNS, LINE_COLUMNS, Forms
from job_history.sources.sql.snapshot import Snapshot
from job_history.sources.sql.values import ExtraColumns

JOBS = Relation("job_history_jobs", "j", "job_id", "completed_at")
LINES = Relation("job_history_lines", "l", "job_id")
EVENTS = Relation("job_history_admin_events", "e", "event_id", "occurred_at")

_MOMENTS = {"started_at", "completed_at", "occurred_at"}
_TEXTS = {"status", "error_type", "error", "title", "adapter_name", "adapter_operation", "event"}
_JSON = {"report", "input", "output", "details", "actor", "team", "resource"}
_LINE_KEYS = ("user_id", "job_id", "line_index")
# A document's own fields that no column of its relation is named after: a column of that name would be in it twice.
_TAKEN_OF_JOBS = frozenset({"id", "flow_id", "lines"})
_TAKEN_OF_EVENTS = frozenset({"user", "timestamp"})


@dataclass(frozen=True)
class Selection:
    """The columns of a relation as a query selects them; `extra` are those that only this store has."""

    columns: str
    extra: ExtraColumns
    forms: Forms


def select_jobs(opened: Snapshot, user_id: int) -> Selection:
    """Return the columns of the relation of jobs. Raises PermanentError if one is missing."""
    return _selection(opened, JOBS, user_id, wanted=JOB_COLUMNS, taken=_TAKEN_OF_JOBS)


def select_lines(opened: Snapshot, user_id: int) -> Selection:
    """Return the columns of the relation of lines.

    Raises PermanentError if one is missing, or lines cannot be joined.
    """
    selection = _selection(opened, LINES, user_id, wanted=LINE_COLUMNS, keys=_LINE_KEYS)
    opened.dialect.check_joinable(opened.session.types(JOBS), opened.session.types(LINES))
    return selection


def select_events(opened: Snapshot, user_id: int) -> Selection:
    """Return the columns of the relation of admin events. Raises PermanentError if one is missing."""
    return _selection(opened, EVENTS, user_id, wanted=EVENT_COLUMNS, taken=_TAKEN_OF_EVENTS)


def _selection(
    opened: Snapshot,
    relation: Relation,
    user_id: int,
    *,
    wanted: tuple[str, ...],
    keys: tuple[str, ...] = (),
    taken: frozenset[str] = frozenset(),
) -> Selection:
    dialect, present = opened.dialect, list(opened.session.columns(relation))
    by_lower_case = {name.lower() for name in present}
    if missing := [name for name in (*keys, *wanted) if name not in by_lower_case]:
        _refuse(
            Code.SQL_COLUMN_MISSING,
            f"relation {relation.name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
        )
    known = {*keys, *wanted}
    # PostgreSQL has "Status" beside status: such a column is one that only this store has.
    extra = [name for name in present if name not in known and (name.lower() not in known or name.lower() in present)]
    if clashing := [name for name in extra if name.lower() in taken]:
        _refuse(
            Code.SQL_COLUMN_CLASHES,
            f"relation {relation.name} has a column {clashing[0]!r}, which is the name of a document's own field",
        )
    forms = {name: opened.form(relation, name, user_id) for name in wanted if name in _MOMENTS}
    expressions = [_read(dialect, f"{relation.alias}.{name}", name, forms) for name in wanted]
    expressions += [dialect.any_as_json(f"{relation.alias}.{opened.session.quoted(name)}") for name in extra]
    return Selection(", ".join(expressions), ExtraColumns(extra, dialect.gives_any_as_json), forms)


def _refuse(code: Code, detail: str) -> NoReturn:
    raise PermanentError(f"The {detail}. {fix_of(code)}", code=code, detail=detail)


def _read(dialect: Dialect, column: str, name: str, forms: Forms) -> str:
    if name in forms:
        return dialect.moment(column) if forms[name] is None else dialect.raw_moment(column)
    if name in _TEXTS:
        return dialect.text(column)
    if name in _JSON:
        return dialect.json_text(column)
    return column
