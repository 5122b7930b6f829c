"""The last state of each account, for the list of accounts: from the ledger's status file, in one read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from job_history.errors import ReplicationError
from job_history.ledger.receipt import WindowState
from job_history.ledger.status_file import AccountStatus, SealHead, read_status
from job_history.model.event_kind import EventKind
from job_history_airflow.ui.durations import readable_duration
from job_history_airflow.ui.status.replication_status import ledger


@dataclass(frozen=True)
class LatestState:
    """`state` is that of the newest window, or failed if an older one is open; `since_success` is "2 h 5 min".

    `seals` is the newest seal; None: no window is sealed yet.
    """

    state: WindowState | None
    open: int
    since_success: str
    seals: SealHead | None


def latest_states() -> dict[int, LatestState]:
    """Return the states by user_id. An account that no run has reported yet is not in it; nor is any without a file."""
    try:
        status = read_status(ledger())
    except ReplicationError:
        return {}
    accounts = [] if status is None else [each for each in status.accounts.values() if each.kind is EventKind.JOBS]
    others = [] if status is None else [each for each in status.accounts.values() if each.kind is not EventKind.JOBS]
    # Jobs win over admin events, of which many accounts have none.
    return {each.user_id: _latest(each) for each in (*others, *accounts)}


def _latest(account: AccountStatus) -> LatestState:
    last = account.last_complete
    seconds = None if last is None else (datetime.now(UTC) - last.end).total_seconds()
    state = WindowState.FAILED if account.open and (account.state is None or account.state.closed) else account.state
    return LatestState(state, account.open, "never" if seconds is None else readable_duration(seconds), account.seals)
