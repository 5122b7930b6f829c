"""The files of deploy/: valid for the tools that read them, and in agreement with the project's own settings."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
import yaml
from tests.support.client_environments import python_environment
from tests.support.debian_packages import PackagesUnavailable
from tests.support.wheel import build_wheel

from job_history_airflow.provider_info import get_provider_info
from simulators.project import ROOT

DEPLOY = ROOT / "deploy"
VALUES = ["values-celery.yaml", "values-kubernetes.yaml"]
CHART = "1.22.0"
CHART_SCHEMA = f"https://raw.githubusercontent.com/apache/airflow/helm-chart/{CHART}/chart/values.schema.json"
LONGEST_TASK = timedelta(hours=4)


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def environment_of(name: str) -> dict[str, str]:
    """Return the environment that a file gives to Airflow's processes, with the sections of `config` as variables."""
    content = read(name)
    if name == "docker-compose.yaml":
        return dict(content["services"]["worker"]["environment"])
    sections = {
        f"AIRFLOW__{section.upper()}__{option.upper()}": value
        for section, options in content["config"].items()
        for option, value in options.items()
    }
    return sections | {variable["name"]: variable["value"] for variable in content["env"]}


@pytest.mark.parametrize("name", ["docker-compose.yaml", *VALUES])
def test_ledger_staging_and_logs_are_in_a_bucket(name: str) -> None:
    environment = environment_of(name)
    options = get_provider_info()["config"]["job_history"]["options"]
    ours = {name.rpartition("__")[2].lower() for name in environment if name.startswith("AIRFLOW__JOB_HISTORY__")}

    assert {"ledger_path", "staging_path"} <= ours <= set(options)
    paths = [environment[f"AIRFLOW__JOB_HISTORY__{option}_PATH"] for option in ("LEDGER", "STAGING")]
    paths.append(environment["AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER"])
    assert [path for path in paths if not path.startswith("s3://")] == []
    assert environment["AIRFLOW__LOGGING__REMOTE_LOGGING"] == "True"
    assert "AIRFLOW_CONN_" + environment["AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID"].upper() in environment


@pytest.mark.parametrize("name", ["docker-compose.yaml", "values-celery.yaml"])
def test_visibility_timeout_is_longer_than_the_longest_task(name: str) -> None:
    from airflow.dag_processing.dagbag import DagBag

    from simulators.project import DAGS

    timeouts = [task.execution_timeout for dag in DagBag(DAGS).dags.values() for task in dag.tasks]
    seconds = environment_of(name)["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]

    assert max(timeout for timeout in timeouts if timeout is not None) == LONGEST_TASK
    assert timedelta(seconds=int(seconds)) > LONGEST_TASK


def test_versions_are_those_that_the_tests_ran_with() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    backend = re.findall(r"hatchling==([\d.]+)", dockerfile + (ROOT / "pyproject.toml").read_text())

    assert set(re.findall(r"apache/airflow:([\d.]+)", dockerfile)) == {pinned["apache-airflow"]}
    assert set(re.findall(r"apache-airflow==([\d.]+)", dockerfile)) == {pinned["apache-airflow"]}
    assert {read(name)["airflowVersion"] for name in VALUES} == {pinned["apache-airflow"]}
    assert len(set(backend)) == 1


@pytest.mark.parametrize("name", [f"deploy/{name}" for name in (*VALUES, "README.md")] + ["docs/install.md"])
def test_values_name_the_version_of_the_chart_whose_schema_they_are_checked_with(name: str) -> None:
    named = re.findall(r"(?:chart \(?|--version |the chart )(\d+\.\d+\.\d+)", (ROOT / name).read_text())

    assert set(named) == {CHART}


def test_the_image_gets_the_whole_wheel(tmp_path: Path) -> None:
    """Docker copies what the ignore file lets through, and the wheel is built of that."""
    context = tmp_path / "context"
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for kept in [line[1:] for line in ignored if line.startswith("!")]:
        there = ROOT / kept
        copy = shutil.copytree if there.is_dir() else shutil.copy
        (context / kept).parent.mkdir(parents=True, exist_ok=True)
        copy(there, context / kept)

    built, whole = (build_wheel(tmp_path / name, root) for name, root in (("built", context), ("whole", ROOT)))

    assert ignored[0] == "*"
    assert sorted(zipfile.ZipFile(built).namelist()) == sorted(zipfile.ZipFile(whole).namelist())
    assert (context / "requirements.txt").exists()


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tools of deploy-tools.txt."""
    program = python_environment(ROOT / "tests" / "packaging" / "deploy-tools.txt").with_name(name)
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.deploy
@pytest.mark.timeout(300)
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = tool("hadolint", str(DEPLOY / "Dockerfile"))

    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.deploy
@pytest.mark.timeout(300)
def test_docker_compose_accepts_the_compose_file(tmp_path: Path) -> None:
    names = re.findall(r"^(\w+)=", (DEPLOY / "env.example").read_text(), re.MULTILINE)
    values = tmp_path / "env"
    values.write_text("".join(f"{name}=x\n" for name in names))

    done = tool("docker-compose", "--file", str(DEPLOY / "docker-compose.yaml"), "--env-file", str(values), "config")

    assert done.returncode == 0, done.stderr
    assert "not set" not in done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert {"api-server", "scheduler", "dag-processor", "triggerer", "worker"} <= services.keys()


@pytest.mark.deploy
@pytest.mark.parametrize("name", VALUES)
def test_the_charts_schema_accepts_the_values(name: str) -> None:
    schema = chart_schema()
    values = read(name)

    jsonschema.validate(values, schema)
    assert list(unknown_values(values, schema)) == []


@pytest.mark.deploy
@pytest.mark.parametrize("wrong", [{"executor": 1}, {"wrokers": {}}, {"workers": {"celery": {"replicas": "two"}}}])
def test_the_charts_schema_refuses_wrong_values(wrong: dict[str, Any]) -> None:
    schema = chart_schema()

    with pytest.raises((jsonschema.ValidationError, AssertionError)):
        jsonschema.validate(wrong, schema)
        assert list(unknown_values(wrong, schema)) == []


def chart_schema() -> dict[str, Any]:
    """Return the schema of the chart: the file that HELM_CHART_SCHEMA names, else as its project publishes it."""
    if file := os.environ.get("HELM_CHART_SCHEMA"):
        return json.loads(Path(file).read_bytes())
    try:
        answer = requests.get(CHART_SCHEMA, timeout=30)
        answer.raise_for_status()
    except requests.RequestException as error:
        raise PackagesUnavailable(f"The schema of the chart {CHART} cannot be downloaded: {error}") from error
    return answer.json()


def unknown_values(values: Any, schema: dict[str, Any], above: str = "") -> Iterator[str]:
    """Yield the values that a schema which allows others does not name."""
    known = schema.get("properties")
    if not isinstance(values, dict) or known is None:
        return
    for name, value in values.items():
        if name in known:
            yield from unknown_values(value, known[name], f"{above}{name}.")
        elif not schema.get("additionalProperties"):
            yield above + name
