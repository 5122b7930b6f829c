"""The window of a run: its parameters, else its data interval, else the last full hour before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from job_history.errors import PermanentError
from job_history.ledger.reconciled import MAX_LOOK_BACK
from job_history.ledger.status_file import ExpectedBy
from job_history.model.timestamp import format_time
from job_history.model.window import HOUR, Window, last_full_hour, requested_window
from job_history_airflow.dag_ids import RECONCILIATION_DAG

# After its window has ended and settled, a run has so long until it must have reported.
TIME_TO_REPORT = timedelta(hours=1)
BETWEEN_RECONCILIATIONS = timedelta(days=1)


class DagRun(Protocol):
    """The attributes of a task context's `dag_run` that decide its window."""

    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime


class ScheduledRun(DagRun, Protocol):
    """The attributes that decide when the next run is expected."""

    dag_id: str
    run_type: Any


def window_of(dag_run: DagRun, params: Mapping[str, Any]) -> Window:
    """Return the run's window. Raises PermanentError if its parameters are not a window."""
    asked = requested_window(params.get("window_start"), params.get("window_end"))
    if asked is not None:
        return asked
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    # A run without a logical date has no interval; a timetable without intervals gives empty ones.
    if start is not None and end is not None and start < end:
        return Window(start, end)
    return last_full_hour(dag_run.run_after)


def look_back_of(
    dag_run: DagRun,
    params: Mapping[str, Any],
    *,
    settle: timedelta,
    lookback: timedelta,
    start_date: datetime | None,
    reconciled_until: datetime | None = None,
) -> Window:
    """Return the hours that a daily reconciliation compares. Raises PermanentError if its parameters are not a window.

    They end with the newest hour that has settled and whose own run has had another hour, and begin a day plus the
    look-back earlier: so each hour is compared once it is as old as the look-back, whatever its time of day
    (docs/decisions/0007). If days had no reconciliation, they begin the look-back before the last finished one ended
    (`reconciled_until`), at most 31 days earlier. If the parameters ask for hours that have not settled, those are left
    out: their receipts would close them too early. Hours before `start_date` are left out unless the parameters ask for
    them.
    """
    asked = requested_window(params.get("window_start"), params.get("window_end"))
    if asked is not None:
        settled = last_full_hour(dag_run.run_after - settle).end
        if asked.start >= settled:
            raise PermanentError(
                f"Nothing of the window {asked} has settled yet, so there is nothing to compare. Ask for hours that "
                f"ended by {format_time(settled)}."
            )
        return Window(asked.start, min(asked.end, settled))
    end = last_full_hour(dag_run.run_after - settle - HOUR).end
    start = end - BETWEEN_RECONCILIATIONS - lookback
    if reconciled_until is not None:
        start = min(start, max(last_full_hour(reconciled_until).end - lookback, end - MAX_LOOK_BACK))
    if start_date is not None:
        first_whole_hour = last_full_hour(start_date + HOUR - timedelta.resolution).end
        start = min(max(start, first_whole_hour), end - HOUR)
    return Window(start, end)


def expected_by(dag_run: ScheduledRun, settle: timedelta) -> ExpectedBy:
    """Return when the next run of this DAG must have reported: the end of its next window, the settle time, one hour.

    Only a scheduled run moves it: a backfill does not hide that the DAG is paused.
    """
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    if dag_run.run_type != "scheduled" or start is None or end is None:
        return ExpectedBy()
    moment = end + (end - start) + settle + TIME_TO_REPORT
    if dag_run.dag_id == RECONCILIATION_DAG:
        return ExpectedBy(reconciliation=moment)
    return ExpectedBy(replication=moment)
