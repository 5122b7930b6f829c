"""Compares a worker's clock with those of the source that it reads and of the storage that it writes to."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

import msgspec

from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.storage import Storage

MOST = timedelta(minutes=1)
"""By so much a clock may be off: the worker's time is in names of runs and files, and decides what is old."""


class ClockOff(msgspec.Struct, frozen=True):
    """A worker whose clock is off: its host, and by how many seconds it is ahead of `other` (negative: behind)."""

    host: str
    seconds: int
    other: str = "the source"


def clock_off(
    shown: datetime | None, before: datetime, after: datetime, *, other: str = "the source"
) -> ClockOff | None:
    """Return by how much this worker's clock is off at least, if it is more than a minute.

    `shown`: what the other clock showed between `before` and `after` by this worker's clock; None: unknown.
    """
    if shown is None:
        return None
    ahead, behind = before - shown, shown - after
    off = ahead if ahead > MOST else -behind if behind > MOST else None
    return None if off is None else ClockOff(socket.gethostname(), round(off.total_seconds()), other)


class StagingClock:
    """Compares a worker's clock with the staging area's, once: a task asks for one listing, whatever its slices."""

    def __init__(self, staging: Storage) -> None:
        self._staging = staging
        self._was_asked = False

    def off(self, path: str, before: datetime) -> ClockOff | None:
        """Compare with the time that the store gave the file, which this worker wrote after `before`."""
        if self._was_asked:
            return None
        self._was_asked = True
        written = dict(self._staging.written(str(PurePosixPath(path).parent))).get(path)
        return clock_off(written, before, datetime.now(UTC), other="the storage of the staging area")


def clock_problems(clocks: Iterable[ClockOff]) -> list[str]:
    """Return a problem for each host whose clock is off, with its largest distance."""
    largest: dict[str, ClockOff] = {}
    for clock in clocks:
        if abs(clock.seconds) > abs(largest.get(clock.host, ClockOff(clock.host, 0)).seconds):
            largest[clock.host] = clock
    return [
        str(
            finding(
                Code.CLOCK_OFF,
                f"Worker {host}",
                seconds=abs(clock.seconds),
                direction="ahead of" if clock.seconds > 0 else "behind",
                other=clock.other,
            )
        )
        for host, clock in sorted(largest.items())
    ]
