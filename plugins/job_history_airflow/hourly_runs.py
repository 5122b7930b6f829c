"""Asks Airflow which hours an hourly run does, so that the reconciliation leaves these to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError

from job_history.errors import TransientError
from job_history.model.window import Window
from job_history_airflow.dag_ids import REPLICATION_DAG

# A paused DAG keeps its runs queued for ever, so an older hour is not left to a queued run.
QUEUED_RUNS_TRUSTED = timedelta(hours=6)
# Their dates are in the URL of one request to the API server; proxies take 8 kB and more.
HOURS_PER_REQUEST = 100


def hours_of_hourly_runs(task_instance: Any, hours: set[Window], now: datetime) -> set[Window]:
    """Return the hours with an hourly run that is running, or queued if the hour ended less than 6 hours ago.

    Asks for all hours together, and for each only if there is such a run. Raises TransientError if Airflow cannot be
    asked.
    """
    recent = {hour for hour in hours if now - hour.end < QUEUED_RUNS_TRUSTED}
    found: set[Window] = set()
    for group, states in ((recent, ["running", "queued"]), (hours - recent, ["running"])):
        for some in _groups(group):
            if _count(task_instance, some, states):
                found |= {hour for hour in some if _count(task_instance, [hour], states)}
    return found


def _groups(hours: set[Window]) -> Iterator[list[Window]]:
    left = iter(sorted(hours))
    while some := list(islice(left, HOURS_PER_REQUEST)):
        yield some


def _count(task_instance: Any, hours: list[Window], states: list[str]) -> int:
    try:
        count: int = task_instance.get_dr_count(
            dag_id=REPLICATION_DAG, logical_dates=[hour.start for hour in hours], states=states
        )
    except AirflowRuntimeError as error:
        raise TransientError(
            f"Airflow could not be asked for the runs of {REPLICATION_DAG} ({error.error.error.value}), so it is not "
            "known which open hours they do. Look at the API server; the task is tried again."
        ) from error
    return count
