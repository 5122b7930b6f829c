"""A time limit for one slice, inside the time limit that Airflow has set for the task."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from job_history.errors import TransientError

MAX_SECONDS = 120.0


@contextmanager
def slice_time_limit(seconds: float = MAX_SECONDS) -> Iterator[None]:
    """Raise TransientError in the block after this time.

    Airflow's own limit uses the same timer of the process; it is set again, less the time that the block took.
    """
    remaining, _ = signal.getitimer(signal.ITIMER_REAL)
    if 0 < remaining <= seconds:
        yield  # the task's own limit comes first
        return
    began = time.monotonic()

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise TransientError(f"it takes more than {seconds:g} s, so it gets a task of its own")

    handler = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining:
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - began), 0.001))
