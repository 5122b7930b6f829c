"""Which window a run is about: its parameters, else its data interval, else the last full hour before it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from job_history.window import Window, asked_window, last_full_hour


class DagRun(Protocol):
    """As far as a window depends on a run; what a task's context has as `dag_run`."""

    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime


def window_of(dag_run: DagRun, params: Mapping[str, Any]) -> Window:
    """Return the run's window. Raises PermanentError where its parameters make none."""
    asked = asked_window(params.get("window_start"), params.get("window_end"))
    if asked is not None:
        return asked
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    # A run without a logical date has no interval; a timetable without intervals gives empty ones.
    if start is not None and end is not None and start < end:
        return Window(start, end)
    return last_full_hour(dag_run.run_after)
