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
    from job_history import __version__
    from job_history.model.slice import run_folder
    from job_history.pipeline.report import report
    from job_history_airflow.dag_ids import REPLICATION_DAG
    from job_history_airflow.factories.storage import storage_at
    from job_history_airflow.operators import (
        ExtractOperator,
        LoadToS3Operator,
        LoadToSumoLogicOperator,
        PlanOperator,
        TransformOperator,
    )
    from job_history_airflow.settings import read_settings

    run = SimpleNamespace(dag_id=REPLICATION_DAG, run_id=f"sample__{window.slug}__{len(accounts)}")
    params = {"accounts": accounts, "window_start": window.start_text, "window_end": window.end_text}
    context: Any = {"dag_run": run, "params": params}
    loads: dict[str, Any] = {"s3": LoadToS3Operator, "sumo_logic": LoadToSumoLogicOperator}
    for destination, load in loads.items():
        with contextlib.suppress(ReplicationError):
            for slice_ in PlanOperator(task_id=f"{destination}.plan", destination=destination).execute(context):
                with contextlib.suppress(ReplicationError):
                    extracted = ExtractOperator(task_id="slice.extract", slice=slice_).execute(context)
                    handed: dict[str, Any] = {"slice": slice_, "extracted": extracted}
                    transformed = TransformOperator(task_id="slice.transform", **handed).execute(context)
                    load(task_id="slice.load", transformed=transformed, **handed).execute(context)
    settings = read_settings()
    with contextlib.suppress(ReplicationError):
        report(
            run=run_folder(run.dag_id, run.run_id),
            destinations=list(loads),
            staging=storage_at(settings.staging_path),
            ledger=storage_at(settings.ledger_path),
            finished_at=window.end + _AFTER_THE_HOUR,
            code_version=__version__,
            quarantine_threshold=settings.quarantine_threshold,
        )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
