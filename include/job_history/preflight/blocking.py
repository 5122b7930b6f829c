"""First thing in a run: destinations that never passed are checked, and accounts with errors are blocked before
their source is read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from job_history.accounts.account import Account
from job_history.errors.code import Severity
from job_history.errors.finding import Finding
from job_history.limited_log import LimitedLog
from job_history.pipeline.fair_order import order_of_hour
from job_history.pipeline.results import Plan
from job_history.pipeline.time_of_plan import Budget, TimeOfPlan
from job_history.preflight.check import CHECKS_AT_ONCE, Check, run_check
from job_history.preflight.notes import PreflightNotes
from job_history.progress import readable_ids
from job_history.storage import as_they_end

log = logging.getLogger(__name__)

Findings = list[Finding]


def block_failing_accounts(
    plan: Plan,
    accounts: Mapping[int, Account],
    *,
    check_of: Callable[[Account], Check],
    passed: PreflightNotes,
    now: datetime,
    again: bool = False,
    time_left: TimeOfPlan | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Check the destinations of the plan's accounts that have not passed yet. `time_left`: of the run's plans
    together; `clock` is in seconds.

    Which accounts are checked if time is short changes each hour; the log names those that were not.

    `again`: the task is tried or cleared once more, and its first try may have noted failures that no report had.

    With slices: an error among the findings takes the account's slices. A transient finding blocks nothing: the load
    task has retries, and finds out. Without slices: an error is a problem of the run, and the windows are complete all
    the same; one that failed is checked again after a day, and by each further try of the task.
    """
    checks, time_left = _Checks(check_of, clock), time_left or TimeOfPlan()
    with_slices = dict.fromkeys(planned.user_id for planned in plan.windows if planned.slices)

    def in_order(user_ids: Iterable[int]) -> list[Account]:
        not_passed = passed.not_passed(accounts[user_id] for user_id in user_ids)
        return order_of_hour(not_passed, lambda account: account.user_id, plan.window.start)

    def note_if_passed(account: Account, findings: Findings) -> None:
        if not _errors(findings) and not _has_transient(findings):
            passed.note_passed(account, findings, now)

    checked = checks.run(in_order(with_slices), note_if_passed, time_left.preflights)
    _log(checked)
    _take_slices(plan, {account.user_id: errors for account, findings in checked if (errors := _errors(findings))})

    def note(account: Account, findings: Findings) -> None:
        if _errors(findings) or _has_transient(findings):
            passed.note_failed(account, findings, now)
        else:
            passed.note_passed(account, findings, now)

    without_slices = dict.fromkeys(planned.user_id for planned in plan.windows if planned.enabled)
    idle = in_order(user_id for user_id in without_slices if user_id not in with_slices)
    due = passed.due(idle, now, failed_lately=again)
    checked = checks.run(due, note, time_left.idle_preflights)
    _log(checked)
    plan.destination_problems += [
        f"preflight of account {account.label}: {error}" for account, findings in checked for error in _errors(findings)
    ]


class _Checks:
    """Looks connections up one after another, and runs the checks together: few more than are under way are kept."""

    def __init__(self, check_of: Callable[[Account], Check], clock: Callable[[], float]) -> None:
        self._check_of, self._clock = check_of, clock

    def run(
        self, accounts: list[Account], note: Callable[[Account, Findings], None], time: Budget
    ) -> list[tuple[Account, Findings]]:
        """Return the findings of the accounts whose check could begin in the time that is left; log the others.

        `note` gets each account's findings, in the thread of its check.
        """
        if not accounts:
            return []

        def to_check(is_over: Callable[[], bool]) -> Iterator[tuple[Account, Check]]:
            for account in accounts:
                if is_over():
                    return
                yield account, self._check_of(account)

        def check_and_note(each: tuple[Account, Check]) -> tuple[int, Findings]:
            account, check = each
            found = run_check(check, f"Account {account.label}")
            note(account, found)
            return account.user_id, found

        with time.spent(self._clock) as is_over:
            found = dict(as_they_end(check_and_note, to_check(is_over), at_once=CHECKS_AT_ONCE))
        if left := [account for account in accounts if account.user_id not in found]:
            log.warning(
                "Preflight: %s accounts were not checked, because other checks took too long: %s. Another hour begins "
                "with other accounts.",
                f"{len(left):,}",
                readable_ids(account.user_id for account in left),
            )
        return [(account, found[account.user_id]) for account in accounts if account.user_id in found]


def _errors(findings: Findings) -> Findings:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def _has_transient(findings: Findings) -> bool:
    return any(finding.severity is Severity.TRANSIENT for finding in findings)


def _take_slices(plan: Plan, blocked: Mapping[int, Findings]) -> None:
    for planned in plan.windows:
        if planned.slices and (errors := blocked.get(planned.user_id)):
            planned.slices = []
            planned.blocked_by = errors


def _log(checked: list[tuple[Account, Findings]]) -> None:
    with LimitedLog(log) as lines:
        for account, finding in [(account, finding) for account, findings in checked for finding in findings]:
            level = logging.ERROR if finding.severity is Severity.ERROR else logging.WARNING
            lines.log(level, "Preflight of account %s: %s", account.label, finding)
    if passed := [account.user_id for account, findings in checked if not findings]:
        log.info("Preflight: the destinations of these accounts take what is delivered: %s.", readable_ids(passed))
