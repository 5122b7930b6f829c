"""One task of a reconciliation: compare some accounts, a group at a time, and save what was found after each group."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from job_history.accounts.account import Account
from job_history.model.window import Window
from job_history.pipeline.comparison_files import (
    AccountToCompare,
    Comparison,
    ComparisonFiles,
    Progress,
    damaged_object,
)
from job_history.pipeline.fair_order import order_of_hour
from job_history.reconciliation.compare import Comparing
from job_history.reconciliation.findings import Findings, WindowFinding

log = logging.getLogger(__name__)

ACCOUNTS_A_GROUP = 64
"""Their receipts of the look-back are in memory together, some 10 MB. One with a longer look-back counts as several."""
MAX_SECONDS = 1_200.0
"""After this time a task begins no further group."""


@dataclass(frozen=True, kw_only=True)
class CompareAccounts:
    """`comparing_of` returns how accounts with a kind of destination are compared. `clock` is in seconds."""

    files: ComparisonFiles
    comparing_of: Callable[[str], Comparing]
    clock: Callable[[], float] = time.monotonic
    _comparing: dict[str, Comparing] = field(default_factory=dict, init=False)

    def run(self, comparison: Comparison, accounts: Iterable[Account]) -> Progress:
        """Compare what an earlier try has not compared, or all again if that compared all.

        `accounts`: the settings of those that are still to compare. A group that an earlier try began and did not end
        comes last: one of its accounts may have ended that try.
        """
        began = self.clock()
        progress = self.files.progress(comparison.number)
        if progress.is_whole:
            progress = Progress()
        progress.time_is_over = False
        suspects = {*progress.begun}
        waiting = {account.user_id: account for account in accounts}
        in_order = [waiting[each.user_id] for each in comparison.accounts if each.user_id in waiting]
        to_do = [account for account in in_order if account.user_id not in progress.done]
        weights = {
            user_id: -(-_length(own) // _length(comparison.hours)) for user_id, own in comparison.own_hours.items()
        }
        for group in _groups(to_do, suspects, weights, comparison.hours.end):
            if self.clock() - began > MAX_SECONDS:
                progress.time_is_over = True
                left = len(in_order) - len(progress.done)
                log.error("The time for this task is over: %s accounts were not compared.", left)
                break
            progress.begun = [account.user_id for account in group]
            self.files.save_progress(comparison.number, progress)
            progress.add(self._compared(comparison, group))
            progress.done += progress.begun
            progress.begun = []
        progress.is_whole = not progress.time_is_over
        self.files.save_progress(comparison.number, progress)
        return progress

    def _compared(self, comparison: Comparison, group: list[Account]) -> Findings:
        kind, lock, damaged = group[0].destination.type, threading.Lock(), 0
        with self.files.damage_writer(comparison.number) as (path, damages):

            def note(finding: WindowFinding, key: str) -> None:
                nonlocal damaged
                with lock:
                    damaged += 1
                    damages.append(damaged_object(finding, key))

            if kind not in self._comparing:
                self._comparing[kind] = self.comparing_of(kind)
            found = self._comparing[kind].compare(group, note)
        found.damages = [path] if damaged else []
        return found


def _length(hours: Window) -> timedelta:
    return hours.end - hours.start


def _groups(
    accounts: list[Account], suspects: set[int], weights: dict[int, int], until: datetime
) -> Iterator[list[Account]]:
    """Yield groups with one kind of destination each, in the order in which they are full; a suspect is alone, and
    those before it in the list may have no time left: each day another one is the first.

    `weights`: as how many an account counts, by user_id, if it is not one. `until`: the end of the hours compared.
    """
    filling: dict[str, list[Account]] = {}
    for account in accounts:
        if account.user_id in suspects:
            continue
        group = filling.setdefault(account.destination.type, [])
        group.append(account)
        if sum(weights.get(each.user_id, 1) for each in group) >= ACCOUNTS_A_GROUP:
            yield filling.pop(account.destination.type)
    yield from filling.values()
    alone = [account for account in accounts if account.user_id in suspects]
    yield from ([account] for account in order_of_hour(alone, lambda account: account.user_id, until))


def left_over(comparison: Comparison, progress: Progress, accounts: Iterable[Account]) -> Iterator[tuple[Account, str]]:
    """Yield the accounts that a task was to compare, and has not, each with the reason."""
    named: dict[int, AccountToCompare] = {each.user_id: each for each in comparison.accounts}
    missing = named.keys() - {*progress.done}
    task = f"the task `compare` of {comparison.label}"
    reason = (
        f"not compared, because {task} reached its limit of {MAX_SECONDS / 60:.0f} minutes. The next reconciliation "
        "begins with it; to compare these hours as well, start one by hand with this account and these hours."
        if progress.time_is_over
        else f"not compared, because {task} ended before it was done. See its log, and clear it."
    )
    yield from ((account, reason) for account in accounts if account.user_id in missing)
