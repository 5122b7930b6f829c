"""A window: a half-open stretch of time over a job's `completed_at`. A job is in exactly one of two that touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from job_history.errors import PermanentError
from job_history.model.timestamp import format_time, parse_time

HOUR = timedelta(hours=1)
# Below this a window is not cut further: the unit is the second, and jobs that complete in the same one stay together.
MIN_PART = timedelta(seconds=1)


@dataclass(frozen=True, order=True)
class Window:
    """`[start, end)` in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a window needs moments with a time zone, not {self.start} and {self.end}")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.start >= self.end:
            raise ValueError(f"a window ends after it starts, unlike {self}")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return f"[{format_time(self.start)}, {format_time(self.end)})"

    @cached_property
    def slug(self) -> str:
        """The window as part of a file name: `20180521T000000Z-20180521T010000Z`."""
        return f"{_compact(self.start)}-{_compact(self.end)}"

    def as_dict(self) -> dict[str, str]:
        return {"start": format_time(self.start), "end": format_time(self.end)}

    @classmethod
    def from_dict(cls, moments: dict[str, str]) -> Window:
        return cls(parse_time(moments["start"]), parse_time(moments["end"]))

    def hours(self) -> Iterator[Window]:
        """Cut at the full hours: whole hours inside, and what is left over at either end."""
        start = self.start
        while start < self.end:
            end = min(_full_hour(start) + HOUR, self.end)
            yield Window(start, end)
            start = end


def _compact(moment: datetime) -> str:
    fraction = f".{moment.microsecond:06d}" if moment.microsecond else ""
    return f"{moment:%Y%m%dT%H%M%S}{fraction}Z"


def _full_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def is_older_than(window: Window, retention: timedelta, now: float) -> bool:
    """Say whether a window begins before what is still held; `now` is in seconds since 1970."""
    return window.start < datetime.fromtimestamp(now, UTC) - retention


def last_full_hour(moment: datetime) -> Window:
    """Return the last hour that ended at or before the moment."""
    end = _full_hour(moment.astimezone(UTC))
    return Window(end - HOUR, end)


def requested_window(start: str | None, end: str | None) -> Window | None:
    """Return the window that somebody typed into a run's parameters, or None where both are left empty.

    It is made whole hours: windows never overlap, and a receipt of half an hour would not know what the hour's delivered.
    Raises PermanentError where only one is given, or they are no moments in order.
    """
    if not start and not end:
        return None
    if not start or not end:
        given = f"window_start={start!r}" if start else f"window_end={end!r}"
        raise PermanentError(f"The run's parameters have only {given}: give window_start and window_end, or neither.")
    try:
        asked = Window(parse_time(start), parse_time(end))
        return Window(_full_hour(asked.start), _full_hour(asked.end - timedelta.resolution) + HOUR)
    except (ValueError, OverflowError) as fault:
        raise PermanentError(
            f"The run's parameters window_start={start!r} and window_end={end!r} make no window: {fault}. "
            "Write both as ISO 8601, as in 2018-05-21T00:00:00Z, the later one second."
        ) from fault


def parts_of_at_most(limit: int, window: Window, jobs: int, count: Callable[[Window], int]) -> Iterator[Window]:
    """Cut a window into parts with at most `limit` jobs each, which touch and together are the window.

    `jobs` is what `count(window)` gave; `count` asks the source, about twice as often as there are parts. A second in
    which more than `limit` jobs completed stays whole.
    """
    part, jobs_in_part = None, 0
    for piece, jobs_in_piece in _pieces(limit, window, jobs, count):
        if part is not None and jobs_in_part + jobs_in_piece <= limit:
            part, jobs_in_part = Window(part.start, piece.end), jobs_in_part + jobs_in_piece
            continue
        if part is not None:
            yield part
        part, jobs_in_part = piece, jobs_in_piece
    if part is not None:
        yield part


def _pieces(limit: int, window: Window, jobs: int, count: Callable[[Window], int]) -> Iterator[tuple[Window, int]]:
    seconds = (window.end - window.start) // MIN_PART
    if jobs <= limit or seconds < 2:
        yield window, jobs
        return
    middle = window.start + MIN_PART * (seconds // 2)
    # Both halves are counted, not one subtracted: the source may gain a late job meanwhile.
    for half in (Window(window.start, middle), Window(middle, window.end)):
        yield from _pieces(limit, half, count(half), count)
