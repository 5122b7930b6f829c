"""The DAGs as Airflow sees them: they parse, cheaply, and are what the interfaces promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simulators.project import DAGS

PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({dags!r})
dag = bag.dags[{dag_id!r}]
print(json.dumps({{
    "errors": bag.import_errors,
    "dags": sorted(bag.dags),
    "tasks": sorted(dag.task_ids),
    "schedule": [type(dag.timetable).__name__, dag.timetable.summary if hasattr(dag.timetable, "summary") else None],
    "catchup": dag.catchup,
    "start": dag.start_date.isoformat(),
    "params": {{name: dag.params.get_param(name).value for name in dag.params}},
    "retries": {{task.task_id: task.retries for task in dag.tasks}},
    "operators": {{task.task_id: task.task_type for task in dag.tasks}},
    "timeouts": [task.task_id for task in dag.tasks if task.execution_timeout is None],
    "heavy": sorted({{"pandas", "boto3", "pyarrow"}} & set(sys.modules)),
}}))
"""


REPLICATION, RECONCILIATION = "job_history_replication", "job_history_reconciliation"


def parsed(airflow_home: Path, monkeypatch: pytest.MonkeyPatch, dag_id: str = REPLICATION, **environment: str) -> dict:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, "-c", PARSE.format(dags=str(DAGS), dag_id=dag_id)], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_the_hourly_dag_is_what_the_interfaces_promise(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = parsed(airflow_home, monkeypatch)

    assert dag["errors"] == {}
    assert dag["dags"] == [RECONCILIATION, REPLICATION]
    assert dag["schedule"][0] == "CronDataIntervalTimetable"
    assert dag["catchup"] is False
    assert dag["params"] == {"accounts": [], "window_start": None, "window_end": None, "mode": "missing_only"}
    assert {
        "wait_until_settled",
        "s3.plan",
        "s3.slice.extract",
        "s3.slice.transform",
        "s3.slice.load",
        "report",
    } <= set(dag["tasks"])


def test_the_daily_dag_is_what_the_interfaces_promise(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = parsed(airflow_home, monkeypatch, RECONCILIATION)

    assert dag["schedule"][0] == "CronDataIntervalTimetable"
    assert dag["catchup"] is False
    assert dag["params"] == {"accounts": [], "window_start": None, "window_end": None, "repair": False}
    assert {task: kind for task, kind in dag["operators"].items() if not task.startswith("sumo_logic.")} == {
        "s3.plan": "ReconcileOperator",
        "s3.slice.extract": "ExtractOperator",
        "s3.slice.transform": "TransformOperator",
        "s3.slice.load": "LoadToS3Operator",
        "report": "ReportOperator",
    }
    assert (min(dag["retries"].values()) >= 1, dag["timeouts"]) == (True, [])


def test_every_task_that_works_has_retries_and_a_time_out(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = parsed(airflow_home, monkeypatch)

    assert min(dag["retries"].values()) >= 1
    # It holds no slot while it waits, and an hour that lies ahead may be waited for.
    assert dag["timeouts"] == ["wait_until_settled"]


def test_parsing_brings_none_of_the_heavy_libraries(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task process parses the file again: pandas and boto3 at its top would cost more than the work itself."""
    assert parsed(airflow_home, monkeypatch)["heavy"] == []


def test_a_start_date_means_that_every_hour_since_is_owed(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dag = parsed(airflow_home, monkeypatch, AIRFLOW__JOB_HISTORY__START_DATE="2026-01-01T00:00:00Z")

    assert (dag["catchup"], dag["start"]) == (True, "2026-01-01T00:00:00+00:00")


def test_nothing_of_the_package_is_imported_under_a_bare_name(
    airflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow imports every file below plugins/ that .airflowignore does not name: `operators/load.py` as `load`."""
    code = (
        "import sys; from airflow import plugins_manager; plugins_manager.get_import_errors() if hasattr(plugins_manager,"
        "'get_import_errors') else plugins_manager.ensure_plugins_loaded();"
        "print(sorted({'load', 'plan', 'report', 'extract', 'settings'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "[]"
