"""The operators of the DAG with what Airflow would give them, for benchmarks that run without a scheduler."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.benchmarks.jobs import WINDOW, airflow_environment, s3_connection
from tests.benchmarks.measuring import Work
from tests.benchmarks.sink import Sink
from tests.benchmarks.store import RunningStore

from job_history.accounts.account import Account
from job_history.model.window import Window
from job_history_airflow.dag_ids import REPLICATION_DAG
from simulators.postgres import PostgresServer

DATABASE = "job_store"
AFTER = datetime.fromisoformat("2018-05-21T01:10:00+00:00")
STEPS = ("plan", "extract", "transform", "load", "report")


def environment_of(
    home: Path,
    server: PostgresServer,
    store: Sink | RunningStore,
    accounts: list[Account],
    *,
    jobs_a_slice: int,
    **settings: Any,
) -> dict[str, str]:
    """Return a task's environment: connections to job store and bucket, accounts, settings of `[job_history]`."""
    return {
        **airflow_environment(home, job_store=server.airflow_connection(DATABASE), bench_s3=s3_connection(store)),
        "AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS": json.dumps([each.model_dump(exclude_none=True) for each in accounts]),
        "AIRFLOW__JOB_HISTORY__MAX_JOBS_PER_SLICE": str(jobs_a_slice),
        **{f"AIRFLOW__JOB_HISTORY__{name.upper()}": str(value) for name, value in settings.items()},
    }


def context_of(
    run_id: str, *, dag_id: str = REPLICATION_DAG, run_after: datetime = AFTER, hour: Window = WINDOW, **params: Any
) -> dict[str, Any]:
    """Return the part of a task's context that the operators use."""
    dag_run = SimpleNamespace(
        dag_id=dag_id,
        run_id=run_id,
        data_interval_start=hour.start,
        data_interval_end=hour.end,
        run_after=run_after,
        run_type="manual",
        logical_date=hour.start,
    )
    return {"params": params, "dag_run": dag_run, "ti": _TaskInstance(run_id)}


class _TaskInstance:
    """What operators use of Airflow's: the number of the try, states of the run's tasks, and its XComs.

    XComs are files, because each task is measured in a process of its own.
    """

    try_number = 1
    max_tries = 1

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id

    def _path(self, key: str) -> Path:
        return Path(os.environ["AIRFLOW_HOME"]) / f"xcom-{self._run_id}-{key}.json"

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:  # noqa: ARG002
        return {run_id: {} for run_id in run_ids}

    def get_dr_count(self, **_: Any) -> int:
        return 0

    def xcom_push(self, key: str, value: Any) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))

    def xcom_pull(self, *, task_ids: str, key: str) -> Any:
        path = self._path(key)
        return json.loads(path.read_text()) if task_ids in {"plan", "look_back"} and path.exists() else None


def looking_back(context: dict[str, Any]) -> Work:
    """Return what each task of the reconciliation compares."""
    from job_history_airflow.operators import LookBackOperator

    return lambda: LookBackOperator(task_id="look_back").execute(context)


def comparing(context: dict[str, Any], comparison: dict[str, Any]) -> Work:
    from job_history_airflow.operators import CompareOperator

    return lambda: CompareOperator(task_id="compare", comparison=comparison).execute(context)


def reconciling(context: dict[str, Any]) -> Work:
    """Plan what the comparisons found, and return the convoys."""
    from job_history_airflow.operators import ReconcileOperator

    return lambda: ReconcileOperator(task_id="plan").execute(context)


def planning(context: dict[str, Any]) -> Work:
    """Plan, and return the convoys."""
    from job_history_airflow.operators import PlanOperator

    return lambda: PlanOperator(task_id="plan").execute(context)


def convoying(context: dict[str, Any], step: str, convoy: dict[str, Any]) -> Work:
    from job_history_airflow.operators import ConvoyOperator

    return lambda: ConvoyOperator(task_id=step, step=step, convoy=convoy).execute(context)


def closing(context: dict[str, Any]) -> Work:
    """Close what the convoys finished, and return the slices that get tasks of their own."""
    from job_history_airflow.operators import CloseOperator

    return lambda: CloseOperator(task_id="close").execute(context)


def extracting(context: dict[str, Any], a_slice: dict[str, Any]) -> Work:
    from job_history_airflow.operators import ExtractOperator

    return lambda: ExtractOperator(task_id="extract", slice=a_slice).execute(context)


def transforming(context: dict[str, Any], a_slice: dict[str, Any], extracted: dict[str, Any]) -> Work:
    from job_history_airflow.operators import TransformOperator

    return lambda: TransformOperator(task_id="transform", slice=a_slice, extracted=extracted).execute(context)


def loading(
    context: dict[str, Any], a_slice: dict[str, Any], extracted: dict[str, Any], transformed: dict[str, Any]
) -> Work:
    from job_history_airflow.operators import LoadOperator

    return lambda: LoadOperator(task_id="load", slice=a_slice, extracted=extracted, transformed=transformed).execute(
        context
    )


def reporting(context: dict[str, Any]) -> Work:
    from job_history_airflow.operators import ReportOperator

    return lambda: ReportOperator(task_id="report").execute(context)
