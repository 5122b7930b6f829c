"""Rows of an account that are finished and belong to no window, because their time is missing or cannot be read."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

from job_history.errors import BadRecordError, TransientError
from job_history.errors.code import Code
from job_history.model.ids import MAX_HANDLE_LENGTH
from job_history.model.job import FINAL_STATUSES, final_status
from job_history.model.unplaceable import MAX_UNPLACEABLE, UNPLACEABLE_SECONDS, Unplaceable
from job_history.sources.sql.dialect import Condition, Relation
from job_history.sources.sql.rows import id_text
from job_history.sources.sql.snapshot import Snapshot, as_text
from job_history.sources.sql.time_forms import TimeForm, described_time, is_readable
from job_history.sources.sql.values import text_value


def unplaceable_rows(opened: Snapshot, relation: Relation, user_id: int, *, status_column: str = "") -> Unplaceable:
    """Count such rows of an account; with a `status_column` only those whose status is final.

    Raises TransientError if the database needs more than UNPLACEABLE_SECONDS, or reading its rows does.
    """
    end = time.monotonic() + UNPLACEABLE_SECONDS
    opened.session.limit_time(UNPLACEABLE_SECONDS)
    form = opened.form(relation, relation.moment_column, user_id)
    moment, condition = _selection(opened, relation, form)
    account = opened.of_account(relation, user_id)
    status, is_final = "''", ""
    if status_column:
        # As text, as a listing reads it: an `enum` may not know each final status, and `char` is padded.
        status = opened.dialect.text(f"{relation.alias}.{status_column}")
        is_final = f" AND {status} IN {FINAL_STATUSES}"  # a tuple is written as SQL has it
    statement = (
        f"SELECT {relation.id}, {moment}, {status} FROM {relation}"  # noqa: S608 - constants
        f" WHERE {account.text}{is_final} AND {condition.text}"
    )
    found, example_id, example_form = 0, None, ""
    with closing(opened.rows(relation, statement, account.parameters + condition.parameters)) as rows:
        for row_id, raw, row_status in rows:
            if time.monotonic() > end:  # a database's own limit may be for each fetch
                detail = f"took over {UNPLACEABLE_SECONDS} seconds"
                raise TransientError(
                    f"Looking for rows of {relation.name} of account {user_id} without a time that can be read "
                    f"{detail}. Give {relation.moment_column} a type of times, or read a view in which it has one.",
                    code=Code.SQL_AWAY,
                    detail=detail,
                )
            value = raw if opened.dialect.computes_forms else as_text(raw)
            if (form and is_readable(value, form)) or (status_column and not _is_final(row_status)):
                continue
            if not found:
                example_id = None if row_id is None else id_text(row_id)[:MAX_HANDLE_LENGTH]
                example_form = described_time(value, form) if form else _described(value)
            found += 1
            if found > MAX_UNPLACEABLE:
                break
    return Unplaceable.of_first(found, example_id, example_form)


def _selection(opened: Snapshot, relation: Relation, form: TimeForm | None) -> tuple[str, Condition]:
    """Return the expression of the time, and a condition that holds for all rows that no window has."""
    if form is None:
        return opened.dialect.moment(relation.moment), Condition(opened.dialect.unplaceable(relation))
    if opened.dialect.computes_forms:
        return relation.moment, opened.dialect.unreadable(relation, form)
    return opened.dialect.raw_moment(relation.moment), Condition("1 = 1")  # each is read here


def _is_final(status: Any) -> bool:
    try:
        return final_status(text_value("status", status)) is not None
    except BadRecordError:
        return False


def _described(moment: str | None) -> str:
    return "missing" if moment is None else "outside the years 1 to 9999"
