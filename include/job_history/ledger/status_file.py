"""`_control/status.json`: the state of the whole installation in one small file, for a watch that sees only the ledger.

Each report and each reconciliation rebuilds it: the accounts of the run from their receipts, the open windows from one
listing, the other accounts from the file before. It is a summary; nothing else of the ledger is decided by it. Moments
are ISO 8601 in UTC. It holds no secret.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger import missed_hours
from job_history.ledger.decoding import decoded
from job_history.ledger.lateness import Lateness
from job_history.ledger.receipt import Receipt, WindowState
from job_history.model.event_kind import EventKind
from job_history.model.window import HOUR, Window
from job_history.storage import Storage
from job_history_verify.moments import CLOCK_TOLERANCE

log = logging.getLogger(__name__)

PATH = "_control/status.json"
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
VERSION = 1
# A reconciliation looks back no further, and starts each account again from what it saw.
MAX_REMEMBERED = timedelta(days=31)


class ExpectedBy(msgspec.Struct):
    """When the next scheduled run of each DAG must have reported; None: no scheduled run of it has reported yet."""

    replication: Moment | None = None
    reconciliation: Moment | None = None


class Notified(msgspec.Struct):
    """What was notified of an account, or of the installation, and when last. `open`: it had a window to run."""

    at: Moment
    open: bool


class SealHead(msgspec.Struct):
    """The newest seal of an account's chain. `key`: fingerprint of the key that signed it, None if it is not signed.

    `copied`: the last seal that is in the account's bucket, `copied_to` its URL; `not_copied_since`: when copying first
    failed.
    """

    seq: int
    sha256: str
    key: str | None = None
    copied: int = 0
    copied_to: str | None = None
    not_copied_since: Moment | None = None


class UnusualWindow(msgspec.Struct, omit_defaults=True):
    """A window that is not complete, or has a gap, quarantined or late records. What is not written is 0."""

    state: WindowState
    gap: int = 0
    quarantined: int = 0
    lateness: Lateness = msgspec.field(default_factory=Lateness)


class AccountStatus(msgspec.Struct, kw_only=True):
    """One account, for one kind of event.

    `active`: it is in the Variable, not paused, and the kind is switched on. `state` is that of `newest`, the newest
    window with a receipt. `windows`: the number of windows with a receipt from `since` on; those that are not plainly
    complete are in `unusual`, by the slug of the window. `open`: windows that need a run, however old. `missed`: hours
    after a scheduled run that have no receipt, although a later hour has one. `compared_until`: the end of the newest
    look-back that compared the account; None: none has.
    """

    user_id: int
    name: str = ""
    kind: EventKind
    active: bool = True
    state: WindowState | None = None
    newest: Window | None = None
    last_complete: Window | None = None
    since: Moment | None = None
    windows: int = 0
    unusual: dict[str, UnusualWindow] = {}
    open: int = 0
    oldest_open: Window | None = None
    missed: list[Window] = []
    seals: SealHead | None = None
    compared_until: Moment | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if a key of `unusual` is no window."""
        for slug in self.unusual:
            Window.from_slug(slug)

    @property
    def key(self) -> str:
        return f"{self.user_id}/{self.kind}"

    def add(self, receipt: Receipt, scheduled_until: datetime | None = None) -> None:
        """Add a window, or replace what is known of it. Of one before `since`, little is kept.

        `scheduled_until`: the end of the last scheduled run's window. Hours from then on that the new window leaves out
        are `missed`; None: no hour is expected.
        """
        window = receipt.window
        self.name = receipt.name
        was_missed = any(window.is_within(each) for each in self.missed)
        self.missed = missed_hours.without(self.missed, window)
        if self.newest and scheduled_until and (expected := max(self.newest.end, scheduled_until)) < window.start:
            self.missed.append(Window(expected, window.start))
        if receipt.state.closed and (self.last_complete is None or window > self.last_complete):
            self.last_complete = window
        if self.newest is None or self.since is None:
            self.since = window.start
        elif window.start < self.since:
            return
        if self.newest is None or window.start >= self.newest.end or was_missed:
            self.windows += 1
        if self.newest is None or window >= self.newest:
            self.newest, self.state = window, receipt.state
        self.unusual.pop(window.slug, None)
        if unusual := _unusual(receipt):
            self.unusual[window.slug] = unusual
        self._forget(self.newest.end - MAX_REMEMBERED)

    def _forget(self, before: datetime) -> None:
        if self.since is not None and self.since < before:
            self.since, self.windows = before, min(self.windows, MAX_REMEMBERED // HOUR)
            self.unusual = {slug: each for slug, each in self.unusual.items() if Window.from_slug(slug).start >= before}
        self.missed = missed_hours.since(self.missed, before)

    def add_newer(self, before: AccountStatus) -> None:
        """Take from an earlier status its seals, and the windows that are later than those of this one.

        Of its missed hours, those that this one compared are marked as open, or have a receipt.
        """
        self.seals = before.seals
        compared = self.newest and self.since and Window(self.since, self.newest.end)
        self.missed = missed_hours.without(before.missed, compared) if compared else before.missed
        self.compared_until = max(filter(None, [self.compared_until, before.compared_until]), default=None)
        self.last_complete = max(filter(None, [self.last_complete, before.last_complete]), default=None)
        if before.newest is None:
            return
        if self.newest is None:
            self.since, self.windows, self.unusual = before.since, before.windows, dict(before.unusual)
        elif before.newest.start >= self.newest.end:
            end = self.newest.end
            self.windows += (before.newest.end - end) // HOUR
            later = {slug: each for slug, each in before.unusual.items() if Window.from_slug(slug).start >= end}
            self.unusual |= later
        else:
            return
        self.newest, self.state = before.newest, before.state


class OldestOpen(msgspec.Struct):
    """The oldest open window of an active account; `age_seconds` from its end to `generated_at`."""

    user_id: int
    kind: EventKind
    window: Window
    age_seconds: int


class Status(msgspec.Struct, kw_only=True):
    """The file. `states`: windows by state, as far back as `accounts` go. `open`: windows of active accounts that need
    a run; `resting`: those of accounts that are paused or no longer in the Variable. `unsealed`: windows that wait for
    a seal. `accounts` by `<user_id>/<kind>`.

    `notified`, by notifier: who was notified to fail, and has not recovered since: user_ids, and `installation`.
    `scheduled_until`: the end of the newest window of a scheduled hourly run that planned each account.
    `left_by_backfills`: the last problem of each account that backfills left, for the next other run to notify.
    `late_p95_seconds`: 95 of 100 late records were found within so many seconds of their end; None: none was late.
    """

    version: int = VERSION
    generated_at: Moment
    expected_by: ExpectedBy = msgspec.field(default_factory=ExpectedBy)
    scheduled_until: Moment | None = None
    states: dict[str, int] = {}
    open: int = 0
    resting: int = 0
    oldest_open: OldestOpen | None = None
    gap: int = 0
    quarantine: int = 0
    late_p95_seconds: int | None = None
    notified: dict[str, dict[str, Notified]] = {}
    left_by_backfills: dict[str, str] = {}
    unsealed: int = 0
    accounts: dict[str, AccountStatus] = {}

    def __post_init__(self) -> None:
        """Raise ValueError if an account is not at its own key."""
        if any(key != account.key for key, account in self.accounts.items()):
            raise ValueError("an account is at the key of another")


def read_status(ledger: Storage) -> Status | None:
    """Read the file; None if there is none. Raises PermanentError if it is damaged, or of a newer release."""
    content = ledger.read(PATH)
    return None if content is None else decoded(content, Status, ledger.url(PATH))


def rewrite_status(ledger: Storage, make: Callable[[Status | None], Status]) -> Status | None:
    """Overwrite the file by what `make` returns for the one that is there (None: there is none, or it is damaged).

    Returns what was written; None if the file was generated later. One of the future does not count: else a single
    machine with a wrong clock would end all updates. Raises PermanentError if it is of a newer release, and what the
    ledger raises.
    """
    try:
        before = read_status(ledger)
    except PermanentError as error:
        if error.code is not Code.LEDGER_FILE_DAMAGED:
            raise
        log.warning("%s is damaged, and is built again from the receipts of this run.", ledger.url(PATH))
        before = None
    status = make(before)
    if before is not None and before.generated_at > status.generated_at:
        if before.generated_at <= status.generated_at + CLOCK_TOLERANCE:
            return None
        log.warning("%s is of the future (%s), and is written again: a clock is wrong.", PATH, before.generated_at)
    ledger.write(PATH, msgspec.json.encode(status))
    return status


def _unusual(receipt: Receipt) -> UnusualWindow | None:
    quarantined = sum(receipt.counts.quarantined.values())
    if receipt.state is WindowState.COMPLETE and not (receipt.gap or quarantined or receipt.lateness.jobs):
        return None
    return UnusualWindow(receipt.state, receipt.gap, quarantined, receipt.lateness)
