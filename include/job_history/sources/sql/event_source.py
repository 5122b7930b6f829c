"""Admin events from a database, in one pass and one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

from job_history.documents.event_document import item_id_of
from job_history.errors import QuarantineReason
from job_history.errors.masking import Masker
from job_history.errors.quoting import quoted
from job_history.model.admin_event import EventRecord
from job_history.model.window import Window
from job_history.sources.sql.dialect import Condition, Dialect
from job_history.sources.sql.relation_source import RelationSource
from job_history.sources.sql.relations import EVENTS, select_events
from job_history.sources.sql.rows import EVENT_COLUMNS, event_record
from job_history.sources.sql.snapshot import Snapshot, with_repeats

_EVENT_ID = EVENT_COLUMNS.index("event_id")


class SqlEventSource(RelationSource[EventRecord]):
    """Reads the relation of admin events."""

    relation = EVENTS
    words = "admin events"

    def __init__(
        self,
        connect: Callable[[], Any],
        dialect: Dialect,
        *,
        item_id: Callable[[EventRecord], str] = item_id_of,
        mask_secrets: Masker = str,
    ) -> None:
        """`item_id` returns the id that an item list has for an event; for one without an id, it depends on the
        redaction.
        """
        super().__init__(connect, dialect, mask_secrets=mask_secrets)
        self._item_id = item_id

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        with self.listing(user_id, window, line_details=False) as events:
            for record in events:
                yield self._item_id(record)

    def check_readable(self, *, line_details: bool) -> None:  # noqa: ARG002 - an event has no lines
        """Check, without reading a row, whether a listing is possible.

        Raises PermanentError or TransientError if not.
        """
        with self._snapshot("the relation of admin events") as opened:
            opened.check_query(EVENTS, f"SELECT {select_events(opened, 0).columns} FROM {EVENTS}")  # noqa: S608 - constants

    def _records(
        self,
        opened: Snapshot,
        user_id: int,
        condition: Condition,
        *,
        line_details: bool,  # noqa: ARG002 - an event has no lines
    ) -> Generator[EventRecord]:
        selection = select_events(opened, user_id)
        statement = (
            f"SELECT {selection.columns} FROM {EVENTS} WHERE {condition.text}"  # noqa: S608 - constants
            f" ORDER BY {self._dialect.order('e.event_id')}, e.occurred_at"
        )
        with closing(opened.rows(EVENTS, statement, condition.parameters)) as rows:
            for row, repeated in with_repeats(rows, _EVENT_ID):
                record = event_record(row, selection.extra, selection.forms)
                if repeated:
                    record.fault = QuarantineReason.DUPLICATE_EVENT_ID
                    record.fault_explanation = (
                        f"the source has more than one row with event_id {quoted(record.event_id)} in this window"
                    )
                yield record
