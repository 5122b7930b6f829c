"""The last state of each account, for the list of accounts: from the ledger's status file, in one read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from job_history.errors import ReplicationError
from job_history.ledger.receipt import WindowState
from job_history.ledger.status_file import AccountStatus, SealHead, read_status
from job_history.model.event_kind import EventKind
from job_history_airflow.ui.durations import readable_duration
from job_history_airflow.ui.status.replication_status import ledger

_WORST_FIRST = (
    WindowState.FAILED,
    WindowState.UNRECOVERABLE,
    WindowState.COMPLETE_WITH_QUARANTINE,
    WindowState.COMPLETE,
    WindowState.DISABLED,
    None,
)


@dataclass(frozen=True)
class LatestState:
    """Of jobs and admin events, as far as they are switched on, the worse `state`: that of the newest window, or failed
    if an older one is open. `open` is their sum; `since_success` is "2 h 5 min", of the earlier success.

    `seals` is the newest seal of the jobs, or else of the events; None: no window is sealed yet.
    """

    state: WindowState | None
    open: int
    since_success: str
    seals: SealHead | None


def latest_states() -> dict[int, LatestState] | None:
    """Return the states by user_id; None if the status file cannot be read.

    An account that no run has reported yet is not in it.
    """
    try:
        status = read_status(ledger())
    except ReplicationError:
        return None
    of_account: defaultdict[int, list[AccountStatus]] = defaultdict(list)
    for each in status.accounts.values() if status else ():
        of_account[each.user_id].append(each)
    return {user_id: _latest(kinds) for user_id, kinds in of_account.items()}


def _latest(kinds: list[AccountStatus]) -> LatestState:
    # An account that is paused has no active kind; one that was just switched on has no window yet.
    kinds = [each for each in kinds if each.active] or kinds
    kinds = [each for each in kinds if each.newest] or kinds
    ends = [each.last_complete.end if each.last_complete else None for each in kinds]
    behind = None if None in ends else min(end for end in ends if end is not None)
    return LatestState(
        min(map(_state, kinds), key=_WORST_FIRST.index),
        sum(each.open for each in kinds),
        "never" if behind is None else readable_duration((datetime.now(UTC) - behind).total_seconds()),
        next(
            (each.seals for each in sorted(kinds, key=lambda each: each.kind is not EventKind.JOBS) if each.seals), None
        ),
    )


def _state(account: AccountStatus) -> WindowState | None:
    return WindowState.FAILED if account.open and (account.state is None or account.state.closed) else account.state
