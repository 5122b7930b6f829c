"""The way of a task: from an Airflow connection of type `mysql`, through the provider's hook, to documents."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.job_stores import MARIADB_STORES, MysqlStore
from tests.support.mariadb import drivers_folder
from tests.support.source_suite import documents, job, listed

from job_history.errors.code import Code
from simulators.project import ROOT

pytestmark = [pytest.mark.mariadb, pytest.mark.parametrize("store", MARIADB_STORES, indirect=True)]

# In a process of its own: Airflow looks for providers once in a process.
READ = """
import json
from pathlib import Path
from tests.support.source_suite import documents, listed
from tests.unit.samples import account
from job_history.errors import ReplicationError
from job_history.model.event_kind import EventKind
from job_history.storage import local_storage
from job_history_airflow.factories.sources import source_of
source = source_of(account(), EventKind.JOBS, max_document_bytes=1_000_000, staging=local_storage(Path("staging")))
try:
    source.check_readable(line_details=True)
    found = {key: body.decode() for key, body in documents(listed(source)).items()}
except ReplicationError as error:
    found = {"code": error.code, "message": str(error)}
print("FOUND " + json.dumps(found))
"""


def read_by_a_task(store: MysqlStore, folder: Path, **changes: Any) -> dict[str, str]:
    connection = {
        "conn_type": "mysql",
        "host": "127.0.0.1",
        "port": store.server.port,
        "login": store.server.user,
        "password": store.server.password,
        "schema": store.database,
        "extra": {"client": store.driver},
        **changes,
    }
    done = subprocess.run(
        [sys.executable, "-c", READ],
        cwd=folder,
        env={
            **os.environ,
            "AIRFLOW_CONN_JOB_STORE": json.dumps(connection),
            "PYTHONPATH": os.pathsep.join(
                [*(str(ROOT / name) for name in (".", "include", "plugins")), drivers_folder()]
            ),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    [line] = [line for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    found: dict[str, str] = json.loads(line.removeprefix("FOUND "))
    return found


def test_jobs_are_read_through_airflows_hook(store: MysqlStore, tmp_path: Path) -> None:
    store.fill(job(number, title="Bücher 🚀") for number in range(200))

    found = read_by_a_task(store, tmp_path)

    assert found == {key: body.decode() for key, body in documents(listed(store.source())).items()}
    assert len(found) == 200


def test_a_wrong_password_is_named_and_not_repeated(store: MysqlStore, tmp_path: Path) -> None:
    found = read_by_a_task(store, tmp_path, password="wrong-password-of-a-test")

    assert found["code"] == Code.SQL_NOT_LET_IN
    assert "wrong-password" not in found["message"]


def test_the_cursor_that_a_connection_names_changes_nothing(store: MysqlStore, tmp_path: Path) -> None:
    store.fill([job(1)])

    assert len(read_by_a_task(store, tmp_path, extra={"client": store.driver, "cursor": "dictcursor"})) == 1


def test_a_client_that_the_hook_does_not_know_is_an_error_of_the_connection(store: MysqlStore, tmp_path: Path) -> None:
    found = read_by_a_task(store, tmp_path, extra={"client": "pymysql"})

    assert found["code"] == Code.CONNECTION_UNUSABLE
