"""The local Airflow of all end-to-end tests: it works, and leaves no process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from simulators.airflow_stack import airflow_stack
from simulators.airflow_stack.leftovers import kill_all, members_of_sessions
from simulators.postgres import PostgresServer, local_postgres
from simulators.processes import ProcessFailedError

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    with local_postgres(tmp_path_factory.mktemp("postgres") / "data") as server:
        yield server


def folders(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "dags").mkdir()
    (tmp_path / "plugins").mkdir()
    return {
        "home": tmp_path / "home",
        "dags_folder": tmp_path / "dags",
        "plugins_folder": tmp_path / "plugins",
        "log_directory": tmp_path / "logs",
    }


def processes_in(folder: Path) -> list[psutil.Process]:
    """Return the processes of this machine that run in a folder or below it."""

    def runs_here(process: psutil.Process) -> bool:
        try:
            return Path(process.cwd()).is_relative_to(folder)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    return [process for process in psutil.process_iter() if runs_here(process)]


def test_processes_of_a_session_include_children_that_opened_their_own() -> None:
    """As a task may do: ending the scheduler's session would not end them."""
    starts_a_child = (
        "import subprocess; print(subprocess.Popen(['sleep', '60'], start_new_session=True).pid, flush=True)"
    )
    leader = subprocess.Popen(
        [sys.executable, "-c", f"{starts_a_child}; import time; time.sleep(60)"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert leader.stdout is not None
    expected = {psutil.Process(leader.pid), psutil.Process(int(leader.stdout.readline()))}

    family = members_of_sessions({leader.pid})
    kill_all(family)

    leader.communicate()
    assert family == expected
    assert [process for process in family if process.is_running()] == []


def test_failed_start_reports_the_cause_and_leaves_no_process(tmp_path: Path, postgres: PostgresServer) -> None:
    uri = postgres.database_uri("not_made")
    with (
        pytest.raises(ProcessFailedError, match=r'(?s)db migrate.*database "not_made" does not exist'),
        airflow_stack(**folders(tmp_path), database_uri=uri, environment={}),
    ):
        pass
    assert processes_in(tmp_path) == []


def test_sigterm_while_it_starts_leaves_no_process(tmp_path: Path, postgres: PostgresServer) -> None:
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
