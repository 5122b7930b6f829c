"""Work in a process of its own, as Airflow runs a task: forked from one that has Airflow imported."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, NamedTuple

import psutil

# The modules that a worker of the LocalExecutor has imported when it forks a task.
_PRELOADED = [
    "airflow.sdk.execution_time.task_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.executors.local_executor",
]
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(_PRELOADED)


Work = Callable[[], Any]


class Measured(NamedTuple):
    """What the work returned and used: wall and CPU seconds (of all its threads), peak resident bytes."""

    result: Any
    seconds: float
    cpu_seconds: float
    peak_bytes: int


class MeasuredWorkError(RuntimeError):
    """The work failed; the message is its traceback, or the end of a program's output."""


MAX_COMMAND_SECONDS = 300
SECONDS_BETWEEN_LOOKS = 0.05


def measured(prepare: Callable[..., Work], *arguments: Any, environment: dict[str, str] | None = None) -> Measured:
    """Measure the work that a function of a module prepares, in a new process with `environment` added to ours.

    What preparing takes (imports, a client) is not in the seconds, but in the memory. May be called in threads.
    """
    receiving, sending = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_measure, args=(sending, prepare, arguments, environment or {}))
    process.start()
    sending.close()
    try:
        reported: Measured | str = receiving.recv()
    except EOFError:
        reported = f"{prepare.__name__} was killed"
    process.join()
    if isinstance(reported, str):
        raise MeasuredWorkError(reported)
    return reported


def _measure(
    sending: Connection, prepare: Callable[..., Work], arguments: tuple[Any, ...], environment: dict[str, str]
) -> None:
    os.environ.update(environment)
    try:
        work = prepare(*arguments)
        started, cpu_started = time.perf_counter(), _cpu_seconds()
        result = work()
        seconds, cpu_seconds = time.perf_counter() - started, _cpu_seconds() - cpu_started
    except BaseException:  # noqa: BLE001 - sent to the parent, which raises it
        sending.send(traceback.format_exc())
    else:
        sending.send(Measured(result, seconds, cpu_seconds, _peak_bytes()))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss would be that of the process that ours was forked from, if that was larger
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1_024
    unit = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def measured_command(
    words: list[str], *, folder: Path, environment: dict[str, str] | None = None, stdin: IO[bytes] | None = None
) -> Measured:
    """Measure a program from its start to its end, with those that it starts; the peak is that of the largest of them.

    Raises MeasuredWorkError if it fails, or does not come to an end.
    """
    log = folder / f"{Path(words[0]).name}.log"
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            stdin=stdin or subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=os.environ | (environment or {}),
            start_new_session=True,
        )
        too_long = threading.Timer(MAX_COMMAND_SECONDS, os.killpg, [process.pid, signal.SIGKILL])
        too_long.start()
        ended, peaks = threading.Event(), [0]
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, ended))
        watcher.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            ended.set()
            too_long.cancel()
            watcher.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise MeasuredWorkError(
            f"{words[0]} ended with {process.returncode}:\n{log.read_text(errors='replace')[-4_000:]}"
        )
    return Measured(None, time.perf_counter() - started, usage.ru_utime + usage.ru_stime, max(peaks))


def _watch(process_id: int, peaks: list[int], ended: threading.Event) -> None:
    """Sample the resident memory of the largest process: the system's own figure would include the parent's share."""
    while not ended.wait(SECONDS_BETWEEN_LOOKS):
        try:
            process = psutil.Process(process_id)
            peaks.extend(each.memory_info().rss for each in [process, *process.children(recursive=True)])
        except psutil.Error:
            continue
        peaks[:] = [max(peaks)]
