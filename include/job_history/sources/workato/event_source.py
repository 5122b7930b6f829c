"""Admin events of a workspace, from the activity log of the platform's own API."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import msgspec

from job_history.documents.event_document import item_id_of
from job_history.errors import TransientError, UnrecoverableError
from job_history.model.admin_event import EventRecord
from job_history.model.ids import Id
from job_history.model.window import Window, is_older_than
from job_history.sources.listing import StreamedListing
from job_history.sources.workato.activity import (
    ENTRIES_A_SHORTER_PAGE,
    entries,
    entry_id_of,
    event_record,
    must_show_activity,
)
from job_history.sources.workato.checkpoint import Checkpoint, checkpoint_or_passing
from job_history.sources.workato.client import WorkatoClient
from job_history.sources.workato.reading import FIRST_LISTING, SECOND_LISTING
from job_history.sources.workato.request_log import log_requests
from job_history.sources.workato.workspace import WorkspaceCheck

log = logging.getLogger(__name__)

# Documented: how long the platform keeps its activity log by default.
RETENTION = timedelta(days=365)
_PORTION = "activity"


class _Read(msgspec.Struct):
    listed: int
    counted: int


class WorkatoEventSource:
    """Reads one workspace's activity log, twice if there is anything in it: the second listing counts."""

    counts_by = FIRST_LISTING

    def __init__(
        self,
        client: WorkatoClient,
        *,
        checkpoint: Checkpoint | None = None,
        retention: timedelta = RETENTION,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`checkpoint`: where a task that is tried again finds what it has read. `clock` is in seconds since 1970."""
        self._client = client
        self._checkpoint = checkpoint
        self._retention = retention
        self._clock = clock
        self._workspace = WorkspaceCheck(client)

    def count(self, user_id: int, window: Window) -> int:  # noqa: ARG002 - the token, or its customer, is the account
        with log_requests(self._client, "counting", window):
            self._check_age(window)
            return sum(1 for _ in entries(self._client, window))

    def has_news(self, user_id: int, window: Window) -> bool:
        """Return whether anything occurred in the window: usually for one request, or two if nothing did.

        Raises PermanentError if nothing did, and the workspace is not `user_id`.
        """
        with log_requests(self._client, "looking for news in", window):
            self._check_age(window)
            is_quiet = next(entries(self._client, window), None) is None
            if is_quiet:
                self._workspace.check(user_id)  # as no listing will
            return not is_quiet

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        with log_requests(self._client, "comparing", window):
            self._check_age(window)
            for entry in entries(self._client, window):
                yield item_id_of(event_record(entry, user_id=user_id))

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[StreamedListing[EventRecord]]:  # noqa: ARG002 - an event has no lines
        """Read the window's entries, then yield them.

        Raises:
            PermanentError: the workspace is not `user_id`.
            UnrecoverableError: the platform no longer has them.
            TransientError: two listings differ.
        """
        with checkpoint_or_passing(self._checkpoint) as checkpoint, log_requests(self._client, "reading", window):
            self._check_age(window)
            self._workspace.check(user_id)
            read_at = self._client.server_time
            read = checkpoint.note(_PORTION, _Read) or self._read(user_id, window, checkpoint)
            yield StreamedListing(
                read.counted, checkpoint.records(_PORTION, EventRecord), SECOND_LISTING, read_at=read_at
            )
            # If a task that succeeded is cleared, the platform is to be read again.
            checkpoint.clear()

    def check_readable(self, *, line_details: bool) -> None:  # noqa: ARG002 - an event has no lines
        """Ask for the token's workspace, and for one entry.

        Raises PermanentError or TransientError if a listing would.
        """
        self._workspace.ask()
        must_show_activity(self._client)

    def check_account(self, user_id: int) -> None:
        """Raise PermanentError if the workspace is not `user_id`."""
        self._workspace.check(user_id)

    def _read(self, user_id: int, window: Window, checkpoint: Checkpoint) -> _Read:
        known: set[Id | None] = set()
        with checkpoint.writer(_PORTION) as staged:
            for entry in entries(self._client, window):
                staged.append(event_record(entry, user_id=user_id))
                known.add(entry_id_of(entry))
        again = [entry_id_of(entry) for entry in entries(self._client, window, page_size=ENTRIES_A_SHORTER_PAGE)]
        counted, others = len(again), len(set(again) - known)
        if staged.records != counted or others:
            raise TransientError(
                f"{self._client} lists {staged.records} admin events of the window {window}, and the second time "
                f"{counted}, {others} of them others. Nothing was delivered, because events may be missing; the next "
                "try reads them again. If it persists, raise [job_history] settle_minutes: the platform may show "
                "events late."
            )
        read = _Read(staged.records, counted)
        checkpoint.keep(_PORTION, read)
        return read

    def _check_age(self, window: Window) -> None:
        if is_older_than(window, self._retention, self._clock()):
            raise UnrecoverableError(
                f"The window {window} begins before what the platform's activity log still holds "
                f"(source.activity_retention_days is {self._retention.days}). Its admin events can no longer be read; "
                "what was delivered in time is at the destination."
            )
