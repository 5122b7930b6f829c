"""First thing in a run: destinations that never passed are checked, and accounts with errors are blocked before
their source is read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from job_history.accounts.account import Account
from job_history.errors.code import Severity
from job_history.errors.finding import Finding
from job_history.pipeline.results import Plan
from job_history.preflight.check import Check, run_check
from job_history.preflight.notes import PreflightNotes

log = logging.getLogger(__name__)

# They wait for answers nearly all the time.
CHECKS_AT_ONCE = 16
# A thousand new accounts at a store that does not answer must not use up the time of the plan.
MAX_SECONDS = 600.0
MAX_SECONDS_WITHOUT_SLICES = 120.0

Findings = list[Finding]


def block_failing_accounts(
    plan: Plan,
    accounts: Mapping[int, Account],
    *,
    check_of: Callable[[Account], Check],
    passed: PreflightNotes,
    now: datetime,
    again: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Check the destinations of the plan's accounts that have not passed yet. `clock` is in seconds.

    `again`: the task is tried or cleared once more, and its first try may have noted failures that no report had.

    With slices: an error among the findings takes the account's slices. A transient finding blocks nothing: the load
    task has retries, and finds out. Without slices: an error is a problem of the run, and the windows are complete all
    the same; one that failed is checked again after a day, and by each further try of the task.
    """
    checks = _Checks(check_of, clock)
    with_slices = dict.fromkeys(planned.user_id for planned in plan.windows if planned.slices)
    for account, findings in checks.run(passed.not_passed(accounts[user_id] for user_id in with_slices), MAX_SECONDS):
        errors = _errors(findings)
        _log(account, findings)
        if errors:
            _take_slices(plan, account, errors)
        elif findings is not None and not _has_transient(findings):
            passed.note_passed(account, findings, now)
    without_slices = dict.fromkeys(planned.user_id for planned in plan.windows if planned.enabled)
    idle = [accounts[user_id] for user_id in without_slices if user_id not in with_slices]
    for account, findings in checks.run(
        passed.due(passed.not_passed(idle), now, failed_lately=again), MAX_SECONDS_WITHOUT_SLICES
    ):
        if findings is None:
            continue  # no time was left: it is first in the next run
        _log(account, findings)
        plan.destination_problems += [f"preflight of account {account.label}: {error}" for error in _errors(findings)]
        if _errors(findings) or _has_transient(findings):
            passed.note_failed(account, findings, now)
        else:
            passed.note_passed(account, findings, now)


class _Checks:
    """Looks connections up one after another, and runs the checks together."""

    def __init__(self, check_of: Callable[[Account], Check], clock: Callable[[], float]) -> None:
        self._check_of, self._clock = check_of, clock

    def run(self, accounts: list[Account], seconds: float) -> list[tuple[Account, Findings | None]]:
        """Return each account's findings; None for a check that could not begin within so many seconds."""
        if not accounts:
            return []
        checks = [self._check_of(account) for account in accounts]
        deadline = self._clock() + seconds

        def in_time(account: Account, check: Check) -> Findings | None:
            return None if self._clock() > deadline else run_check(check, f"Account {account.label}")

        with ThreadPoolExecutor(CHECKS_AT_ONCE) as threads:
            return list(zip(accounts, threads.map(in_time, accounts, checks), strict=True))


def _errors(findings: Findings | None) -> Findings:
    return [finding for finding in findings or [] if finding.severity is Severity.ERROR]


def _has_transient(findings: Findings) -> bool:
    return any(finding.severity is Severity.TRANSIENT for finding in findings)


def _take_slices(plan: Plan, account: Account, errors: Findings) -> None:
    for planned in plan.windows:
        if planned.user_id == account.user_id and planned.slices:
            planned.slices = []
            planned.blocked_by = errors


def _log(account: Account, findings: Findings | None) -> None:
    if findings is None:
        log.warning("Preflight of account %s: not checked, because other checks took too long.", account.label)
    elif not findings:
        log.info("Preflight of account %s: its destination takes what is delivered.", account.label)
    for finding in findings or []:
        level = logging.ERROR if finding.severity is Severity.ERROR else logging.WARNING
        log.log(level, "Preflight of account %s: %s", account.label, finding)
