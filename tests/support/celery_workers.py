"""Workers of Celery, each with an AIRFLOW_HOME of its own, beside an Airflow whose executor is CeleryExecutor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulators.airflow_stack import AirflowStack
from simulators.airflow_stack.leftovers import kill_all, members_of_sessions
from simulators.processes import ChildProcess

_START_SECONDS = 180


@dataclass(frozen=True)
class Worker:
    """A running worker."""

    home: Path
    process: ChildProcess

    def kill(self) -> None:
        """Kill it with all its tasks, as the end of its machine would."""
        kill_all(members_of_sessions({self.process.pid}))

    def runs(self, pid: int) -> bool:
        """Return whether a process is one of its tasks."""
        return pid in {process.pid for process in members_of_sessions({self.process.pid})}

    @property
    def log(self) -> str:
        return self.process.log_path.read_text(errors="replace")


@contextmanager
def celery_workers(stack: AirflowStack, folder: Path, names: list[str]) -> Iterator[list[Worker]]:
    """Start the workers; all of them have ended when the `with` block is left."""
    with ExitStack() as exits:
        workers = [_worker(stack, folder, name) for name in names]
        for worker in workers:
            exits.callback(worker.kill)
            exits.enter_context(worker.process)
        yield workers


def _worker(stack: AirflowStack, folder: Path, name: str) -> Worker:
    home = folder / name
    home.mkdir(parents=True)
    log_path = folder / f"{name}.log"
    options = ["--concurrency", "2", "--celery-hostname", f"{name}@%h", "--skip-serve-logs", "--without-gossip"]
    process = ChildProcess(
        [sys.executable, "-P", "-m", "airflow", "celery", "worker", *options],
        log_path=log_path,
        ready=lambda: log_path.exists() and " ready." in log_path.read_text(errors="replace"),
        environment={
            **stack.environment,
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        },
        working_directory=home,
        start_seconds=_START_SECONDS,
    )
    return Worker(home, process)
