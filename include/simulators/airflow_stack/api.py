"""What tests and the demo ask of Airflow's REST API, in words of the domain."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
import requests

from .api_session import AirflowApiError, ApiSession
from .models import Backfill, DagRun, TaskInstance
from .task_log import as_text

_POLL_SECONDS = 0.25
_PARTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
_ENDED = ("success", "failed")
_DAG_SECONDS = 60

Reprocess = Literal["none", "failed", "completed"]
Model = TypeVar("Model", bound=msgspec.Struct)


class AirflowApi(ApiSession):
    """A client of the Airflow at `url`. Every method raises `AirflowApiError`; time limits are in seconds."""

    def unhealthy_parts(self) -> list[str]:
        """The parts that are not healthy yet; all of them while the API server does not answer."""
        try:
            health = self.get("/monitor/health")
        except (AirflowApiError, requests.RequestException):
            return ["api_server", *_PARTS]
        return [part for part in _PARTS if health[part]["status"] != "healthy"]

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until the DAG processor has read the DAG; the error names the files that cannot be imported."""
        deadline = time.monotonic() + _DAG_SECONDS
        while True:
            try:
                self.get(f"/dags/{quote(dag_id)}/details")
            except AirflowApiError as error:
                if error.status_code != requests.codes.not_found:
                    raise
                if time.monotonic() > deadline:
                    raise AirflowApiError(
                        f"No DAG {dag_id!r} after {_DAG_SECONDS} s. {self._import_errors()}", error.status_code
                    ) from None
                time.sleep(_POLL_SECONDS)
            else:
                return

    def unpause(self, dag_id: str) -> None:
        self.patch(f"/dags/{quote(dag_id)}", {"is_paused": False})

    def pause(self, dag_id: str) -> None:
        self.patch(f"/dags/{quote(dag_id)}", {"is_paused": True})

    def trigger(self, dag_id: str, *, conf: Mapping[str, Any] | None = None) -> DagRun:
        """Start a manual run, without a logical date."""
        body = {"logical_date": None, "conf": conf}
        return _model(self.post(f"/dags/{quote(dag_id)}/dagRuns", body), DagRun)

    def run(self, dag_id: str, run_id: str) -> DagRun:
        return _model(self.get(_run_path(dag_id, run_id)), DagRun)

    def runs(self, dag_id: str) -> list[DagRun]:
        """All runs of the DAG, by logical date."""
        found = self._pages(f"/dags/{quote(dag_id)}/dagRuns", "dag_runs", order_by="logical_date")
        return [_model(item, DagRun) for item in found]

    def wait_run(self, dag_id: str, run_id: str, *, timeout: float = 120) -> DagRun:
        """Wait until the run has succeeded or failed; the error lists the states of its tasks."""
        deadline = time.monotonic() + timeout
        while (run := self.run(dag_id, run_id)).state not in _ENDED:
            if time.monotonic() > deadline:
                states = ", ".join(_describe(task) for task in self.task_instances(dag_id, run_id))
                raise AirflowApiError(
                    f"Run {run_id} of {dag_id} is still {run.state} after {timeout:g} s; its tasks: {states}."
                )
            time.sleep(_POLL_SECONDS)
        return run

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """All task instances of a run, by task and map index."""
        found = self._pages(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances")
        tasks = [_model(item, TaskInstance) for item in found]
        return sorted(tasks, key=lambda task: (task.task_id, task.map_index))

    def task_log(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1) -> str:
        """The log of the first try, as a person would read it: one line an entry, with its fields and tracebacks."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/logs/1"
        log = self._request(
            "GET", path, params={"map_index": map_index, "full_content": True}, headers={"Accept": "application/json"}
        )
        return as_text(log["content"])

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1, key: str = "return_value") -> Any:
        """A value that a task has handed on."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{quote(task_id)}/xcomEntries/{quote(key)}"
        return self.get(path, map_index=map_index, deserialize=True)["value"]

    def clear(
        self,
        dag_id: str,
        run_id: str,
        *,
        tasks: Sequence[str | tuple[str, int]] | None = None,
        include_downstream: bool = False,
    ) -> list[TaskInstance]:
        """Clear tasks of a run (all, or those named, with a map index or without), and return which will run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": None if tasks is None else [task if isinstance(task, str) else list(task) for task in tasks],
            "only_failed": False,
            "include_downstream": include_downstream,
            "reset_dag_runs": True,
        }
        cleared = self.post(f"/dags/{quote(dag_id)}/clearTaskInstances", body)
        return [_model(item, TaskInstance) for item in cleared["task_instances"]]

    def backfill(
        self,
        dag_id: str,
        *,
        from_date: datetime,
        to_date: datetime,
        reprocess_behavior: Reprocess = "none",
        run_conf: Mapping[str, Any] | None = None,
        max_active_runs: int = 2,
    ) -> Backfill:
        """Start a backfill of the intervals that begin in [from_date, to_date], both ends included."""
        body = {
            "dag_id": dag_id,
            "from_date": _iso(from_date),
            "to_date": _iso(to_date),
            "reprocess_behavior": reprocess_behavior,
            "dag_run_conf": run_conf,
            "max_active_runs": max_active_runs,
        }
        return _model(self.post("/backfills", body), Backfill)

    def wait_backfill(self, backfill: Backfill, *, timeout: float = 180) -> list[DagRun]:
        """Wait until its runs have ended and the DAG can be backfilled again; the runs of its interval, by date.

        The scheduler notices the end of a backfill every 30 s only, which no setting changes. With no run left,
        cancelling it sets the very same mark.
        """
        deadline = time.monotonic() + timeout
        while unfinished := [run for run in self._runs_of(backfill) if run.state not in _ENDED]:
            if time.monotonic() > deadline:
                states = ", ".join(f"{run.dag_run_id} {run.state}" for run in unfinished)
                raise AirflowApiError(
                    f"Backfill {backfill.id} of {backfill.dag_id} has not ended after {timeout:g} s: {states}."
                )
            time.sleep(_POLL_SECONDS)
        try:
            self.put(f"/backfills/{backfill.id}/cancel")
        except AirflowApiError as error:
            if error.status_code != requests.codes.conflict:  # a conflict: the scheduler was first
                raise
        return self._runs_of(backfill)

    def _runs_of(self, backfill: Backfill) -> list[DagRun]:
        return [
            run
            for run in self.runs(backfill.dag_id)
            if run.run_type == "backfill"
            and run.logical_date is not None
            and backfill.from_date <= run.logical_date <= backfill.to_date
        ]

    def _import_errors(self) -> str:
        errors = self.get("/importErrors")["import_errors"]
        if not errors:
            return "No file failed to import; is the file in the DAGs folder, and does it hold the word airflow?"
        return "Files that cannot be imported:\n" + "\n".join(
            f"{error['filename']}: {error['stack_trace']}" for error in errors
        )


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{quote(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _model(value: Any, model: type[Model]) -> Model:
    return msgspec.convert(value, model)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _describe(task: TaskInstance) -> str:
    index = "" if task.map_index < 0 else f"[{task.map_index}]"
    return f"{task.task_id}{index} {task.state or 'not scheduled'}"
