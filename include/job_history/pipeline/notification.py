"""Decides what a report has to notify: what began to fail, what still fails after a day, and what has recovered."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from job_history.errors.problem import Problem, parse_problem
from job_history.ledger.receipt_store import read_receipt
from job_history.ledger.status_file import Notified, Status
from job_history.pipeline.run_outcome import RunOutcome
from job_history.storage import Storage

REMIND_AFTER = timedelta(hours=24)
INSTALLATION = "installation"
"""The key of problems that belong to no account: settings that cannot be read, a plan that failed."""
MAX_NAMED = 50


class Failing(msgspec.Struct):
    """An account that needs attention, or the installation. `since_last`: it was notified before, and still fails."""

    key: str
    account: str
    window: str
    code: str
    cause: str
    fix: str
    still: bool = False


class Message(msgspec.Struct):
    """A notification. `text` is for people, the other fields for programs. It holds no secret.

    `recovered` are user_ids, and `installation`. `resolved`: nothing fails any more.
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


def notice_of(outcome: RunOutcome, status: Status, ledger: Storage, now: datetime, status_url: str) -> Notice | None:
    """Return what to notify after a run, all in one message, or None if nothing has changed since the last one.

    Its message may be empty: then only what the status remembers has changed.
    """
    failing = _failing(outcome, status, ledger)
    opened = {str(entry.user_id) for entry in status.accounts.values() if entry.active and entry.open}
    before = status.notified
    due = {key for key in failing if key not in before or now - before[key].at >= REMIND_AFTER}
    over = {key for key in before if key not in failing and _is_known_to_be_over(key, outcome, opened)}
    recovered = sorted(key for key in over if before[key].open)
    notified = {key: Notified(each.at, each.open or key in opened) for key, each in before.items() if key not in over}
    notified |= {key: Notified(now, open=key in opened or key == INSTALLATION) for key in due}
    if notified == before:
        return None
    named = [failing[key] for key in sorted(due)]
    for each in named:
        each.still = each.key in before
    return Notice(_message(named, recovered, resolved=not notified, status_url=status_url), notified)


def _failing(outcome: RunOutcome, status: Status, ledger: Storage) -> dict[str, Failing]:
    failing: dict[str, Failing] = {}
    for problem in map(parse_problem, outcome.problems):
        key = problem.account.partition(" ")[0] if problem.account else INSTALLATION
        failing.setdefault(key, _entry(key, problem))
    for entry in status.accounts.values():
        key = str(entry.user_id)
        if entry.active and entry.open and entry.oldest_open is not None and key not in failing:
            receipt = read_receipt(ledger, entry.user_id, entry.kind, entry.oldest_open)
            fault = receipt.faults[-1] if receipt and receipt.faults else "A window needs a run."
            failing[key] = _entry(key, parse_problem(fault))
            failing[key].account = f"{entry.user_id} {entry.name}".strip()
            failing[key].window = entry.oldest_open.start_text
    return failing


def _entry(key: str, problem: Problem) -> Failing:
    return Failing(key, problem.account, problem.start, problem.code, problem.cause, problem.fix)


def _is_known_to_be_over(key: str, outcome: RunOutcome, opened: set[str]) -> bool:
    """A run of some accounts does not know of the others."""
    if key == INSTALLATION:
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
        lines += [f"  {line}" for line in (each.code, each.cause, each.fix) if line]
    if len(failing) > MAX_NAMED:
        lines.append(f"... and {len(failing) - MAX_NAMED:,} more.")
    lines += [
        f"RECOVERED {key}: none of its windows is open any more, or it was paused or removed."
        for key in recovered
        if key != INSTALLATION
    ]
    lines += [f"RECOVERED {INSTALLATION}: the run was planned again." for key in recovered if key == INSTALLATION]
    lines += [f"Status page: {status_url}"] if status_url else []
    subject = f"Job history replication: {', '.join(parts) or 'nothing fails any more'}"
    return Message(subject, "\n".join(lines), failing, recovered, resolved, status_url)


def _accounts(keys: list[str]) -> str:
    if keys == [INSTALLATION]:
        return "the installation"
    return f"{len(keys):,} {'account' if len(keys) == 1 else 'accounts'}"
