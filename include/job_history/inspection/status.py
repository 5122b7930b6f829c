"""Status: the state of each account's windows, by their receipts alone; it asks neither source nor destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby, islice
from threading import Lock
from typing import NamedTuple

import msgspec
from cachetools import LRUCache, cached
from msgspec.structs import replace

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.ledger.lateness import Lateness
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_files import ReceiptFiles, day_folder_of, receipt_files, window_folder
from job_history.ledger.receipt_store import read_by_files
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage

# A day of a thousand accounts and some more, at about 1 kB each.
MAX_STANDINGS_REMEMBERED = 30_000
# Folders listed and read together. More do not help a disk; a bucket answers each request after some 30 ms.
FOLDERS_AT_ONCE_IN_A_BUCKET = 64


class HourState(StrEnum):
    """The state of a window, as status shows it.

    LATE: complete, and some of its jobs were delivered late. OPEN: it has settled, and there is no receipt. WAITING: it
    has not settled yet. The others are the receipt's states.
    """

    COMPLETE = "complete"
    LATE = "late"
    COMPLETE_WITH_QUARANTINE = "complete_with_quarantine"
    OPEN = "open"
    FAILED = "failed"
    UNRECOVERABLE = "unrecoverable"
    DISABLED = "disabled"
    WAITING = "waiting"

    @property
    def needs_run(self) -> bool:
        """Return whether documents may be missing at the destination."""
        return self in {HourState.OPEN, HourState.FAILED, HourState.UNRECOVERABLE}


# gc=False: creating thousands of them would trigger full collections; they contain no cycles.
class WindowStatus(msgspec.Struct, kw_only=True, frozen=True, gc=False):
    """The state of an account's window. Times are ISO 8601 in UTC, and empty if there is no receipt.

    `runs`, the oldest first, are the folders of the runs that the receipt remembers; `last_fault` is the error of the
    newest that failed; `closed_at` is the end of the first that closed the window. `is_unreadable`: its receipt cannot
    be read, and `last_fault` explains why. `bytes`: of all documents, delivered
    or present; `found_after` counts the late jobs, by `lateness.BUCKETS`.
    """

    user_id: int
    name: str
    kind: EventKind
    window: Window
    state: HourState
    listed: int = 0
    delivered: int = 0
    already_present: int = 0
    filtered: int = 0
    quarantined: int = 0
    late: int = 0
    read_at: str = ""
    finished_at: str = ""
    closed_at: str = ""
    bytes: int = 0
    found_after: dict[str, int] = {}
    runs: list[str] = []
    last_fault: str | None = None
    is_unreadable: bool = False

    @property
    def label(self) -> str:
        return self.kind.label(self.user_id, self.name)


class _Run(msgspec.Struct, gc=False):
    run: str
    finished_at: str
    state: WindowState
    faults: list[str]


class _Counts(msgspec.Struct, gc=False):
    listed: int
    delivered: int
    already_present: int
    filtered: dict[str, int]
    quarantined: dict[str, int]
    late: int = 0
    bytes: int = 0


class _ReceiptPart(msgspec.Struct, gc=False):
    """The part of a receipt that a status needs; the rest is not kept."""

    state: WindowState
    counts: _Counts
    read_at: str = ""
    lateness: Lateness = msgspec.field(default_factory=Lateness)
    runs: list[_Run] = []


def statuses(
    ledger: Storage, accounts: Iterable[Account], window: Window, now: datetime, settle: timedelta
) -> Iterator[WindowStatus]:
    """Yield the status of each hour of the window, the earliest first: by account, in the order given, and kind of
    event.

    An account that is paused and has no receipt for an hour is `disabled`. This process reads a receipt again only
    after it has changed.
    """
    hours_by_day = list(_by_day(window))
    days = (
        _Day(account, kind, hours) for account in accounts for kind in account.events.kinds for hours in hours_by_day
    )
    if ledger.is_local:
        for day in days:
            yield from day.reported(ledger, now, settle)
        return
    with ThreadPoolExecutor(FOLDERS_AT_ONCE_IN_A_BUCKET, "status") as readers:
        while some := list(islice(days, FOLDERS_AT_ONCE_IN_A_BUCKET)):
            for reported in readers.map(lambda day: list(day.reported(ledger, now, settle)), some):
                yield from reported


def _by_day(window: Window) -> Iterator[list[Window]]:
    for _, hours in groupby(window.hours(), lambda hour: hour.start.date()):
        yield list(hours)


class _Day(NamedTuple):
    """The hours of one day of an account, for one kind of event: their receipts are in one folder."""

    account: Account
    kind: EventKind
    hours: list[Window]

    def reported(self, ledger: Storage, now: datetime, settle: timedelta) -> Iterator[WindowStatus]:
        """Listing the folder once costs one request; looking for each receipt would cost one for each hour."""
        try:
            versions = dict(ledger.versions(day_folder_of(self.account.user_id, self.kind, self.hours[0])))
        except PermanentError as unreadable:
            yield from (self._by_receipt(hour, str(unreadable)) for hour in self.hours)
            return
        files = receipt_files(versions)
        for hour in self.hours:
            of_hour = files.get(window_folder(self.account.user_id, self.kind, hour))
            if of_hour:
                part = _receipt_part(ledger, of_hour, " ".join(versions[path] for path in of_hour.paths))
                yield self._by_receipt(hour, part)
            else:
                yield self._status(hour, self._without_receipt(hour, now, settle))

    def _without_receipt(self, hour: Window, now: datetime, settle: timedelta) -> HourState:
        if not self.account.enabled:
            return HourState.DISABLED
        return HourState.WAITING if now < hour.end + settle else HourState.OPEN

    def _by_receipt(self, hour: Window, reported: _ReceiptPart | str) -> WindowStatus:
        if isinstance(reported, str):
            return replace(self._status(hour, HourState.FAILED), last_fault=reported, is_unreadable=True)
        counts = reported.counts
        late = counts.late > 0 and reported.state is WindowState.COMPLETE
        return replace(
            self._status(hour, HourState.LATE if late else HourState(reported.state)),
            listed=counts.listed,
            delivered=counts.delivered,
            already_present=counts.already_present,
            filtered=sum(counts.filtered.values()),
            quarantined=sum(counts.quarantined.values()),
            late=counts.late,
            read_at=reported.read_at,
            finished_at=reported.runs[-1].finished_at if reported.runs else "",
            closed_at=next((entry.finished_at for entry in reported.runs if entry.state.closed), ""),
            bytes=counts.bytes,
            found_after=reported.lateness.found_after,
            runs=[entry.run for entry in reported.runs],
            last_fault=next((entry.faults[-1] for entry in reversed(reported.runs) if entry.faults), None),
        )

    def _status(self, hour: Window, state: HourState) -> WindowStatus:
        return WindowStatus(
            user_id=self.account.user_id, name=self.account.name, kind=self.kind, window=hour, state=state
        )


@cached(
    LRUCache(MAX_STANDINGS_REMEMBERED),
    key=lambda ledger, files, version: (ledger.root, files, version),
    lock=Lock(),
)
def _receipt_part(ledger: Storage, files: ReceiptFiles, version: str) -> _ReceiptPart | str:  # noqa: ARG001 - the version is for the cache
    """Read a receipt. A damaged one is returned as a message, so that the others are shown all the same."""
    try:
        [receipt] = read_by_files(ledger, [files])
        return msgspec.convert(receipt, _ReceiptPart, from_attributes=True)
    except PermanentError as damaged:
        return str(damaged)
