"""Plan: which accounts and windows a run has to do with, and in which slices."""

from __future__ import annotations

import functools
import itertools
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec

from job_history.accounts.account import Account
from job_history.accounts.variable import ACCOUNTS_VARIABLE, Accounts
from job_history.errors import PermanentError
from job_history.errors.finding import Finding
from job_history.ledger.known_accounts import KnownAccounts
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.model.window import Window, parts_of_at_most
from job_history.pipeline.count_batch import count_batch
from job_history.sources import Source, SupportsQuickCheck
from job_history.tables import text_table

log = logging.getLogger(__name__)

# A database that lets connections run into the void takes two minutes to fail, and a thousand accounts may be in it. The plan
# has others to think of, and half an hour: after that much in vain, who could not be counted yet is left to its own extract.
FAILED_COUNT_LIMIT_SECONDS = 600.0

SkipWindow = Callable[[Account, EventKind, Window], str | None]
"""Says of a window in which state it needs nothing; None: it is to be replicated."""


def skip_none(_account: Account, _kind: EventKind, _window: Window) -> str | None:
    """Have every window replicated, whatever its state."""
    return None


class PlannedWindow(msgspec.Struct):
    """An account's window in a run, for one kind of event.

    `counted` is None where the source was not or could not be asked; its extract asks. `blocked_by` is what a preflight
    found at the destination that somebody must mend first: then there are no slices. `settings_changes`: what of the account
    is set otherwise than in the run before.
    """

    user_id: int
    name: str
    window: Window
    enabled: bool
    counted: int | None
    slices: list[Slice]
    settings_hash: str
    destination: dict[str, Any]
    counted_by: str = "query"
    planned_at: str = ""
    kind: EventKind = EventKind.JOBS
    blocked_by: list[Finding] = []
    destination_hash: str = ""
    settings_changes: list[str] = []

    @property
    def label(self) -> str:
        return self.kind.of(f"{self.user_id} {self.name}")


class Plan(msgspec.Struct):
    """What a run set out to do. `faults`: accounts that could not be planned at all, each in a sentence.

    `considered` are the user_ids of all accounts that were to be planned, whatever their destination, and `planned` of those
    with this one. `standing`: how many windows need nothing, by the state that they are in. `settings` are those of planned
    accounts that are new or were changed, for the next run to know; `whole_list`: these are all accounts that there are.
    """

    run: str
    destination: str
    window: Window
    windows: list[PlannedWindow]
    faults: list[str]
    considered: list[int] = []
    planned: list[int] = []
    standing: dict[str, int] = {}
    settings: dict[str, dict[str, Any]] = {}
    whole_list: bool = False

    @property
    def slices(self) -> list[Slice]:
        return [slice_ for planned in self.windows for slice_ in planned.slices]


def plan(
    *,
    run: str,
    window: Window,
    accounts: Accounts,
    chosen: list[int],
    destination: str,
    source_of: Callable[[Account, EventKind], Source[Record]],
    max_jobs_per_slice: int,
    max_slices: int,
    planned_at: str = "",
    known: KnownAccounts | None = None,
    stands: SkipWindow = skip_none,
    clock: Callable[[], float] = time.monotonic,
) -> Plan:
    """Plan a run over those of the chosen accounts (none chosen: all) that go to this kind of destination.

    `known` are the accounts as the run before saw them; `clock` is in seconds. Raises PermanentError where no account is left
    to work on.
    """
    log.info(
        "Asked for: %s, window %s, destination %s.",
        f"accounts {chosen}" if chosen else "all accounts",
        window,
        destination,
    )
    known = known or KnownAccounts()
    to_do, faults = _chosen(accounts, chosen)
    if lost_half := known.lost_half(len(accounts.usable) + len(accounts.problems)):
        faults.append(lost_half)
    for fault in faults:
        log.error("Not replicated: %s", fault)
    if not to_do:
        raise PermanentError(
            f"No account of the Variable {ACCOUNTS_VARIABLE} can be replicated in window {window}: " + " ".join(faults)
        )
    here = [account for account in to_do if account.destination.type == destination]
    plan_ = Plan(
        run=run,
        destination=destination,
        window=window,
        windows=[],
        faults=faults,
        considered=[account.user_id for account in to_do],
        planned=[account.user_id for account in here],
        settings=known.differing(here),
        whole_list=not chosen and not faults,
    )
    for account in here:
        _add_windows(plan_, account, known, stands, planned_at)
    _ask_sources(plan_, {account.user_id: account for account in here}, source_of, max_jobs_per_slice, clock)
    _keep_below(max_slices, plan_)
    if plan_.standing:
        log.info("Nothing to do: %s.", readable_standing(plan_.standing))
    if plan_.windows:
        log.info("%s slices to replicate:\n%s", len(plan_.slices), _table(plan_))
    return plan_


def readable_standing(standing: dict[str, int]) -> str:
    """Write it as `24 windows complete`."""
    return ", ".join(
        f"{number:,} window{'s' * (number > 1)} {state.replace('_', ' ')}" for state, number in standing.items()
    )


def _chosen(accounts: Accounts, chosen: list[int]) -> tuple[list[Account], list[str]]:
    if not chosen:
        return list(accounts.usable.values()), list(accounts.messages)
    to_do: list[Account] = []
    faults: list[str] = []
    for user_id in dict.fromkeys(chosen):
        try:
            to_do.append(accounts.get(user_id))
        except PermanentError as fault:
            faults.append(str(fault))
    return to_do, faults


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


def _add_windows(plan_: Plan, account: Account, known: KnownAccounts, stands: SkipWindow, planned_at: str) -> None:
    changes = known.changes(account)
    for change in changes:
        log.warning("Account %s is set otherwise than in the run before: %s.", account.label, change)
    for hour, kind in itertools.product(plan_.window.hours(), account.events.kinds):
        if state := _state_in_which_it_stands(stands, account, kind, hour):
            plan_.standing[state] = plan_.standing.get(state, 0) + 1
            continue
        planned = _window_of(account, kind, hour, planned_at)
        planned.settings_changes = changes
        plan_.windows.append(planned)


def _state_in_which_it_stands(stands: SkipWindow, account: Account, kind: EventKind, hour: Window) -> str | None:
    try:
        return stands(account, kind, hour)
    except PermanentError as fault:
        # A receipt that cannot be read: this account's tasks meet it again, and tell it under its name.
        log.warning("Account %s, window %s is replicated: %s", kind.of(account.label), hour, fault)
        return None


def _ask_sources(
    plan_: Plan,
    accounts: dict[int, Account],
    source_of: Callable[[Account, EventKind], Source[Record]],
    max_jobs_per_slice: int,
    clock: Callable[[], float],
) -> None:
    patience = FAILED_COUNT_LIMIT_SECONDS
    to_ask = [(planned, accounts[planned.user_id]) for planned in plan_.windows if planned.enabled]
    counted = count_batch([(account, planned.kind, planned.window) for planned, account in to_ask], source_of)
    for planned, account in to_ask:
        planned.counted = counted.get((planned.user_id, planned.kind, planned.window))
        if planned.counted == 0:
            continue
        if patience <= 0:
            planned.slices = _slices(plan_.run, planned, [planned.window])
            continue
        began = clock()
        if not _ask_source(planned, plan_.run, functools.partial(source_of, account, planned.kind), max_jobs_per_slice):
            patience -= clock() - began
    if patience <= 0:
        log.warning("Sources that do not answer took too long: the windows behind them were not counted.")


def _ask_source(
    planned: PlannedWindow, run: str, source_of: Callable[[], Source[Record]], max_jobs_per_slice: int
) -> bool:
    """Count a window and cut it; returns whether its source could be asked."""
    window = planned.window
    try:
        source = source_of()
        if isinstance(source, SupportsQuickCheck):
            has_news = source.has_news(planned.user_id, window)
            planned.counted, planned.counted_by = None if has_news else 0, source.counts_by
            planned.slices = _slices(run, planned, [window] if has_news else [])
            return True
        if planned.counted is None:
            planned.counted = source.count(planned.user_id, window)
        parts = (
            parts_of_at_most(
                max_jobs_per_slice, window, planned.counted, lambda part: source.count(planned.user_id, part)
            )
            if planned.counted
            else []
        )
        planned.slices = _slices(run, planned, list(parts))
    except Exception as fault:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
        # Its own extract asks again, with its own retries, and fails under the account's name; the others go on.
        log.warning("The source of account %s, window %s could not be counted: %s", planned.label, window, fault)
        planned.slices = _slices(run, planned, [window])
        return False
    return True


def _slices(run: str, planned: PlannedWindow, parts: list[Window]) -> list[Slice]:
    return [
        Slice(
            run=run,
            user_id=planned.user_id,
            name=planned.name,
            kind=planned.kind,
            window=planned.window,
            part=part,
            number=number,
            of=len(parts),
        )
        for number, part in enumerate(parts, start=1)
    ]


def _keep_below(max_slices: int, plan_: Plan) -> None:
    """Leave windows whole where all their parts together are more than Airflow can map, and out what is still too many."""
    if len(plan_.slices) <= max_slices:
        return
    for planned in plan_.windows:
        if planned.slices:
            planned.slices = _slices(plan_.run, planned, [planned.window])
    too_many = len(plan_.slices) - max_slices
    if too_many <= 0:
        return
    # The oldest hours first: they are the first that a reconciliation no longer looks back to.
    with_slices = sorted(
        (planned for planned in plan_.windows if planned.slices), key=lambda planned: planned.window.start_text
    )
    left_over = {(planned.user_id, planned.kind, planned.window.start_text) for planned in with_slices[max_slices:]}
    plan_.windows = [
        planned
        for planned in plan_.windows
        if (planned.user_id, planned.kind, planned.window.start_text) not in left_over
    ]
    plan_.faults.append(
        f"{too_many:,} windows are left over: this run would need {max_slices + too_many:,} slices, more than Airflow maps in "
        f"one run ([core] max_map_length = {max_slices:,}). The oldest are replicated. Run it again for the others, start a "
        "backfill (one run for each hour), or raise max_map_length."
    )
    log.error("Not replicated: %s", plan_.faults[-1])


def _table(plan_: Plan) -> str:
    return text_table(
        ["account", "kind", "window", "counted", "slices"],
        (
            [
                f"{planned.user_id} {planned.name}",
                planned.kind.words,
                planned.window,
                "paused" if not planned.enabled else "unknown" if planned.counted is None else planned.counted,
                len(planned.slices),
            ]
            for planned in plan_.windows
        ),
    )
