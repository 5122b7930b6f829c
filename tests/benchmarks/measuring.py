"""Work in a process of its own, as Airflow runs a task: forked from one that has Airflow imported."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

# What a worker of the LocalExecutor has imported when it forks a task.
_PRELOADED = [
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.executors.local_executor",
]
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(_PRELOADED)


Work = Callable[[], Any]


class Measured(NamedTuple):
    """What the work returned, and what it took: wall and CPU seconds (of all its threads), peak resident bytes."""

    result: Any
    seconds: float
    cpu_seconds: float
    peak_bytes: int


class MeasuredWorkError(RuntimeError):
    """The work raised; the message is its traceback."""


def measured(prepare: Callable[..., Work], *arguments: Any, environment: dict[str, str] | None = None) -> Measured:
    """Measure the work that a function of a module prepares, in a new process with `environment` added to ours.

    What preparing takes (imports, a client) is not in the seconds, but in the memory. May be called in threads.
    """
    receiving, sending = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_measure, args=(sending, prepare, arguments, environment or {}))
    process.start()
    sending.close()
    try:
        told: Measured | str = receiving.recv()
    except EOFError:
        told = f"{prepare.__name__} was killed"
    process.join()
    if isinstance(told, str):
        raise MeasuredWorkError(told)
    return told


def _measure(
    sending: Connection, prepare: Callable[..., Work], arguments: tuple[Any, ...], environment: dict[str, str]
) -> None:
    os.environ.update(environment)
    try:
        work = prepare(*arguments)
        started, cpu_started = time.perf_counter(), _cpu_seconds()
        result = work()
        seconds, cpu_seconds = time.perf_counter() - started, _cpu_seconds() - cpu_started
    except BaseException:  # noqa: BLE001 - told to the parent, which raises it
        sending.send(traceback.format_exc())
    else:
        sending.send(Measured(result, seconds, cpu_seconds, _peak_bytes()))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss would be that of whatever process ours was forked from, if that was larger
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1_024
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
