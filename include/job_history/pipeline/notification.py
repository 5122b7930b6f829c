"""Decides what a report has to notify: what began to fail, what still fails after a day, and what has recovered."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from job_history.errors import ReplicationError
from job_history.errors.problem import Problem, parse_problem
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_store import read_receipt
from job_history.ledger.status_file import AccountStatus, Notified, Status
from job_history.model.window import Window
from job_history.pipeline.run_outcome import RunOutcome
from job_history.storage import Storage

REMIND_AFTER = timedelta(hours=24)
INSTALLATION = "installation"
"""The key of problems that belong to no account: settings that cannot be read, a plan that failed. The code follows."""
MAX_NAMED = 50


class Failing(msgspec.Struct):
    """An account that needs attention, or the installation.

    `still`: it was notified before, and still fails. `others`: the number of its further problems.
    """

    key: str
    account: str
    window: str
    code: str
    cause: str
    fix: str
    still: bool = False
    others: int = 0


class Message(msgspec.Struct):
    """A notification. `text` is for people, the other fields for programs. It holds no secret.

    `recovered` are user_ids, and `installation` with a code. `resolved`: nothing fails any more.
    """

    subject: str
    text: str
    failing: list[Failing]
    recovered: list[str]
    resolved: bool
    status_url: str


class Notice(msgspec.Struct):
    """A message to send, and what the status must remember after it was sent."""

    message: Message
    notified: dict[str, Notified]


def failing_after(outcome: RunOutcome, status: Status, ledger: Storage) -> dict[str, Failing]:
    """Return what fails after a run, by user_id, or by `installation` and the code: one entry for each of them."""
    failing: dict[str, Failing] = {}
    for problem in map(parse_problem, [*outcome.problems, *status.left_by_backfills.values()]):
        _add(failing, problem)
    for entry in status.accounts.values():
        key = str(entry.user_id)
        if entry.active and entry.open and entry.oldest_open is not None and key not in failing:
            fault = _fault_of(ledger, entry, entry.oldest_open)
            failing[key] = _entry(key, parse_problem(fault))
            failing[key].account = f"{entry.user_id} {entry.name}".strip()
            failing[key].window = entry.oldest_open.start_text
    return failing


def _fault_of(ledger: Storage, entry: AccountStatus, window: Window) -> str:
    """Return why an open window needs a run; if its receipt cannot be read, that is why."""
    try:
        receipt = read_receipt(ledger, entry.user_id, entry.kind, window)
    except ReplicationError as error:
        return str(error)
    return receipt.faults[-1] if receipt and receipt.faults else "A window needs a run."


def failing_installation(reason: str) -> dict[str, Failing]:
    """Return what fails if a report could not be made at all."""
    failing: dict[str, Failing] = {}
    _add(failing, parse_problem(reason))
    return failing


def left_by_backfills(outcome: RunOutcome, before: dict[str, str]) -> dict[str, str]:
    """Return the last problem of each account that backfills left, such as a window that is unrecoverable.

    Windows that need a run are not among them: the status has those. `before`: of earlier runs; what this one repaired
    is left out.
    """
    done = {(str(each.user_id), each.window.start_text) for each in outcome.receipts}
    left = {key: text for key, text in before.items() if (key, parse_problem(text).start) not in done}
    failed = {
        (str(each.user_id), each.window.start_text) for each in outcome.receipts if each.state is WindowState.FAILED
    }
    for text in outcome.problems:
        problem = parse_problem(text)
        if (_key(problem), problem.start) not in failed:
            left[_key(problem)] = text
    return left


def notice_of(
    failing: dict[str, Failing],
    outcome: RunOutcome | None,
    status: Status,
    before: dict[str, Notified],
    now: datetime,
    *,
    status_url: str,
) -> Notice | None:
    """Return what to notify after a run, all in one message, or None if nothing has changed since the last one.

    `before` is what one notifier took and has not recovered since; without an outcome, nothing is known to be over. The
    message may be empty: then only what the status remembers has changed.
    """
    opened = {str(entry.user_id) for entry in status.accounts.values() if entry.active and entry.open}
    opened |= _not_planned(outcome)
    due = {key for key in failing if key not in before or now - before[key].at >= REMIND_AFTER}
    over = {key for key in before if outcome and key not in failing and _is_known_to_be_over(key, outcome, opened)}
    recovered = sorted(key for key in over if before[key].open)
    notified = {key: Notified(each.at, each.open or key in opened) for key, each in before.items() if key not in over}
    notified |= {key: Notified(now, open=key in opened or _is_of_installation(key)) for key in due}
    if notified == before:
        return None
    named = [replace(failing[key], still=key in before) for key in sorted(due)]
    return Notice(_message(named, recovered, resolved=not notified, status_url=status_url), notified)


def _add(failing: dict[str, Failing], problem: Problem) -> None:
    """Add a problem; of an account that has one already, only the number is noted."""
    key = _key(problem)
    if key in failing:
        failing[key].others += 1
    else:
        failing[key] = _entry(key, problem)


def _key(problem: Problem) -> str:
    if problem.account:
        return problem.account.partition(" ")[0]
    return f"{INSTALLATION} {problem.code}".rstrip()


def _is_of_installation(key: str) -> bool:
    return key.partition(" ")[0] == INSTALLATION


def _not_planned(outcome: RunOutcome | None) -> set[str]:
    """Return the accounts whose settings cannot be used: they recover when they can, whatever their windows are."""
    return {_key(parse_problem(fault)) for plan in (outcome.plans if outcome else []) for fault in plan.faults}


def _entry(key: str, problem: Problem) -> Failing:
    return Failing(key, problem.account, problem.start, problem.code, problem.cause, problem.fix)


def _is_known_to_be_over(key: str, outcome: RunOutcome, opened: set[str]) -> bool:
    """A run of some accounts does not know of the others."""
    if _is_of_installation(key):
        return bool(outcome.plans)
    seen = outcome.whole_list or key in {str(receipt.user_id) for receipt in outcome.receipts}
    return seen and key not in opened


def _message(failing: list[Failing], recovered: list[str], *, resolved: bool, status_url: str) -> Message:
    parts = []
    if failing:
        parts.append(f"{_accounts([each.key for each in failing])} failing")
    if recovered:
        parts.append(f"{_accounts(recovered)} recovered")
    lines: list[str] = []
    for each in failing[:MAX_NAMED]:
        still = " (still failing)" if each.still else ""
        lines.append(" ".join(filter(None, ("FAILED", each.account or "installation", each.window))) + still)
        more = f"and {each.others:,} more problems: see the log of `report`" if each.others else ""
        lines += [f"  {line}" for line in (each.code, each.cause, each.fix, more) if line]
    if len(failing) > MAX_NAMED:
        lines.append(f"... and {len(failing) - MAX_NAMED:,} more.")
    lines += [
        f"RECOVERED {key}: none of its windows is open any more, or it was paused or removed."
        for key in recovered
        if not _is_of_installation(key)
    ]
    lines += [f"RECOVERED {key}: the last run did not have it." for key in recovered if _is_of_installation(key)]
    lines += [f"Status page: {status_url}"] if status_url else []
    subject = f"Job history replication: {', '.join(parts) or 'nothing fails any more'}"
    return Message(subject, "\n".join(lines), failing, recovered, resolved, status_url)


def _accounts(keys: list[str]) -> str:
    if all(map(_is_of_installation, keys)):
        return "the installation"
    return f"{len(keys):,} {'account' if len(keys) == 1 else 'accounts'}"
