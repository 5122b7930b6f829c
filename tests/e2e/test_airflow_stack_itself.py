"""The local Airflow of all end-to-end tests: it works, and leaves no process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from simulators.airflow_stack import AirflowApiError, airflow_stack
from simulators.airflow_stack.leftovers import members_of_sessions
from simulators.postgres import PostgresServer, local_postgres
from simulators.processes import ProcessFailedError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

DAG_FILE = """
import logging
import subprocess
import time
from datetime import datetime, timezone

from airflow.sdk import CronDataIntervalTimetable, dag, task


@dag(
    dag_id="tiny",
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    params={"greeting": "hello"},
)
def tiny():
    @task
    def numbers():
        return [1, 2]

    @task
    def divide(number, params=None, data_interval_start=None):
        logging.getLogger(__name__).info("%s from %s", params["greeting"], data_interval_start)
        if params["greeting"] == "fail":
            return 1 / (number - 2)
        return number

    divide.expand(number=numbers())


@dag(dag_id="endless", schedule=None)
def endless():
    @task
    def sleep():
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        time.sleep(600)

    sleep()


tiny()
endless()
"""

HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with local_postgres(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server


def folders(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "dags").mkdir()
    (tmp_path / "plugins").mkdir()
    (tmp_path / "dags" / "tiny.py").write_text(DAG_FILE)
    return {
        "home": tmp_path / "home",
        "dags_folder": tmp_path / "dags",
        "plugins_folder": tmp_path / "plugins",
        "log_directory": tmp_path / "logs",
    }


def children() -> set[psutil.Process]:
    """All our descendants but PostgreSQL, whose own come and go."""
    return {child for child in psutil.Process().children(recursive=True) if child.name() != "postgres"}


def test_runs_logs_and_backfills_and_leaves_no_process(tmp_path: Path, postgres: PostgresServer) -> None:
    children_before = children()
    with airflow_stack(
        **folders(tmp_path),
        database_uri=postgres.create_database("whole"),
        environment={"AIRFLOW__CORE__INSTANCE_NAME": "of this test"},
    ) as stack:
        stack.api.wait_for_dag("tiny")
        stack.api.unpause("tiny")

        run_id = stack.api.trigger("tiny", conf={"greeting": "moin"}, logical_date=NOON).dag_run_id
        run = stack.api.wait_run("tiny", run_id)
        assert (run.state, run.data_interval_start, run.data_interval_end) == ("success", NOON - HOUR, NOON)
        assert [(task.task_id, task.map_index, task.state) for task in stack.api.task_instances("tiny", run_id)] == [
            ("divide", 0, "success"),
            ("divide", 1, "success"),
            ("numbers", -1, "success"),
        ]
        assert stack.api.xcom("tiny", run_id, "divide", map_index=1) == 2
        assert "moin from 2026-03-01 11:00:00+00:00" in stack.api.task_log("tiny", run_id, "divide", map_index=0)

        failed = stack.api.trigger("tiny", conf={"greeting": "fail"}).dag_run_id
        assert stack.api.wait_run("tiny", failed).state == "failed"
        assert "ZeroDivisionError: division by zero" in stack.api.task_log("tiny", failed, "divide", map_index=1)
        cleared = stack.api.clear("tiny", failed, tasks=[("divide", 1)], only_failed=True)
        assert [(task.task_id, task.map_index) for task in cleared] == [("divide", 1)]
        stack.api.wait_run("tiny", failed)
        assert [(task.map_index, task.try_number) for task in stack.api.task_instances("tiny", failed)[:2]] == [
            (0, 1),
            (1, 2),
        ]

        # NOON itself was run by hand above: "none" leaves it alone, "completed" takes it over.
        for greeting, reprocess, dates in (
            ("first", "none", [NOON + HOUR]),
            ("second", "completed", [NOON, NOON + HOUR]),
        ):
            backfill = stack.api.backfill(
                "tiny",
                from_date=NOON,
                to_date=NOON + HOUR,
                run_conf={"greeting": greeting},
                reprocess_behavior=reprocess,
            )
            runs = stack.api.wait_backfill(backfill)
            assert [(run.logical_date, run.state, run.conf) for run in runs] == [
                (date, "success", {"greeting": greeting}) for date in dates
            ]

        with pytest.raises(AirflowApiError, match="GET /dags/nowhere was answered with 404"):
            stack.api.get("/dags/nowhere")

        stack.api.wait_for_dag("endless")
        stack.api.unpause("endless")
        stack.api.trigger("endless")
        orphans = wait_for_endless_task(stack.process_ids["scheduler"])
        family = members_of_sessions(set(stack.process_ids.values()))
        assert family > orphans

    assert [process for process in family if process.is_running()] == []
    assert children() == children_before


def wait_for_endless_task(scheduler: int) -> set[psutil.Process]:
    """The process that the endless task has started in a session of its own."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = {child for child in psutil.Process(scheduler).children(recursive=True) if child.name() == "sleep"}
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError("the endless task was not started")


def test_failed_start_gives_the_reason_and_leaves_no_process(tmp_path: Path, postgres: PostgresServer) -> None:
    children_before = children()
    uri = postgres.database_uri("not_made")
    with (
        pytest.raises(ProcessFailedError, match=r'(?s)db migrate.*database "not_made" does not exist'),
        airflow_stack(**folders(tmp_path), database_uri=uri, environment={}),
    ):
        pass
    assert children() == children_before


def test_sigterm_to_the_runner_leaves_no_process(tmp_path: Path, postgres: PostgresServer) -> None:
    runner = f"""
from pathlib import Path
from simulators.airflow_stack import airflow_stack
folders = {{name: Path(value) for name, value in { ({k: str(v) for k, v in folders(tmp_path).items()})!r}.items()}}
with airflow_stack(**folders, database_uri={postgres.create_database("ended")!r}, environment={{}}):
    raise AssertionError("this test wants to end it before it has started")
"""
    include = str(Path(__file__).parents[2] / "include")
    process = subprocess.Popen([sys.executable, "-c", runner], env={**os.environ, "PYTHONPATH": include})
    try:
        log = tmp_path / "logs" / "db-migrate.log"
        deadline = time.monotonic() + 60
        while not log.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        family = psutil.Process(process.pid).children(recursive=True)
        assert [name for name in ("api-server", "db") if not any(name in child.cmdline() for child in family)] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 128 + signal.SIGTERM
    finally:
        process.kill()
    assert [child for child in family if child.is_running()] == []
