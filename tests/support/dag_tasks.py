"""The tasks of a run, done in this process by the operators of the DAGs, without a scheduler: many runs in a test."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tests.support.mortal_storage import KilledError

from job_history.errors import ReplicationError
from job_history.model.window import Window
from job_history_airflow.dag_ids import RECONCILIATION_DAG, REPLICATION_DAG

STEPS = ("extract", "transform", "load")


@dataclass
class TaskRun:
    """A run of a DAG: the instances of each task, what tasks were mapped over, and and what the report returned."""

    instances: Counter[str] = field(default_factory=Counter)
    convoys: list[dict[str, Any]] = field(default_factory=list)
    chains: list[dict[str, Any]] = field(default_factory=list)
    returned: dict[str, Any] = field(default_factory=dict)
    error: ReplicationError | None = None
    context: Any = None

    @property
    def task_instances(self) -> int:
        """As Airflow counts them: a mapped task with nothing to map is one that is skipped."""
        return sum(max(number, 1) for number in self.instances.values())


def replicate_hour(hour: Window, name: str = "", **params: Any) -> TaskRun:
    """Do what the hourly DAG does for an hour."""
    context = _context(REPLICATION_DAG, f"{hour.slug}{name}", hour, {"mode": "missing_only", **params})
    run = TaskRun(Counter(wait_until_settled=1))
    _replicate(run, context, "PlanOperator")
    return run


def reconcile(hours: Window, name: str = "", **params: Any) -> TaskRun:
    """Do what the daily DAG does for these hours."""
    return _reconcile(context_of_reconciliation(hours, name, **params))


def context_of_reconciliation(hours: Window, name: str = "", **params: Any) -> Any:
    """Return the context of a task of the daily DAG in a run for these hours."""
    window = {"window_start": hours.start_text, "window_end": hours.end_text}
    return _context(RECONCILIATION_DAG, f"{hours.slug}{name}", hours, {**window, **params})


def look_back(at: datetime) -> TaskRun:
    """Do what the daily DAG does at this moment, without parameters."""
    return _reconcile(_context(RECONCILIATION_DAG, f"{at:%Y%m%dT%H}", Window(at - timedelta(days=1), at), {}))


def _reconcile(context: Any) -> TaskRun:
    from job_history_airflow.operators import CompareOperator, LookBackOperator

    comparisons = LookBackOperator(task_id="look_back").execute(context)
    run = TaskRun(Counter(look_back=1, compare=len(comparisons)))
    for comparison in comparisons:
        CompareOperator(task_id="compare", comparison=comparison).execute(context)
    _replicate(run, context, "ReconcileOperator")
    return run


def clear(run: TaskRun, task: str) -> None:
    """Do what Airflow does if a user clears a task of an hourly run (`plan`, `shared.extract`, ...) with what is
    downstream: it starts again, and so do those after it.
    """
    run.returned, run.error = {}, None
    tasks = ["plan", *(f"shared.{step}" for step in STEPS)]
    _replicate(run, run.context, "PlanOperator", tasks[tasks.index(task) :] if task in tasks else [])


def _replicate(run: TaskRun, context: Any, plan: str, tasks: list[str] | None = None) -> None:
    """Do the tasks, and `close` with all after it. A task that was there before is tried again."""
    from job_history_airflow import operators

    is_again, run.context = run.context is not None, context
    context["ti"].try_number = 2 if is_again else 1
    if tasks is None or "plan" in tasks:
        # It fails if no account can be planned; the report has the reason.
        run.convoys = getattr(operators, plan)(task_id="plan").execute(context)
    for step in STEPS:
        run.instances[f"shared.{step}"] = len(run.convoys)
        for number, convoy in enumerate(run.convoys if tasks is None or f"shared.{step}" in tasks else []):
            try:
                operators.ConvoyOperator(task_id=f"shared.{step}", step=step, convoy=convoy).execute(context)
            except KilledError:  # the rest is left to the second stage
                context["ti"].states[f"shared.{step}_{number}"] = "failed"
    chains_before, run.chains = len(run.chains), operators.CloseOperator(task_id="close").execute(context)
    run.instances.update(dict.fromkeys(("plan", "close", "report"), 1))
    run.instances.update({f"single.{step}": len(run.chains) for step in STEPS})
    for number, entry in enumerate(run.chains):
        context["ti"].try_number = 2 if number < chains_before else 1
        with suppress(ReplicationError):  # it is in the report
            handed: dict[str, Any] = {"slice": entry}
            handed["extracted"] = operators.ExtractOperator(task_id="single.extract", **handed).execute(context)
            handed["transformed"] = operators.TransformOperator(task_id="single.transform", **handed).execute(context)
            operators.LoadOperator(task_id="single.load", **handed).execute(context)
    try:
        run.returned = operators.ReportOperator(task_id="report").execute(context)
    except ReplicationError as error:
        run.error = error


def _context(dag_id: str, run_id: str, window: Window, params: dict[str, Any]) -> Any:
    dag_run = SimpleNamespace(
        dag_id=dag_id,
        run_id=run_id,
        data_interval_start=window.start,
        data_interval_end=window.end,
        run_after=window.end + timedelta(minutes=10),
        run_type="manual",
        logical_date=window.start,
        conf={},
    )
    return {"params": params, "dag_run": dag_run, "ti": _TaskInstance()}


class _TaskInstance:
    """What operators use of Airflow's."""

    try_number = 1
    max_tries = 1

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self._pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self._pushed[key] = value

    def xcom_pull(self, *, task_ids: str, key: str) -> Any:  # noqa: ARG002 - each pushes under the same key
        return self._pushed.get(key)

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:  # noqa: ARG002
        return dict.fromkeys(run_ids, self.states)

    def get_dr_count(self, *, dag_id: str, logical_dates: list[datetime], states: list[str]) -> int:  # noqa: ARG002
        return 0
