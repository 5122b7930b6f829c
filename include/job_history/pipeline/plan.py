"""Plan: which accounts and windows a run is about."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from job_history.accounts.account import Account
from job_history.accounts.variable import ACCOUNTS_VARIABLE, Accounts
from job_history.errors import PermanentError
from job_history.ledger.known_accounts import KnownAccounts
from job_history.ledger.receipt_files import ReceiptFiles
from job_history.limited_log import LimitedLog
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.count_unplaceable import count_unplaceable
from job_history.pipeline.results import Plan, PlannedWindow
from job_history.pipeline.slicing import SourceOf, add_slices
from job_history.pipeline.time_of_plan import TimeOfPlan
from job_history.progress import readable_ids
from job_history.tables import text_table

log = logging.getLogger(__name__)

MAX_ROWS = 200
"""Of the table of windows in the log."""


class SeenWindow(NamedTuple):
    """What the ledger has of a window.

    `complete_as`: the state of a window that needs no run; None: it is to be replicated. `receipt_files`: None if they
    were not looked for.
    """

    complete_as: str | None = None
    receipt_files: ReceiptFiles | None = None


SkipWindow = Callable[[Account, EventKind, Window], SeenWindow]
WindowsOf = Callable[[Account], Iterable[tuple[EventKind, Window]]]
"""Returns the windows of an account that a run is about."""


def skip_none(_account: Account, _kind: EventKind, _window: Window) -> SeenWindow:
    """Have every window replicated, whatever its state."""
    return SeenWindow()


def plan(
    *,
    run: str,
    window: Window,
    accounts: Accounts,
    chosen: list[int],
    destination: str,
    source_of: SourceOf,
    max_jobs_per_slice: int,
    planned_at: str = "",
    known: KnownAccounts | None = None,
    skip: SkipWindow = skip_none,
    windows_of: WindowsOf | None = None,
    time_left: TimeOfPlan | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Plan:
    """Plan a run over those of the chosen accounts (none chosen: all) that have this kind of destination.

    `windows_of`: in place of the hours of `window`. `known` are the accounts as of the previous run. `time_left`: of
    the run's plans together; `clock` is in seconds. Raises PermanentError if no account is left.
    """
    log.info(
        "Asked for: %s, window %s, destination %s.",
        f"accounts {readable_ids(chosen)}" if chosen else "all accounts",
        window,
        destination,
    )
    known, time_left = known or KnownAccounts(), time_left or TimeOfPlan()
    considered, faults = _chosen(accounts, chosen)
    if lost_half := known.lost_half(len(accounts.usable) + len(accounts.problems)):
        faults.append(lost_half)
    with LimitedLog(log) as lines:
        for fault in faults:
            lines.error("Not replicated: %s", fault)
    if not considered:
        raise PermanentError(
            f"No account of the Variable {ACCOUNTS_VARIABLE} can be replicated in window {window}: " + " ".join(faults)
        )
    here = [account for account in considered if account.destination.type == destination]
    windows: list[PlannedWindow] = []
    plan_ = Plan(
        run=run,
        destination=destination,
        window=window,
        windows=windows,
        faults=faults,
        considered=[account.user_id for account in considered],
        planned=[account.user_id for account in here],
        active=[(account.user_id, kind) for account in here if account.enabled for kind in account.events.kinds],
        settings=known.differing(here),
        whole_list=not chosen and not faults,
    )
    hours = list(window.hours())
    with LimitedLog(log) as changed, LimitedLog(log) as unreadable:
        adding = _AddWindows(plan_, windows, known, skip, planned_at, changed, unreadable)
        for account in here:
            adding.of(account, windows_of(account) if windows_of else _every(hours, account))
    failed = add_slices(
        plan_,
        {account.user_id: account for account in here},
        source_of,
        max_jobs_per_slice=max_jobs_per_slice,
        time=time_left,
        clock=clock,
    )
    count_unplaceable(
        plan_, {account.user_id: account for account in here}, source_of, failed=failed, time=time_left, clock=clock
    )
    with LimitedLog(log) as lines:
        for message in plan_.unchecked:
            lines.warning("%s", message)
    if plan_.skipped:
        log.info("Nothing to do: %s.", readable_skipped(plan_.skipped))
    if costs := [planned.cost for planned in plan_.windows if planned.cost is not None]:
        log.info(
            "Reading takes about %s requests to the sources, %s minutes at their rate limits.",
            f"{sum(cost.requests for cost in costs):,}",
            f"{sum(cost.seconds for cost in costs) / 60:,.1f}",
        )
    if plan_.windows:
        log.info("%s slices to replicate:\n%s", f"{len(plan_.slices):,}", _table(plan_))
    return plan_


def readable_skipped(skipped: dict[str, int]) -> str:
    """Write the windows that need no run as `24 windows complete`."""
    return ", ".join(
        f"{number:,} window{'s' * (number > 1)} {state.replace('_', ' ')}" for state, number in skipped.items()
    )


def _chosen(accounts: Accounts, chosen: list[int]) -> tuple[list[Account], list[str]]:
    if not chosen:
        return list(accounts.usable.values()), accounts.messages
    considered: list[Account] = []
    faults: list[str] = []
    for user_id in dict.fromkeys(chosen):
        try:
            considered.append(accounts.get(user_id))
        except PermanentError as unusable:
            faults.append(str(unusable))
    return considered, faults


def _every(hours: list[Window], account: Account) -> Iterator[tuple[EventKind, Window]]:
    return ((kind, hour) for hour in hours for kind in account.events.kinds)


@dataclass(frozen=True)
class _AddWindows:
    """Adds windows to a plan. `changed` and `unreadable`: for what is logged of accounts."""

    plan: Plan
    windows: list[PlannedWindow]
    known: KnownAccounts
    skip: SkipWindow
    planned_at: str
    changed: LimitedLog
    unreadable: LimitedLog

    def of(self, account: Account, windows: Iterable[tuple[EventKind, Window]]) -> None:
        changes = self.known.changes(account)
        for change in changes:
            self.changed.warning("Account %s has changed settings since the previous run: %s.", account.label, change)
        for kind, hour in windows:
            seen = self._seen(account, kind, hour)
            if seen.complete_as:
                self.plan.skipped[seen.complete_as] = self.plan.skipped.get(seen.complete_as, 0) + 1
                continue
            planned = _window_of(account, kind, hour, self.planned_at)
            planned.settings_changes, planned.receipt_files = changes, seen.receipt_files
            self.windows.append(planned)

    def _seen(self, account: Account, kind: EventKind, hour: Window) -> SeenWindow:
        try:
            return self.skip(account, kind, hour)
        except PermanentError as unreadable:
            # A damaged receipt: this account's tasks meet it again, and fail under the account's name.
            self.unreadable.warning("Account %s, window %s is replicated: %s", kind.of(account.label), hour, unreadable)
            return SeenWindow()


def _window_of(account: Account, kind: EventKind, window: Window, planned_at: str) -> PlannedWindow:
    return PlannedWindow(
        user_id=account.user_id,
        name=account.name,
        kind=kind,
        window=window,
        enabled=account.enabled,
        counted=None,
        slices=[],
        settings_hash=account.settings_hash,
        destination=account.destination.model_dump(exclude_none=True),
        destination_hash=account.destination_hash,
        planned_at=planned_at,
    )


def _table(plan_: Plan) -> str:
    """Return a row for each window, those with slices first; of a quiet hour of many accounts only the first."""
    in_order = sorted(plan_.windows, key=lambda planned: not planned.slices)
    table = text_table(
        ["account", "kind", "window", "counted", "slices"],
        (
            [
                f"{planned.user_id} {planned.name}",
                planned.kind.words,
                planned.window,
                "paused" if not planned.enabled else "unknown" if planned.counted is None else planned.counted,
                len(planned.slices),
            ]
            for planned in in_order[:MAX_ROWS]
        ),
    )
    more = len(in_order) - MAX_ROWS
    return f"{table}\n... and {more:,} windows more." if more > 0 else table
