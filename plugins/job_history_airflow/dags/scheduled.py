"""What both DAGs have in common."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable

from job_history_airflow.announce.deadline import deadline_alerts
from job_history_airflow.policies import DEFAULT_ARGS
from job_history_airflow.settings import read_dag_labels, read_start_date


def scheduled_dag(dag_id: str, cron: str, **own: Any) -> DAG:
    """Make a DAG without tasks, by the settings of the section `[job_history]`. `own`: further arguments of the DAG."""
    catch_up_from = read_start_date()
    labels = read_dag_labels()
    return DAG(
        dag_id=dag_id,
        schedule=CronDataIntervalTimetable(cron, timezone="UTC"),
        start_date=catch_up_from or datetime(2018, 1, 1, tzinfo=UTC),
        catchup=catch_up_from is not None,
        default_args={**DEFAULT_ARGS, "owner": labels.owner},
        deadline=deadline_alerts() or None,
        tags=labels.tags,
        **own,
    )
