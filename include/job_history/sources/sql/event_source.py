"""Admin events from a database, in one pass and one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any

from job_history.documents.event_document import item_id_of
from job_history.errors import QuarantineReason
from job_history.errors.masking import Masker
from job_history.errors.quoting import quoted
from job_history.model.admin_event import EventRecord
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.sources.listing import StreamedListing
from job_history.sources.sql.dialect import Condition, Dialect
from job_history.sources.sql.relations import EVENTS, Selection, select_events
from job_history.sources.sql.rows import EVENT_COLUMNS, event_record
from job_history.sources.sql.snapshot import Snapshot, snapshot, with_repeats
from job_history.sources.sql.unplaceable import unplaceable_rows
from job_history.sources.sql.values import Row

_EVENT_ID = EVENT_COLUMNS.index("event_id")


class SqlEventSource:
    """Reads the relation of admin events through connections that `connect` opens, each for one snapshot."""

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

        `mask_secrets` takes the connection's secrets out of a database's messages.
        """
        self._mask_secrets = mask_secrets
        self._connect = connect
        self._dialect = dialect
        self._item_id = item_id

    def count(self, user_id: int, window: Window) -> int:
        return self._counts(_events_of(user_id, window), [user_id], window)[0]

    def counts(self, user_ids: Sequence[int], window: Window) -> list[int]:
        return self._counts(f"the admin events of {len(user_ids)} accounts in {window}", user_ids, window)

    def _counts(self, about: str, user_ids: Sequence[int], window: Window) -> list[int]:
        with self._snapshot(about) as opened:
            return opened.counts(EVENTS, [opened.within(EVENTS, user_id, window) for user_id in user_ids])

    def repeated_ids(self, user_id: int, window: Window) -> Iterator[str]:
        with self._snapshot(_events_of(user_id, window)) as opened:
            yield from opened.repeated_ids(EVENTS, user_id, window)

    def unplaceable(self, user_id: int) -> Unplaceable:
        """Count the account's admin events whose `occurred_at` is missing or cannot be read."""
        with self._snapshot(f"the admin events of account {user_id} without a time that can be read") as opened:
            return unplaceable_rows(opened, EVENTS, user_id)

    def unplaceables(self, user_ids: Sequence[int]) -> Generator[Unplaceable]:
        with self._snapshot(f"the admin events of {len(user_ids)} accounts without a time that can be read") as opened:
            for user_id in user_ids:
                yield unplaceable_rows(opened, EVENTS, user_id)

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        with self.listing(user_id, window, line_details=False) as events:
            for record in events:
                yield self._item_id(record)

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[StreamedListing[EventRecord]]:  # noqa: ARG002 - an event has no lines
        with self._snapshot(_events_of(user_id, window)) as opened:
            read_at = opened.time()
            condition = opened.within(EVENTS, user_id, window)
            [counted] = opened.counts(EVENTS, [condition])
            # Closed before the connection is, also if the caller stops before the end.
            with closing(self._events(opened, user_id, condition)) as events:
                yield StreamedListing(counted, events, read_at=read_at)

    def check_readable(self, *, line_details: bool) -> None:  # noqa: ARG002 - an event has no lines
        """Check, without reading a row, whether a listing is possible.

        Raises PermanentError or TransientError if not.
        """
        with self._snapshot("the relation of admin events") as opened:
            opened.check_query(EVENTS, f"SELECT {select_events(opened, 0).columns} FROM {EVENTS}")  # noqa: S608 - constants

    def _snapshot(self, about: str) -> AbstractContextManager[Snapshot]:
        return snapshot(self._connect, self._dialect, about, self._mask_secrets)

    def _events(self, opened: Snapshot, user_id: int, condition: Condition) -> Generator[EventRecord]:
        # Ordered by id, so that a repeated one is seen.
        selection = select_events(opened, user_id)
        statement = (
            f"SELECT {selection.columns} FROM {EVENTS} WHERE {condition.text}"  # noqa: S608 - constants
            f" ORDER BY {self._dialect.order('e.event_id')}, e.occurred_at"
        )
        with closing(opened.rows(EVENTS, statement, condition.parameters)) as rows:
            yield from _records(rows, selection)


def _records(rows: Iterator[Row], selection: Selection) -> Iterator[EventRecord]:
    for row, repeated in with_repeats(rows, _EVENT_ID):
        record = event_record(row, selection.extra, selection.forms)
        if repeated:
            record.fault = QuarantineReason.DUPLICATE_EVENT_ID
            record.fault_explanation = (
                f"the source has more than one row with event_id {quoted(record.event_id)} in this window"
            )
        yield record


def _events_of(user_id: int, window: Window) -> str:
    return f"the admin events of account {user_id} in {window}"
