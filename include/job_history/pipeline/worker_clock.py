"""Compares a worker's clock with that of the source that it reads."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from job_history.errors.catalogue import finding
from job_history.errors.code import Code

MOST = timedelta(minutes=1)
"""By so much a clock may be off: the worker's time is in names of runs and files, and decides what is old."""


class ClockOff(msgspec.Struct, frozen=True):
    """A worker whose clock is off: its host, and by how many seconds it is ahead of the source (negative: behind)."""

    host: str
    seconds: int


def clock_off(source_time: datetime | None, before: datetime, after: datetime) -> ClockOff | None:
    """Return by how much this worker's clock is off at least, if it is more than a minute.

    `source_time`: what the source's clock showed between `before` and `after` by this worker's clock; None: unknown.
    """
    if source_time is None:
        return None
    ahead, behind = before - source_time, source_time - after
    off = ahead if ahead > MOST else -behind if behind > MOST else None
    return None if off is None else ClockOff(socket.gethostname(), round(off.total_seconds()))


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
            )
        )
        for host, clock in sorted(largest.items())
    ]
