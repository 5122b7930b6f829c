"""The local services are there when asked for, give the reason when they are not, and leave no process."""

import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import requests
from tests.support.waiting import wait_until

from simulators.postgres import local_postgres
from simulators.processes import ChildProcess, ProcessFailedError, free_port, listens_on
from simulators.s3_endpoint import S3Endpoint, local_s3

INCLUDE = Path(__file__).parents[3] / "include"


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def python(program: str, tmp_path: Path, *, ready: int | Callable[[], bool], **options: object) -> ChildProcess:
    command = [sys.executable, "-u", "-c", textwrap.dedent(program)]
    return ChildProcess(command, log_path=tmp_path / "logs" / "child.log", ready=ready, **options)


# Child processes


def test_a_child_is_ready_inside_the_block_and_gone_after_it(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    child = ChildProcess(command, log_path=tmp_path / "http.log", ready=port, working_directory=tmp_path)
    with child:
        pid = child.pid
        answer = requests.get(f"http://127.0.0.1:{port}/", timeout=30).status_code
        assert (answer, child.is_running(), os.getsid(pid)) == (200, True, pid)
    assert (child.is_running(), is_alive(pid), listens_on(port)) == (False, False, False)
    assert "GET / HTTP/1.1" in child.log_tail()
    child.stop()


def test_children_of_the_child_that_ignore_sigterm_are_killed_too(tmp_path: Path) -> None:
    program = """
        import pathlib, signal, subprocess, sys, time
        stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on'); time.sleep(60)"
        inner = subprocess.Popen([sys.executable, "-u", "-c", stubborn], stdout=subprocess.PIPE)
        inner.stdout.readline()
        print(inner.pid, flush=True)
        time.sleep(60)
    """
    log = tmp_path / "logs" / "child.log"
    with python(program, tmp_path, ready=lambda: log.read_text().endswith("\n"), grace_seconds=1) as child:
        inner, outer = int(log.read_text()), child.pid
        assert (is_alive(inner), is_alive(outer)) == (True, True)
    assert wait_until(lambda: not is_alive(inner))
    assert not is_alive(outer)


def test_a_child_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    program = "import sys; print('\\n'.join(f'line {n}' for n in range(100))); sys.exit('no such flavour')"
    child = python(program, tmp_path, ready=free_port())
    with pytest.raises(ProcessFailedError) as raised, child:
        pytest.fail("it was taken for ready")
    first, *shown = str(raised.value).splitlines()
    assert first == f"{Path(sys.executable).name} ended with exit code 1. Its log, {child.log_path}, ends with:"
    assert shown == [*(f"line {n}" for n in range(71, 100)), "no such flavour"]


def test_a_child_that_never_gets_ready_is_ended(tmp_path: Path) -> None:
    child = python("import time; time.sleep(60)", tmp_path, ready=lambda: False, start_seconds=0.2)
    with pytest.raises(ProcessFailedError, match=r"was not ready after 0\.2 s.*\n\(nothing\)"), child:
        pytest.fail("it was taken for ready")
    assert not is_alive(child.pid)


PARENT = """
    import os, signal, sys, time
    from pathlib import Path
    from simulators.postgres import local_postgres
    from simulators.processes import ChildProcess

    folder = Path(sys.argv[1])
    sleeper = ChildProcess(["sleep", "60"], log_path=folder / "sleep.log", ready=lambda: True)
    with local_postgres(folder / "pg") as server, sleeper:
        postgres = int((folder / "pg" / "postmaster.pid").read_text().splitlines()[0])
        print(postgres, sleeper.pid, flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_the_python_process_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    errors = tmp_path / "errors.log"
    with (
        errors.open("wb") as error_log,
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)],
            env={**os.environ, "PYTHONPATH": str(INCLUDE)},
            stdout=subprocess.PIPE,
            stderr=error_log,
            text=True,
            start_new_session=True,
        ) as parent,
    ):
        assert parent.stdout is not None
        children = [int(word) for word in parent.stdout.readline().split()]
        assert len(children) == 2, errors.read_text()
        guards = [process.pid for process in psutil.Process(parent.pid).children() if process.pid not in children]
        assert [is_alive(pid) for pid in (*children, *guards)] == [True] * 4
        parent.send_signal(number)
        parent.wait(timeout=60)
    assert wait_until(lambda: not any(is_alive(pid) for pid in (*children, *guards)))
    assert not (tmp_path / "pg" / "postmaster.pid").exists(), "PostgreSQL has shut down in order"


# PostgreSQL


def test_postgres_stops_although_a_client_stays(tmp_path: Path) -> None:
    with local_postgres(tmp_path / "pg") as server:
        connection = server.psycopg_connection()
    assert not (tmp_path / "pg" / "postmaster.pid").exists(), "it was killed at the end of the grace time"
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


def test_postgres_listens_on_a_socket_that_only_its_user_can_reach(tmp_path: Path) -> None:
    with local_postgres(tmp_path / "pg") as server:
        postmaster = int((tmp_path / "pg" / "postmaster.pid").read_text().splitlines()[0])
        networks = {connection.family.name for connection in psutil.Process(postmaster).net_connections("all")}
        mode = stat.S_IMODE(server.socket_folder.stat().st_mode)
    assert (networks, mode) == ({"AF_UNIX"}, 0o700)


def test_postgres_in_a_folder_with_a_very_long_name_has_a_short_socket(tmp_path: Path) -> None:
    with local_postgres(tmp_path / ("long" * 30) / "pg") as server:
        socket_folder = server.socket_folder
        with server.psycopg_connection() as connection:
            assert connection.execute("SELECT 1").fetchall() == [(1,)]
        assert (len(str(socket_folder)) < 80, stat.S_IMODE(socket_folder.stat().st_mode)) == (True, 0o700)
    assert not socket_folder.exists()


# S3


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Endpoint]:
    with local_s3(tmp_path_factory.mktemp("s3")) as running:
        yield running


def test_the_secret_is_in_the_connection_and_not_in_the_repr(endpoint: S3Endpoint) -> None:
    assert json.loads(endpoint.airflow_connection(bucket="acme-audit")) == {
        "conn_type": "aws",
        "login": endpoint.access_key,
        "password": endpoint.secret_key,
        "extra": {
            "endpoint_url": endpoint.url,
            "region_name": "us-east-1",
            "service_config": {"s3": {"bucket_name": "acme-audit"}},
        },
    }
    assert endpoint.url in repr(endpoint)
    assert endpoint.secret_key not in repr(endpoint)
