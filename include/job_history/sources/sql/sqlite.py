"""SQLite: times in any of the forms, read by a function of ours inside the query."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from job_history.model.window import Window
from job_history.sources.sql.dialect import BaseDialect, ColumnTypes, Condition, Relation
from job_history.sources.sql.time_forms import FORMS, ISO, TimeForm

_INSTRUCTIONS_A_CHECK = 10_000
_WELL_WRITTEN = "[1-9][0-9][0-9][0-9]-[01][0-9]-[0-2][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z"
_DATED = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ]*"


class SqliteDialect(BaseDialect):
    """Columns have no time type; JSON is text."""

    is_local = True
    computes_forms = True
    clock_query: str | None = "SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')"

    def open_snapshot(self, connection: Any) -> None:
        connection.create_function("job_history_moment", 2, _microseconds, deterministic=True)
        connection.row_factory = None
        # A text that is no UTF-8 is an error of one record, not of the query.
        connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        connection.execute("PRAGMA query_only = ON")
        # Kilobytes, for the sorter too: it sorts in runs of this size, and holds a record of each run in the end. With
        # the usual 2 MB, a gigabyte of large lines would be 500 of them at once.
        connection.execute("PRAGMA cache_size = -8000")
        connection.execute("BEGIN")

    def limit_time(self, connection: Any, seconds: int) -> None:
        end = time.monotonic() + seconds
        connection.set_progress_handler(lambda: time.monotonic() > end, _INSTRUCTIONS_A_CHECK)

    def has_time_type(self, type_code: Any) -> bool:  # noqa: ARG002 - SQLite has none
        return False

    def of_account(self, relation: Relation, user_id: int, types: ColumnTypes) -> Condition:  # noqa: ARG002 - any type holds both
        # A whole number of SQLite has 64 bits; a longer id can only be there as text.
        number = user_id if user_id < 2**63 else str(user_id)
        return Condition(f"{relation.alias}.user_id IN (?, ?)", (number, str(user_id)))

    def same(self, left: str, right: str) -> str:
        # Columns of views may have no type, and then 5 is not '5'.
        number = f"CASE WHEN CAST(CAST({right} AS INTEGER) AS TEXT) = {right} THEN CAST({right} AS INTEGER) END"
        return f"{left} IN ({right}, CAST({right} AS TEXT), {number})"

    def within(self, relation: Relation, window: Window) -> Condition:
        # Only called for a column with a type of time, and has_time_type finds none in SQLite.
        raise NotImplementedError

    def within_form(self, relation: Relation, window: Window, form: TimeForm) -> Condition:
        moment = relation.moment
        exact = f"job_history_moment(?, {moment}) BETWEEN ? AND ?"
        limits = (form.name, _number(window.start), _number(window.end) - 1)
        if not form.is_dated:
            return Condition(f"{moment} IS NOT NULL AND {exact}", limits)
        # The comparison of texts is there for speed only, a day wide on either side because of offsets.
        return Condition(
            f"{moment} IS NOT NULL AND (({moment} >= ? AND {moment} < ?) OR {moment} NOT GLOB '{_DATED}') AND {exact}",
            (f"{window.start - timedelta(days=1):%Y-%m-%d}", f"{window.end + timedelta(days=2):%Y-%m-%d}", *limits),
        )

    def unreadable(self, relation: Relation, form: TimeForm) -> Condition:
        moment = relation.moment
        unread = f"job_history_moment(?, {moment}) IS NULL"
        if form is not ISO:
            return Condition(unread, (form.name,))
        # Nearly all rows of an account are well written. For these, no function of ours need be called.
        well_written = (
            f"({moment} GLOB '{_WELL_WRITTEN}' AND substr({moment}, 6, 2) BETWEEN '01' AND '12'"
            f" AND substr({moment}, 9, 2) BETWEEN '01' AND '28' AND substr({moment}, 12, 2) < '24')"
        )
        return Condition(f"{well_written} IS NOT TRUE AND {unread}", (form.name,))


def _microseconds(form: str, value: object) -> int | None:
    """Return a time as microseconds since the year 1, or None if the form cannot read it."""
    if value is None:
        return None
    try:
        return _number(FORMS[form].read(value))
    except ValueError:
        return None


def _number(moment: datetime) -> int:
    return (moment.toordinal() * 86_400 + moment.hour * 3_600 + moment.minute * 60 + moment.second) * 1_000_000 + (
        moment.microsecond
    )
