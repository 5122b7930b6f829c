"""Finds and kills processes that are left when process groups are ended.

Airflow gives every task a process group of its own, so that ending the scheduler's group does not end a running task.
"""

import os
from collections.abc import Collection, Iterable

import psutil

_WAIT_SECONDS = 5


def members_of_sessions(session_ids: Collection[int]) -> set[psutil.Process]:
    """All processes of these sessions, and the children of those even if they opened another session."""
    members = {process for process in psutil.process_iter() if _session_of(process) in session_ids}
    return members | {child for process in members for child in _children_of(process)}


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """Kill those that still run, and wait until they are gone."""
    running = [process for process in processes if process.is_running()]
    for process in running:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(running, timeout=_WAIT_SECONDS)


def _session_of(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except (ProcessLookupError, PermissionError):
        return None


def _children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
