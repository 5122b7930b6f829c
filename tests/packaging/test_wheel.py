"""The files and metadata of the wheel, and what Airflow finds in an environment that has only itself and the wheel."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from tests.support.client_environments import UV, run_installer
from tests.support.wheel import build_wheel

from simulators.project import DAGS, ROOT

DAG_IDS = {"job_history_reconciliation", "job_history_replication"}
BUNDLE = [{"name": "job-history", "classpath": "job_history_airflow.dag_bundle.JobHistoryDagBundle", "kwargs": {}}]
PAGES = """
import json
from starlette.testclient import TestClient
from airflow.api_fastapi.app import create_app
with TestClient(create_app(), follow_redirects=False) as client:
    print(json.dumps({page: client.get("/job-history" + page).status_code for page in ("/setup", "/status", "/none")}))
"""


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def test_wheel_has_dags_pages_and_docs_and_no_linter_settings(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"job_history_airflow/dag_files/{path.name}" for path in DAGS.glob("*.py")} <= names
    assert {"job_history_airflow/ui/templates/status.html", "job_history_airflow/docs/operations.md"} <= names
    assert [name for name in names if name.endswith("ruff.toml") or name.startswith(("simulators", "tests"))] == []


def test_description_without_an_address_names_installed_pages_and_has_no_dead_link(wheel: Path) -> None:
    text = str(metadata(wheel).get_payload())
    named = set(re.findall(r"`(job_history_airflow/docs/[^`]+)`", text))

    assert re.findall(r"\]\((?!https?://)[^)]*\)", text) == []
    assert "job_history_airflow/docs/operations.md" in named
    installed = zipfile.ZipFile(wheel).namelist()
    assert [page for page in named if not any(name.startswith(page) for name in installed)] == []


def test_links_of_installed_pages_lead_to_installed_files(wheel: Path) -> None:
    """Except to tests, which the contract page names."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        pages = [name for name in names if name.startswith("job_history_airflow/") and name.endswith(".md")]
        links = {
            (page, posixpath.normpath(posixpath.join(posixpath.dirname(page), link)))
            for page in pages
            for link in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", archive.read(page).decode())
        }

    assert "job_history_airflow/docs/operations.md" in {target for _, target in links}
    dead = {(page, target) for page, target in links if not any(name.startswith(target) for name in names)}
    assert [link for link in dead if not link[1].startswith("job_history_airflow/tests/")] == []


def test_an_address_given_at_the_build_becomes_links_and_project_urls(tmp_path: Path) -> None:
    found = metadata(build_wheel(tmp_path, PROJECT_URL="https://git.example.com/audit/blob/main/"))
    urls = dict(url.split(", ") for url in found.get_all("Project-URL", []))

    assert urls["Repository"] == "https://git.example.com/audit/blob/main"
    assert urls["Operations"] == "https://git.example.com/audit/blob/main/docs/operations.md"
    links = re.findall(r"\]\(https://git\.example\.com/audit/blob/main/([^)#]+)", str(found.get_payload()))
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


@dataclass(frozen=True)
class Bare:
    """An environment with Airflow and the wheel, and an Airflow home with the tables of its database."""

    programs: Path
    home: Path

    def airflow(self, *arguments: str, **settings: str) -> str:
        return self._run([str(self.programs / "airflow"), *arguments], settings)

    def listed(self, *arguments: str, **settings: str) -> list[dict[str, str]]:
        """Return what a command lists; warnings may come before it."""
        return json.loads(self.airflow(*arguments, "--output", "json", **settings).splitlines()[-1])

    def python(self, code: str) -> str:
        return self._run([str(self.programs / "python"), "-c", code], {})

    def _run(self, command: list[str], settings: dict[str, str]) -> str:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON", "VIRTUAL"))
        }
        environment = inherited | {
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            **settings,
        }
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.home, env=environment, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    folder = tmp_path_factory.mktemp("bare")
    environment, home = folder / "venv", folder / "home"
    run_installer(UV, "venv", "--quiet", "--python", sys.executable, str(environment))
    target = ["--quiet", "--python", str(environment / "bin" / "python")]
    run_installer(UV, "pip", "install", *target, "--constraint", str(ROOT / "requirements.lock"), str(wheel))
    home.mkdir()
    made = Bare(environment / "bin", home)
    made.airflow("db", "migrate")
    yield made
    shutil.rmtree(folder)


def dags_of(bare: Bare, **settings: str) -> set[tuple[str, str]]:
    """Return the bundle and id of each DAG that Airflow finds."""
    bare.airflow("dags", "reserialize", **settings)
    assert bare.listed("dags", "list-import-errors", **settings) == []
    return {(dag["bundle_name"], dag["dag_id"]) for dag in bare.listed("dags", "list", **settings)}


@pytest.mark.wheel
@pytest.mark.timeout(400)
class TestBareEnvironment:
    def test_requirements_are_complete(self, bare: Bare) -> None:
        run_installer(UV, "pip", "check", "--python", str(bare.programs / "python"))

    def test_dags_are_found_by_the_bundle(self, bare: Bare) -> None:
        found = dags_of(bare, AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps(BUNDLE))

        assert found == {("job-history", dag_id) for dag_id in DAG_IDS}

    def test_dags_are_found_by_the_copied_files(self, bare: Bare) -> None:
        shutil.copytree(DAGS, bare.home / "dags", ignore=shutil.ignore_patterns("__pycache__"))

        assert dags_of(bare) >= {("dags-folder", dag_id) for dag_id in DAG_IDS}

    def test_connection_types_are_registered(self, bare: Bare) -> None:
        assert {"sumo_logic", "workato"} <= {hook["connection_type"] for hook in bare.listed("providers", "hooks")}

    def test_pages_are_served(self, bare: Bare) -> None:
        statuses = json.loads(bare.python(PAGES).splitlines()[-1])

        assert statuses["/none"] == 404
        assert {statuses["/setup"], statuses["/status"]} <= {200, 401}

    def test_command_line_is_installed(self, bare: Bare) -> None:
        shown = subprocess.run(
            [str(bare.programs / "job-history"), "--help"], check=True, capture_output=True, text=True
        )

        assert "redrive" in shown.stdout
