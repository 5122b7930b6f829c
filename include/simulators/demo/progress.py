"""Runs a command of Airflow with its output in a log, and shows how far it is."""

import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SECONDS_BETWEEN_LINES = 5.0
_TASK = re.compile(rb"starting task_id=(\S+)")


def run_with_progress(command: list[str], environment: dict[str, str], log: Path, show: Callable[[str], None]) -> int:
    """Run it, add its output to the log, and return its exit code. Every five seconds a line shows its task."""
    started = shown = time.monotonic()
    with log.open("ab") as output:
        running = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            while True:
                try:
                    return running.wait(timeout=0.25)
                except subprocess.TimeoutExpired:
                    now = time.monotonic()
                    if now - shown >= SECONDS_BETWEEN_LINES:
                        shown = now
                        show(f"{now - started:4.0f} s  {_at(log, command)}")
        finally:
            # In an interrupt, the command ends before the parts that it uses.
            if running.poll() is None:
                running.terminate()
                running.wait()


def _at(log: Path, command: list[str]) -> str:
    tasks = _TASK.findall(log.read_bytes())
    if not tasks:
        return "Airflow prepares its database" if "migrate" in command else "Airflow starts"
    return f"task {len(tasks)}: {tasks[-1].decode()}"


def python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]
