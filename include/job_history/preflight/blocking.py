"""First thing in a run: accounts whose destination cannot take anything are held back, before their source is read."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from job_history.accounts.account import Account
from job_history.errors import TransientError
from job_history.errors.code import Severity
from job_history.errors.finding import Finding
from job_history.pipeline.results import Plan
from job_history.preflight.check import Check, run_check
from job_history.preflight.passed import PassedPreflights

log = logging.getLogger(__name__)

# They wait for answers nearly all the time.
CHECKS_AT_ONCE = 16
# A thousand new accounts at a store that does not answer must not use up the time of the plan.
MAX_SECONDS = 600.0


def block_failing_accounts(
    plan: Plan,
    accounts: Mapping[int, Account],
    *,
    check_of: Callable[[Account], Check],
    passed: PassedPreflights,
    now: datetime,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Check the destinations of the accounts that have something to deliver, and have not passed yet.

    With an error among its findings, an account's windows lose their slices and keep the findings. What may pass by
    itself holds nothing back: the load task has retries, and finds out. `clock` is in seconds.
    """
    with_slices = dict.fromkeys(planned.user_id for planned in plan.windows if planned.slices)
    to_check = passed.lacking(accounts[user_id] for user_id in with_slices)
    # Connections are looked up here, one after another; what the checks ask is asked together.
    checks = [check_of(account) for account in to_check]
    in_time = _until(clock() + MAX_SECONDS, clock)
    with ThreadPoolExecutor(CHECKS_AT_ONCE) as threads:
        found = list(threads.map(run_check, map(in_time, checks), [f"Account {account.label}" for account in to_check]))
    for account, findings in zip(to_check, found, strict=True):
        _log(account, findings)
        severities = {finding.severity for finding in findings}
        if Severity.ERROR in severities:
            _take_slices(plan, account, findings)
        elif Severity.TRANSIENT not in severities:
            passed.note(account, findings, now)


def _until(deadline: float, clock: Callable[[], float]) -> Callable[[Check], Check]:
    """Let checks begin before the deadline only."""

    def in_time(check: Check) -> Check:
        def check_in_time() -> list[Finding]:
            if clock() > deadline:
                raise TransientError("others took too long, and the run has to go on")
            return check()

        return check_in_time

    return in_time


def _take_slices(plan: Plan, account: Account, findings: list[Finding]) -> None:
    for planned in plan.windows:
        if planned.user_id == account.user_id and planned.slices:
            planned.slices = []
            planned.blocked_by = [finding for finding in findings if finding.severity is Severity.ERROR]


def _log(account: Account, findings: list[Finding]) -> None:
    if not findings:
        log.info("Preflight of account %s: its destination takes what is delivered.", account.label)
    for finding in findings:
        level = logging.ERROR if finding.severity is Severity.ERROR else logging.WARNING
        log.log(level, "Preflight of account %s: %s", account.label, finding)
