"""Decides which windows a reconciliation runs: one of each account in turn, the oldest of an account first."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest

from job_history.errors import PermanentError, ReplicationError
from job_history.ledger.lateness import all_of
from job_history.ledger.open_windows import OpenWindow, OpenWindows
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipts_in_bulk import AskedReceipts, read_receipts_in_bulk
from job_history.limited_log import LimitedLog
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.reconciliation.findings import OPEN, Findings, WindowFinding
from job_history.storage import Storage

log = logging.getLogger(__name__)

HourlyRuns = Callable[[set[Window]], set[Window]]
"""Returns which of these hours an hourly run is about to do, or does now."""


@dataclass(frozen=True)
class Choice:
    """What a reconciliation may run: at most `limit` windows, of those that are open at any time in the past, or
    (`whole_record` is False) in the hours that it compares. `day` decides which account is the first.
    """

    limit: int
    day: date
    hourly_runs: HourlyRuns
    whole_record: bool = True


def choose_windows(findings: Findings, marks: OpenWindows, ledger: Storage, choice: Choice) -> None:
    """Set `is_run` of the windows to run, and add a finding for each of them that has none yet.

    Windows that are marked as open are run; so are those whose jobs or objects are missing, as `findings` has them. An
    open window is left to an hourly run that does it. If an account could not be compared, of its windows only those
    are run that were. The mark of a window that was closed meanwhile is deleted. The lateness of the windows that are
    not run is added to that of `findings`.
    """
    names = {
        (each.user_id, each.kind): each.name for each in findings.accounts if each.key not in findings.not_compared
    }
    known = {OpenWindow(each.user_id, each.kind, each.window): each for each in findings.windows}
    in_need = {window for window, finding in known.items() if finding.missing or findings.repairs(finding)}
    is_open = {
        mark
        for mark in marks.windows
        if (mark in known or (mark.user_id, mark.kind) in names)
        and (choice.whole_record or mark.window.is_within(findings.window))
    }
    left = choice.hourly_runs({mark.window for mark in is_open}) if is_open else set()
    findings.left_to_hourly = sorted(left)
    candidates = in_need | {mark for mark in is_open if mark.window not in left}
    for window in _chosen(candidates, known, marks, ledger, choice):
        finding = known.get(window) or _finding(window, names)
        if window not in known:
            findings.windows.append(finding)
        finding.is_run = True
    late = [each.lateness for each in findings.windows if each.lateness is not None and not each.is_run]
    findings.lateness = all_of([findings.lateness, *late])


def in_turn(windows: Iterable[OpenWindow], day: date) -> list[OpenWindow]:
    """Return the windows in the order in which they are run; each day begins with another account."""
    of_account: defaultdict[int, list[OpenWindow]] = defaultdict(list)
    for window in sorted(windows, key=lambda each: (each.window, each.kind)):
        of_account[window.user_id].append(window)
    order = sorted(of_account, key=lambda user_id: hashlib.sha256(f"{user_id} {day.isoformat()}".encode()).digest())
    rounds = zip_longest(*(of_account[user_id] for user_id in order))
    return [window for each in rounds for window in each if window is not None]


def _chosen(
    candidates: set[OpenWindow],
    known: dict[OpenWindow, WindowFinding],
    marks: OpenWindows,
    ledger: Storage,
    choice: Choice,
) -> list[OpenWindow]:
    """Return the first candidates in turn, without those whose receipt shows that they need no run."""
    in_order = in_turn(candidates, choice.day)
    checked = {window for window in candidates if window in known}
    while True:
        chosen = in_order[: choice.limit]
        unchecked = [window for window in chosen if window not in checked]
        if not unchecked:
            return chosen
        done = list(_needing_no_run(unchecked, ledger))
        marks.settle(done)
        checked.update(unchecked)
        in_need = {*in_order} - {OpenWindow.of(receipt) for receipt in done}
        in_order = [window for window in in_order if window in in_need]


def _needing_no_run(windows: list[OpenWindow], ledger: Storage) -> Iterator[Receipt]:
    of_account: defaultdict[tuple[int, EventKind], list[OpenWindow]] = defaultdict(list)
    for window in windows:
        of_account[window.user_id, window.kind].append(window)
    asked = [
        AskedReceipts(user_id, kind, [each.window for each in marked]) for (user_id, kind), marked in of_account.items()
    ]
    with LimitedLog(log) as lines:
        for each, receipts in zip(asked, read_receipts_in_bulk(ledger, asked), strict=True):
            if isinstance(receipts, PermanentError):
                # Its tasks meet the receipt again, and fail under the account's name.
                lines.warning(
                    "Account %s: an open window is run, although its receipt cannot be read: %s", each.user_id, receipts
                )
            elif isinstance(receipts, ReplicationError):
                raise receipts
            else:
                yield from (found for found in receipts if found and needs_no_run(found))


def needs_no_run(receipt: Receipt) -> bool:
    """Return whether no run is needed, or can change the window any more."""
    return receipt.state.closed or receipt.state is WindowState.UNRECOVERABLE


def _finding(mark: OpenWindow, names: dict[tuple[int, EventKind], str]) -> WindowFinding:
    return WindowFinding(
        user_id=mark.user_id,
        name=names[mark.user_id, mark.kind],
        kind=mark.kind,
        window=mark.window,
        state=OPEN,
    )
