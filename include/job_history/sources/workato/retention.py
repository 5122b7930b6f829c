"""What the platform no longer holds: a window that is too old, or whose jobs are erased or dropped."""

from __future__ import annotations

import logging
from datetime import timedelta

from job_history.errors import UnrecoverableError
from job_history.model.timestamp import parse_time
from job_history.model.window import Window, is_older_than
from job_history.sources.workato.reading import Reading

log = logging.getLogger(__name__)

# Documented (an older FAQ): jobs are kept 30 or 90 days by plan, or for less if a workspace chooses so.
MIN_PLAN_RETENTION = timedelta(days=30)


def check_age(window: Window, retention: timedelta, now: float) -> None:
    """Raise UnrecoverableError if the window begins before the retention; `now` is in seconds since 1970."""
    if is_older_than(window, retention, now):
        raise UnrecoverableError(
            f"The window {window} begins before what the platform still holds (source.retention_days is "
            f"{retention.days}). Its jobs can no longer be read; what was delivered in time is at the destination."
        )


def check_swept(window: Window, readings: list[Reading], now: float) -> None:
    """Raise UnrecoverableError if all jobs of the window are erased, or some of them are no longer listed."""
    listed, swept = sum(reading.listed for reading in readings), sum(reading.swept for reading in readings)
    if swept:
        log.warning(
            "%s of %s jobs of %s are erased: the platform lists them without their data.", swept, listed, window
        )
    if swept and swept == listed:
        raise UnrecoverableError(
            f"All {listed} jobs of the window {window} are erased: the platform's retention is over, and only their "
            "times are left. What was delivered in time is at the destination."
        )
    if not is_older_than(window, MIN_PLAN_RETENTION, now):
        return
    # Counters exceed the whole list: some jobs are gone. They were of this window, unless an older one is still there.
    gone = sum(reading.uncounted for reading in readings)
    oldest = min((parse_time(reading.oldest) for reading in readings if reading.oldest), default=None)
    if gone and (oldest is None or oldest >= window.start):
        raise UnrecoverableError(
            f"The recipes' counters know of {gone} jobs that are no longer listed, and no job is listed that ended "
            f"before the window {window}: the platform has dropped the window's jobs, or some of them. What was "
            "delivered in time is at the destination."
        )
