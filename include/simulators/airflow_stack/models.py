"""What Airflow's REST API answers, as far as we look at it."""

from datetime import datetime
from typing import Any

import msgspec


class DagRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as far as we look at it. Times are aware, in UTC."""

    dag_id: str
    dag_run_id: str
    run_type: str
    state: str
    run_after: datetime
    logical_date: datetime | None = None
    data_interval_start: datetime | None = None
    data_interval_end: datetime | None = None
    conf: dict[str, Any] | None = None
    note: str | None = None


class TaskInstance(msgspec.Struct, frozen=True, kw_only=True):
    """A task of a run; `map_index` is -1 if the task is not mapped, `state` None before it is scheduled."""

    task_id: str
    map_index: int
    try_number: int
    state: str | None = None
    rendered_map_index: str | None = None
    pid: int | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """A backfill; Airflow permits one per DAG until `completed_at` is set."""

    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    created_at: datetime
    completed_at: datetime | None = None
