"""What is overdue by `_control/status.json`: a scheduled run that did not report, or a window that is open too long."""

from __future__ import annotations

from datetime import datetime, timedelta

from job_history.ledger.status_file import Status
from job_history.model.timestamp import format_time


def overdue(status: Status, now: datetime, fail_after: timedelta) -> list[str]:
    """Return a sentence for each scheduled run that is late, and for the oldest window that is open for too long.

    A window is open from its end on; windows of paused and removed accounts do not count.
    """
    late = [
        f"No scheduled run of job_history_{dag} has reported since {format_time(moment)}, when it should have. "
        "Look whether the scheduler runs and the DAG is not paused."
        for dag, moment in (
            ("replication", status.expected_by.replication),
            ("reconciliation", status.expected_by.reconciliation),
        )
        if moment is not None and moment < now
    ]
    oldest = status.oldest_open
    if oldest is not None and now - oldest.window.end > fail_after:
        account = status.accounts.get(f"{oldest.user_id}/{oldest.kind}")
        label = oldest.kind.of(f"{oldest.user_id} {account.name if account else ''}".strip())
        hours = (now - oldest.window.end).total_seconds() / 3600
        late.append(
            f"Account {label}, window {oldest.window.start_text}: it needs a run since {hours:,.1f} hours; "
            f"{status.open:,} windows do. The status page and the log of `report` have the cause."
        )
    return late
