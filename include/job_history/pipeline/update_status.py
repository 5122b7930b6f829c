"""Updates `_control/status.json` by what a run knows: its receipts, its accounts, and the open windows."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime

from job_history.errors import ReplicationError
from job_history.ledger.lateness import all_of
from job_history.ledger.missed_hours import without_receipts
from job_history.ledger.open_windows import OpenWindow, open_by_account
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_store import Recorded
from job_history.ledger.status_file import AccountStatus, ExpectedBy, OldestOpen, Status, rewrite_status
from job_history.model.event_kind import EventKind
from job_history.packed_records import in_groups
from job_history.pipeline.results import Plan
from job_history.reconciliation.findings import Findings
from job_history.seals.needs import SealReport
from job_history.seals.sealing import later_head
from job_history.storage import Storage, at_once
from job_history_verify.moments import LATEST_EXPECTED

log = logging.getLogger(__name__)


def update_status(
    ledger: Storage,
    *,
    plans: list[Plan],
    whole_list: bool,
    newest: Collection[Recorded],
    marks: set[OpenWindow],
    reconciled: list[Findings],
    expected: ExpectedBy,
    now: datetime,
    seals: SealReport | None = None,
) -> Status | None:
    """Rewrite the status, and return it; None if it was not written.

    `newest` are the newest revisions of the run's windows, `marks` the open windows after it. `whole_list`: the plans
    are of all accounts of the Variable. `expected` has what this run moves; None leaves what was there. It raises
    nothing: a status that cannot be written is a warning, and the watch notices that it is old.
    """

    def make(before: Status | None) -> Status:
        accounts = before.accounts if before else {}
        scheduled_until = before.scheduled_until if before else None
        _add_windows(accounts, newest, reconciled, scheduled_until)
        accounts = _of_the_variable(accounts, plans, marks, whole_list=whole_list)
        _drop_reported_hours(ledger, accounts.values())
        for key, head in (seals.heads if seals else {}).items():
            if key in accounts:
                accounts[key].seals = later_head(accounts[key].seals, head)
        status = _status(accounts, marks, _latest(before.expected_by if before else ExpectedBy(), expected, now), now)
        # Only a scheduled hourly run sets this.
        reported = {each.receipt.window.end for each in newest} if expected.replication else set()
        ends = [each for each in (scheduled_until, *reported) if each is not None and each <= now]
        status.scheduled_until = max(ends, default=None)
        known = seals.unsealed if seals else 0
        status.unsealed = known if known is not None else before.unsealed if before else 0
        if before is not None:
            status.notified, status.left_by_backfills = before.notified, before.left_by_backfills
        return status

    try:
        written = rewrite_status(ledger, make)
    except ReplicationError as error:
        log.warning("The status in the ledger was not updated: %s", error)
        return None
    if written is None:
        log.info("The status in the ledger is later than this run's, and was left as it is.")
    return written


def _add_windows(
    accounts: dict[str, AccountStatus],
    newest: Collection[Recorded],
    reconciled: list[Findings],
    scheduled_until: datetime | None,
) -> None:
    for rebuilt in [each for findings in reconciled for each in findings.accounts]:
        if (earlier := accounts.get(rebuilt.key)) is not None:
            rebuilt.add_newer(earlier)
        accounts[rebuilt.key] = rebuilt
    for (user_id, kind), of_account in in_groups(newest, lambda each: (each.receipt.user_id, each.receipt.kind)):
        for each in sorted(of_account, key=lambda each: each.receipt.window):
            _entry(accounts, user_id, kind).add(each.receipt, scheduled_until)


def _drop_reported_hours(ledger: Storage, accounts: Iterable[AccountStatus]) -> None:
    """Take from the missed hours those that have a receipt. Nothing is asked if none is missed, which is usual."""

    def look(entry: AccountStatus) -> None:
        entry.missed = without_receipts(ledger, entry.user_id, entry.kind, entry.missed)

    if missing := [entry for entry in accounts if entry.missed]:
        at_once(look, missing)


def _of_the_variable(
    accounts: dict[str, AccountStatus], plans: list[Plan], marks: set[OpenWindow], *, whole_list: bool
) -> dict[str, AccountStatus]:
    """Note which accounts are active, and drop those that are no longer in the Variable and have no open window."""
    active = {each for plan in plans for each in plan.active}
    planned = {user_id for plan in plans for user_id in plan.planned}
    marked = {(mark.user_id, mark.kind) for mark in marks}
    for user_id, kind in active | marked:
        _entry(accounts, user_id, kind)
    kept: dict[str, AccountStatus] = {}
    for key, entry in sorted(accounts.items()):
        if whole_list or entry.user_id in planned:
            entry.active = (entry.user_id, entry.kind) in active
        if not whole_list or entry.user_id in planned or (entry.user_id, entry.kind) in marked:
            kept[key] = entry
    return kept


def _entry(accounts: dict[str, AccountStatus], user_id: int, kind: EventKind) -> AccountStatus:
    new = AccountStatus(user_id=user_id, kind=kind)
    return accounts.setdefault(new.key, new)


def _status(
    accounts: dict[str, AccountStatus], marks: set[OpenWindow], expected_by: ExpectedBy, now: datetime
) -> Status:
    opened = open_by_account(marks)
    states: Counter[str] = Counter()
    for key, entry in accounts.items():
        windows = opened.get(key, [])
        entry.open, entry.oldest_open = len(windows), next(iter(windows), None)
        states[WindowState.COMPLETE] += max(0, entry.windows - len(entry.unusual))
        states.update(each.state for each in entry.unusual.values())
    active = [entry for entry in accounts.values() if entry.active]
    unusual = [each for entry in accounts.values() for each in entry.unusual.values()]
    return Status(
        generated_at=now,
        expected_by=expected_by,
        states={state: states[state] for state in WindowState if states[state]},
        open=sum(entry.open for entry in active),
        resting=sum(entry.open for entry in accounts.values() if not entry.active),
        oldest_open=_oldest(active, now),
        gap=sum(max(0, each.gap) for each in unusual),
        quarantine=sum(each.quarantined for each in unusual),
        late_p95_seconds=all_of([each.lateness for each in unusual]).found_within_seconds(95),
        accounts=accounts,
    )


def _oldest(active: list[AccountStatus], now: datetime) -> OldestOpen | None:
    found = [(entry.oldest_open, entry.user_id, entry.kind) for entry in active if entry.oldest_open is not None]
    if not found:
        return None
    window, user_id, kind = min(found)
    return OldestOpen(user_id, kind, window, age_seconds=int((now - window.end).total_seconds()))


def _latest(before: ExpectedBy, expected: ExpectedBy, now: datetime) -> ExpectedBy:
    """Return the later moment of each DAG: a run that catches up an old hour moves nothing back.

    A moment too late to be true, by a wrong clock, is left out: nothing would ever be late again.
    """

    def later(*moments: datetime | None) -> datetime | None:
        return max((each for each in moments if each and each - now <= LATEST_EXPECTED), default=None)

    return ExpectedBy(
        replication=later(before.replication, expected.replication),
        reconciliation=later(before.reconciliation, expected.reconciliation),
    )
