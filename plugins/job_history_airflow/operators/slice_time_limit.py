"""A time limit for one slice, inside the time limit that Airflow has set for the task."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType

from job_history.errors import TransientError
from job_history.pipeline.packing import SLICE_SECONDS

AGAIN_SECONDS = 10.0
"""The end is asked for again after so long: code that cannot raise, such as a destructor, may have swallowed it."""


class _OverError(BaseException):
    """No Exception: what tries an upload again, or handles log lines, must not take it for an error of its own."""


@contextmanager
def slice_time_limit(seconds: float = SLICE_SECONDS, then: str = "it gets a task of its own") -> Iterator[None]:
    """Raise TransientError in the block after this time. `then`: what happens to the slice, for the message.

    Airflow's own limit uses the same timer of the process: it holds in the block too, and is set again after it, less
    the time that the block took.
    """
    remaining, _ = signal.getitimer(signal.ITIMER_REAL)
    if 0 < remaining <= seconds:
        yield  # the task's own limit comes first
        return
    began, is_over = time.monotonic(), False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal is_over
        is_over = True
        if remaining and time.monotonic() - began >= remaining and callable(handler):
            handler(number, frame)
        raise _OverError

    handler: Callable[[int, FrameType | None], object] | int | None = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN_SECONDS)
    try:
        try:
            yield
        finally:
            # If it comes just now, it is raised here.
            signal.setitimer(signal.ITIMER_REAL, 0)
    except BaseException as error:
        # Of a group of tasks of asyncio it comes in a group of errors.
        if not is_over or not _has(error, _OverError):
            raise
        raise TransientError(f"it takes more than {seconds:,.0f} s, so {then}") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if remaining:
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - began), 0.001))


def part_of_the_time_left(part: float) -> AbstractContextManager[None]:
    """Limit a slice of a chain with several to this part of what its task has left, so that the task itself goes on."""
    remaining, _ = signal.getitimer(signal.ITIMER_REAL)
    return slice_time_limit(part * remaining, "the other slices of its task go on") if remaining else nullcontext()


def _has(error: BaseException, kind: type[BaseException]) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(kind) is not None
    return isinstance(error, kind)
