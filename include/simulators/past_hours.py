"""`python -m simulators.past_hours WINDOWS ACCOUNTS`: replicate past hours without a scheduler, for the status page to
show.

It runs the operators of the hourly DAG in its order, on the Airflow that its environment names. WINDOWS is a JSON list
of windows, ACCOUNTS one of user_ids; an empty one means all. What fails is in the receipts, as ever, and is no error
here.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec

from job_history.errors import ReplicationError
from job_history.model.window import Window

_AFTER_THE_HOUR = timedelta(minutes=11)


def replicate_past_hours(
    environment: Mapping[str, str], windows: Sequence[Window], accounts: Sequence[int] = (), **changed: str
) -> None:
    """Replicate in a process of its own; `changed` are environment variables on top. Raises CalledProcessError."""
    reported = [json.dumps([window.as_dict() for window in windows]), json.dumps(list(accounts))]
    subprocess.run(
        [sys.executable, "-m", "simulators.past_hours", *reported],
        # As the API server: connections and Variables come from the database.
        env={**environment, "_AIRFLOW_PROCESS_CONTEXT": "server", **changed},
        check=True,
        # Its log does not belong in the terminal of `make up`; the traceback of an error of ours does.
        stdout=subprocess.DEVNULL,
    )


def main(windows: list[dict[str, str]], accounts: list[int]) -> None:
    """Replicate one hour after the other."""
    for window in windows:
        _replicate(msgspec.convert(window, Window), accounts)


def _replicate(window: Window, accounts: list[int]) -> None:
    from job_history_airflow.dag_ids import REPLICATION_DAG
    from job_history_airflow.operators import (
        CloseOperator,
        ConvoyOperator,
        ExtractOperator,
        LoadOperator,
        PlanOperator,
        TransformOperator,
    )

    run = SimpleNamespace(dag_id=REPLICATION_DAG, run_id=f"sample__{window.slug}__{len(accounts)}")
    params = {"accounts": accounts, "window_start": window.start_text, "window_end": window.end_text}
    context: Any = {"dag_run": run, "params": params, "ti": _TaskInstance()}
    with contextlib.suppress(ReplicationError):
        convoys = PlanOperator(task_id="plan").execute(context)
        for step in ("extract", "transform", "load"):
            for convoy in convoys:
                ConvoyOperator(task_id=f"shared.{step}", step=step, convoy=convoy).execute(context)
    for slice_ in CloseOperator(task_id="close").execute(context):
        with contextlib.suppress(ReplicationError):
            handed: dict[str, Any] = {"slice": slice_}
            handed["extracted"] = ExtractOperator(task_id="single.extract", **handed).execute(context)
            handed["transformed"] = TransformOperator(task_id="single.transform", **handed).execute(context)
            LoadOperator(task_id="single.load", **handed).execute(context)
    with contextlib.suppress(ReplicationError):
        _report(run.dag_id, run.run_id, context["ti"].kinds, window)


def _report(dag_id: str, run_id: str, kinds: list[str], window: Window) -> None:
    from job_history import __version__
    from job_history.model.slice import run_folder
    from job_history.pipeline.report import report
    from job_history_airflow.factories.storage import storage_at
    from job_history_airflow.settings import read_settings

    settings = read_settings()
    report(
        run=run_folder(dag_id, run_id),
        destinations=kinds,
        staging=storage_at(settings.staging_path),
        ledger=storage_at(settings.ledger_path),
        finished_at=window.end + _AFTER_THE_HOUR,
        code_version=__version__,
        quarantine_threshold=settings.quarantine_threshold,
    )


class _TaskInstance:
    """What operators use of Airflow's: the number of the try, and XComs of the run's plan."""

    try_number = 1

    def __init__(self) -> None:
        self._pushed: dict[str, Any] = {}

    @property
    def kinds(self) -> list[str]:
        planned: dict[str, list[str]] = self._pushed.get("planned", {})
        return planned.get("kinds", [])

    def xcom_push(self, key: str, value: Any) -> None:
        self._pushed[key] = value

    def xcom_pull(self, *, task_ids: str, key: str) -> Any:
        return self._pushed.get(key) if task_ids == "plan" else None


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
