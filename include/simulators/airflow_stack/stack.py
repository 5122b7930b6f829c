"""Starts the four processes of Airflow, waits until all are well, and ends all of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import psutil

from simulators.end_signals import in_order_at_end_signals
from simulators.processes import ChildProcess, ProcessFailedError, free_port

from .api import AirflowApi
from .leftovers import kill_all, members_of_sessions
from .settings import stack_environment, write_secrets

_AIRFLOW = [sys.executable, "-P", "-m", "airflow"]
_START_SECONDS = 180
_GRACE_SECONDS = 5  # the scheduler would wait for its running tasks for ever
_POLL_SECONDS = 0.2
_TAIL_LINES = 30


@dataclass(frozen=True)
class AirflowStack:
    """A running Airflow. `environment` is what an `airflow` command needs to work on the same one; it holds secrets."""

    url: str
    api: AirflowApi
    home: Path
    log_directory: Path
    environment: Mapping[str, str]
    processes: "_Processes" = field(repr=False)

    @property
    def process_ids(self) -> Mapping[str, int]:
        return self.processes.ids()

    def crash_and_restart_scheduler(self) -> None:
        """Kill the scheduler and every task that it runs, as the end of its machine would, and start another."""
        kill_all(members_of_sessions({self.process_ids["scheduler"]}))
        self.processes.start_scheduler()


@contextmanager
def airflow_stack(
    home: Path,
    *,
    dags_folder: Path,
    plugins_folder: Path,
    database_uri: str,
    environment: Mapping[str, str],
    log_directory: Path,
    parallelism: int = 4,
    port: int | None = None,
) -> Iterator[AirflowStack]:
    """Run Airflow until the `with` block is left, by an exception, Ctrl-C or SIGTERM, too: no process is left.

    `home` becomes AIRFLOW_HOME and keeps the keys, so that the next start on it can read the same `database_uri`
    (PostgreSQL, an empty database or one of an earlier start). `environment` overrides every setting. `port` is the
    UI's and the API's on 127.0.0.1 (default: any free one); `parallelism` is the number of tasks at the same time.
    What the processes print goes to `log_directory`, one file each.

    Raises `ProcessFailedError` with the end of the log that matters when Airflow does not get healthy.
    """
    home, log_directory = home.absolute(), log_directory.absolute()
    port = port or free_port()
    variables = stack_environment(
        home=home,
        dags_folder=dags_folder.absolute(),
        plugins_folder=plugins_folder.absolute(),
        database_uri=database_uri,
        port=port,
        unused_port=free_port(),
        parallelism=parallelism,
        environment=environment,
    )
    write_secrets(home)
    log_directory.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    with in_order_at_end_signals(), _Processes(home, log_directory, variables) as processes, AirflowApi(url) as api:
        # The API server needs as long to load as the tables need to be made, and does not look at them before it is
        # asked: together they take the time of one.
        processes.start("api-server")
        processes.run("db", "migrate")
        processes.start_scheduler()
        processes.start("triggerer", "--skip-serve-logs")
        processes.start("dag-processor")
        _wait_until_healthy(api, processes)
        yield AirflowStack(url, api, home, log_directory, variables, processes)


class _Processes:
    """The running processes by name, ended all at once."""

    def __init__(self, home: Path, log_directory: Path, environment: Mapping[str, str]) -> None:
        self._home = home
        self._log_directory = log_directory
        self._environment = environment
        self._children: dict[str, ChildProcess] = {}
        self._exits = ExitStack()

    def start(self, name: str, *arguments: str) -> None:
        child = ChildProcess(
            [*_AIRFLOW, name, *arguments],
            log_path=self._fresh_log(name),
            ready=lambda: True,  # all of them are waited for together
            environment=self._environment,
            working_directory=self._home,
            grace_seconds=_GRACE_SECONDS,
        )
        self._children[name] = self._exits.enter_context(child)

    def start_scheduler(self) -> None:
        # Servers for logs listen on all addresses, and the API server finds the files by itself on this machine.
        self.start("scheduler", "--skip-serve-logs")

    def run(self, *arguments: str) -> None:
        """Run a command to its end. Raises `ProcessFailedError` if it fails."""
        log_path = self._fresh_log("-".join(arguments))
        earlier = {*psutil.Process().children()}
        with log_path.open("wb") as log:
            command = [*_AIRFLOW, *arguments]
            try:
                done = subprocess.run(
                    command, stdout=log, stderr=log, env=self._environment, cwd=self._home, check=False
                )
            except BaseException:
                # A signal while the process is being made: subprocess does not know it yet, and leaves it.
                kill_all({*psutil.Process().children()} - earlier)
                raise
        if done.returncode != 0:
            tail = "\n".join(log_path.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
            raise ProcessFailedError(
                f"`airflow {' '.join(arguments)}` ended with exit code {done.returncode}. {log_path} ends with:\n{tail}"
            )

    def ids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self._children.items()}

    def check_running(self) -> None:
        for name, child in self._children.items():
            if not child.is_running():
                raise ProcessFailedError(f"Airflow's {name} has ended. {child.log_path} ends with:\n{child.log_tail()}")

    def log_tail(self, name: str) -> str:
        return self._children[name].log_tail()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        sessions = set(self.ids().values())
        family = members_of_sessions(sessions)
        for session in sessions:  # all at once first, because each needs seconds to end
            with suppress(ProcessLookupError):
                os.killpg(session, signal.SIGTERM)
        try:
            self._exits.close()
        finally:
            kill_all(family | members_of_sessions(sessions))

    def _fresh_log(self, name: str) -> Path:
        path = self._log_directory / f"{name}.log"
        path.unlink(missing_ok=True)
        return path


def _wait_until_healthy(api: AirflowApi, processes: _Processes) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while unhealthy := api.unhealthy_parts():
        processes.check_running()
        if time.monotonic() > deadline:
            tails = "\n".join(f"--- {name}\n{processes.log_tail(name)}" for name in processes.ids())
            raise ProcessFailedError(
                f"Not healthy after {_START_SECONDS} s: {', '.join(unhealthy)}. The logs end with:\n{tails}"
            )
        time.sleep(_POLL_SECONDS)
