"""The DAGs as Airflow sees them: they parse, cheaply, and are what the interfaces promise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from job_history_airflow.dag_ids import RECONCILIATION_DAG, REPLICATION_DAG
from simulators.project import DAGS

PARSE = f"""
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag({str(DAGS)!r})
heavy = sorted({{"boto3", "pyarrow"}} & set(sys.modules))
print(json.dumps({{
    "errors": bag.import_errors,
    "heavy": heavy,
    "dags": {{
        dag_id: {{
            "description": dag.description,
            "tags": sorted(dag.tags),
            "owners": sorted({{task.owner for task in dag.tasks}}),
            "schedule": type(dag.timetable).__name__,
            "catchup": dag.catchup,
            "start": dag.start_date.isoformat(),
            "params": {{name: dag.params.get_param(name).value for name in dag.params}},
            "operators": {{task.task_id: task.task_type for task in dag.tasks}},
            "retries": min(task.retries for task in dag.tasks),
            "max_active_runs": dag.max_active_runs,
            "longest": max(task.execution_timeout.total_seconds() for task in dag.tasks if task.execution_timeout),
            "without a timeout": [task.task_id for task in dag.tasks if task.execution_timeout is None],
        }}
        for dag_id, dag in bag.dags.items()
    }},
}}))
"""


def parse(**environment: str) -> dict[str, Any]:
    """Parse the DAG files in a process of their own, as a task's process does."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE], check=True, capture_output=True, text=True, env=os.environ | environment
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def parsed(airflow_home: Path) -> dict[str, Any]:
    return parse()


def test_both_dags_parse_without_errors_and_without_heavy_libraries(parsed: dict[str, Any]) -> None:
    """Each task's process parses the file again: importing pyarrow or boto3 at its top costs more than the work."""
    assert (parsed["errors"], parsed["heavy"]) == ({}, [])
    assert parsed["dags"].keys() == {REPLICATION_DAG, RECONCILIATION_DAG}


def test_replication_dag_has_the_interface_that_is_documented(parsed: dict[str, Any]) -> None:
    dag = parsed["dags"][REPLICATION_DAG]

    assert (dag["schedule"], dag["catchup"]) == ("CronDataIntervalTimetable", False)
    assert dag["params"] == {
        "accounts": [],
        "window_start": None,
        "window_end": None,
        "mode": "missing_only",
        "accept_fewer": False,
    }
    assert dag["operators"].keys() == {
        "wait_until_settled",
        "plan",
        "shared.extract",
        "shared.transform",
        "shared.load",
        "close",
        "single.extract",
        "single.transform",
        "single.load",
        "report",
    }


def test_reconciliation_dag_has_the_interface_that_is_documented(parsed: dict[str, Any]) -> None:
    dag = parsed["dags"][RECONCILIATION_DAG]

    assert (dag["schedule"], dag["catchup"]) == ("CronDataIntervalTimetable", False)
    assert dag["params"] == {
        "accounts": [],
        "window_start": None,
        "window_end": None,
        "repair": False,
        "accept_fewer": False,
    }
    assert dag["operators"] == {
        "look_back": "LookBackOperator",
        "compare": "CompareOperator",
        "plan": "ReconcileOperator",
        "shared.extract": "ConvoyOperator",
        "shared.transform": "ConvoyOperator",
        "shared.load": "ConvoyOperator",
        "close": "CloseOperator",
        "single.extract": "ExtractOperator",
        "single.transform": "TransformOperator",
        "single.load": "LoadOperator",
        "report": "ReportOperator",
    }


# `wait_until_settled` occupies no slot while it waits, and may have to wait for an hour in the future.
@pytest.mark.parametrize(
    ("dag_id", "without_timeout"), [(REPLICATION_DAG, ["wait_until_settled"]), (RECONCILIATION_DAG, [])]
)
def test_every_task_has_retries_and_a_timeout(parsed: dict[str, Any], dag_id: str, without_timeout: list[str]) -> None:
    dag = parsed["dags"][dag_id]

    assert dag["retries"] >= 1
    assert dag["without a timeout"] == without_timeout


@pytest.mark.promise("no-account-waits")
def test_a_run_that_waits_for_its_longest_time_limit_delays_no_later_hour(parsed: dict[str, Any]) -> None:
    """Beside it a run has the settle time, a plan, convoys and a report."""
    dag = parsed["dags"][REPLICATION_DAG]

    assert dag["max_active_runs"] * 3_600 >= dag["longest"] + 1.5 * 3_600


def test_start_date_switches_catchup_on(airflow_home: Path) -> None:
    dag = parse(AIRFLOW__JOB_HISTORY__START_DATE="2026-01-01T00:00:00Z")["dags"][REPLICATION_DAG]

    assert (dag["catchup"], dag["start"]) == (True, "2026-01-01T00:00:00+00:00")


def test_plugin_modules_are_not_imported_under_bare_names(airflow_home: Path) -> None:
    """Airflow imports every file below plugins/ that .airflowignore does not name: `operators/load.py` as `load`."""
    code = (
        "import sys; from airflow import plugins_manager; plugins_manager.get_import_errors() if "
        "hasattr(plugins_manager,'get_import_errors') else plugins_manager.ensure_plugins_loaded();"
        "print(sorted({'load', 'plan', 'report', 'extract', 'settings'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_dags_have_a_line_of_description_and_owner_and_tags_of_the_config(parsed: dict[str, Any]) -> None:
    configured = parse(AIRFLOW__JOB_HISTORY__OWNER="data-platform", AIRFLOW__JOB_HISTORY__TAGS="audit, s3")["dags"]

    for dag_id in (REPLICATION_DAG, RECONCILIATION_DAG):
        default = parsed["dags"][dag_id]
        assert default["description"]
        assert "\n" not in default["description"]
        assert (default["tags"], default["owners"]) == (["job history"], ["airflow"])
        assert (configured[dag_id]["tags"], configured[dag_id]["owners"]) == (["audit", "s3"], ["data-platform"])
