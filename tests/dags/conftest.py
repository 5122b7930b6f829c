"""An Airflow of its own for the DAG tests: fresh home, SQLite, the accounts and connections that a test writes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.watched_steps import WatchedSteps

from simulators.job_store import demo_store
from simulators.project import DAGS
from simulators.s3_endpoint import S3Endpoint, local_s3

from .ui import Pages, running_pages

HOUR = datetime(2018, 5, 21, 0, tzinfo=UTC)
HOUR_END = datetime(2018, 5, 21, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """Make the database of the home that the whole test run has."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
    # Its import configures logging, and would remove the handler of `caplog` in the middle of the first test.
    import airflow  # noqa: F401

    return Path(os.environ["AIRFLOW_HOME"])


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with local_s3(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture(scope="session")
def job_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("job_store") / "jobs.db"
    demo_store(path, HOUR, HOUR_END)
    return path


class World:
    """What a test sets up before a run: connections, accounts, ledger; and what it looks at afterwards."""

    def __init__(self, folder: Path, s3: S3Endpoint, job_store: Path, patch: pytest.MonkeyPatch) -> None:
        self.s3 = s3
        self.ledger = folder / "ledger"
        self.bucket = f"audit-{folder.name.replace('_', '-').lower()}"[:60].rstrip("-")
        self._patch = patch
        s3.create_bucket(self.bucket)
        patch.setenv("AIRFLOW__JOB_HISTORY__LEDGER_PATH", str(self.ledger))
        patch.setenv("AIRFLOW__JOB_HISTORY__STAGING_PATH", str(folder / "staging"))
        self.connect("job_store", {"conn_type": "sqlite", "host": str(job_store)})
        self.connect("s3", json.loads(s3.airflow_connection()))

    def connect(self, conn_id: str, connection: dict) -> None:
        self._patch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    def accounts(self, *accounts: dict) -> None:
        self._patch.setenv("AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS", json.dumps(accounts))

    def forget_accounts(self) -> None:
        self._patch.delenv("AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS", raising=False)

    def account(self, user_id: int, name: str, **changes: object) -> dict:
        return {
            "user_id": user_id,
            "name": name,
            "source": {"type": "sql", "conn_id": "job_store"},
            "destination": {"type": "s3", "conn_id": "s3", "bucket": self.bucket},
            "events": {"job_history": True, "line_details": True},
            **changes,
        }

    def keys(self) -> set[str]:
        """The keys of documents: a preflight's probe is none."""
        pages = self.s3.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
        return {key for key in keys if "_control/" not in key}

    def receipts(self) -> dict[tuple[int, str], dict]:
        found = [json.loads(path.read_bytes()) for path in sorted((self.ledger / "receipts").rglob("r[0-9]*.json"))]
        return {(receipt["user_id"], receipt["window"]["start"]): receipt for receipt in found}


def run_dag(dag_id: str, at: datetime = HOUR_END, **conf: object) -> tuple[str, dict[tuple[str, int], str]]:
    """Run a DAG once, with no retries; return the run's state and its tasks'."""
    from airflow.dag_processing.dagbag import DagBag

    dag = DagBag(DAGS).dags[dag_id]
    for task in dag.tasks:
        task.retries = 0  # a retry would wait its minute
    with _no_pauses_of_dag_test():
        dag_run = dag.test(logical_date=at, run_conf=conf or None)
    return str(dag_run.state), {
        (task.task_id, task.map_index): str(task.state) for task in dag_run.get_task_instances()
    }


@contextmanager
def _no_pauses_of_dag_test() -> Iterator[None]:
    """`DAG.test` pauses for a second each time that no task is ready, although it need only look again."""
    sleep = time.sleep

    def sleep_of_others(seconds: float) -> None:
        if sys._getframe(1).f_globals["__name__"] != "airflow.sdk.definitions.dag":
            sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", sleep_of_others)
        yield


@pytest.fixture
def world(
    airflow_home: Path, tmp_path: Path, s3: S3Endpoint, job_store: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    return World(tmp_path, s3, job_store, monkeypatch)


@pytest.fixture(scope="session")
def api_server(airflow_home: Path) -> Iterator[Pages]:
    with running_pages(airflow_home) as pages:
        yield pages


@pytest.fixture
def pages(api_server: Pages, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Pages]:
    """The project's pages in the API server, before anybody has set anything up."""
    # As the API server's own process has it: connections and Variables come from the database.
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__LEDGER_PATH", str(tmp_path / "ledger"))
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__STAGING_PATH", str(tmp_path / "staging"))
    api_server.clear()
    yield api_server
    api_server.clear()


@pytest.fixture
def task_logs(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """What our code logged so far in the tasks of the test's runs, on one line: the report wraps its lines."""
    caplog.set_level(logging.INFO, "job_history")
    return lambda: " ".join(" ".join(record.getMessage() for record in caplog.records).split())


@pytest.fixture
def store(world: World, job_store: Path, tmp_path: Path) -> Path:
    """A job store of the test's own, in which jobs show up later."""
    own = tmp_path / "jobs.db"
    shutil.copy(job_store, own)
    world.connect("job_store", {"conn_type": "sqlite", "host": str(own)})
    return own


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> WatchedSteps:
    return WatchedSteps(monkeypatch)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    def set_(section: str, **options: int) -> None:
        for name, value in options.items():
            monkeypatch.setenv(f"AIRFLOW__{section}__{name.upper()}", str(value))

    return SimpleNamespace(
        core=lambda **options: set_("CORE", **options), ours=lambda **options: set_("JOB_HISTORY", **options)
    )


def show(store: Path, user_id: int, job_id: int) -> None:
    """Have the job store show one more job that ended in the hour."""
    job = (user_id, 234, job_id, "completed", "2018-05-21T00:10:00Z", "2018-05-21T00:20:00Z")
    with sqlite3.connect(store) as connection:
        connection.execute(
            "INSERT INTO job_history_jobs (user_id, recipe_id, job_id, status, started_at, completed_at) VALUES "
            "(?,?,?,?,?,?)",
            job,
        )
