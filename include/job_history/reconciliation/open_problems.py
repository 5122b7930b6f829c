"""What is left open after a reconciliation: problems of active accounts, and a log line for the others."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from job_history.ledger.open_windows import OpenWindow, OpenWindows, open_by_account
from job_history.ledger.receipt import Receipt
from job_history.limited_log import LimitedLog
from job_history.model.window import Window
from job_history.reconciliation.findings import Findings

log = logging.getLogger(__name__)


def open_problems(several: list[Findings], receipts: Iterable[Receipt], marks: OpenWindows) -> list[str]:
    """Return a problem for each account with windows that need a run and got none in this one.

    `receipts` are those of the windows that were run: they have problems of their own. `marks`: as they are now.
    """
    was_run = {OpenWindow.of(receipt) for receipt in receipts}
    with LimitedLog(log) as lines:
        for label, number in {label: number for each in several for label, number in each.resting.items()}.items():
            lines.warning("Not run: %s has %s open windows. They keep their marks.", label, f"{number:,}")
    problems = marks.unreadable_problems()
    still_open = open_by_account(marks.windows - was_run)
    for findings in several:
        without_room = _without_room(findings)
        for account in findings.accounts:
            label = account.kind.label(account.user_id, account.name)
            left = [
                window
                for window in still_open.get(account.key, [])
                if findings.looks_back or window.is_within(findings.window)
            ]
            if left:
                problems.append(_still_open(label, left, findings, account.key))
            if incomplete := without_room.get(account.key):
                problems.append(
                    f"Account {label}: {len(incomplete):,} windows lack jobs that the source lists, and there was no "
                    f"room for them in this run: {_range(incomplete)}. Run the reconciliation again."
                )
    return problems


def _without_room(findings: Findings) -> dict[str, list[Window]]:
    """Return the closed windows that lack jobs and are not run, by account."""
    found: dict[str, list[Window]] = {}
    for finding in findings.windows:
        if finding.missing and not finding.is_run:
            found.setdefault(f"{finding.user_id}/{finding.kind}", []).append(finding.window)
    return found


def _still_open(label: str, left: list[Window], findings: Findings, key: str) -> str:
    hourly = len(set(left) & set(findings.left_to_hourly))
    reasons = [f"{hourly:,} are left to the hourly runs that do them now"] if hourly else []
    if hourly < len(left):
        is_unreadable = key in findings.not_compared
        reasons.append("the account could not be compared" if is_unreadable else "this run had no room for them")
    return (
        f"Account {label}: {len(left):,} windows are open and were not run: {_range(left)}, because "
        f"{' and '.join(reasons)}. The next reconciliation runs them; to have them sooner, start it by hand or start a "
        "backfill."
    )


def _range(windows: list[Window]) -> str:
    first, last = min(windows), max(windows)
    return str(first) if first == last else f"{first.start_text} to {last.end_text}"
