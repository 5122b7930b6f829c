"""A window: a half-open interval of time over a job's `completed_at`. A job is in exactly one of two that touch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property

import msgspec
from msgspec.structs import force_setattr

from job_history.errors import PermanentError
from job_history.errors.quoting import quoted
from job_history.model.timestamp import format_time, parse_time, parse_time_slug, time_slug

HOUR = timedelta(hours=1)
# Beyond these years there is no job, and arithmetic with hours and days may leave what datetime can hold.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# A window is not cut below this: jobs that complete in the same second stay together.
MIN_PART = timedelta(seconds=1)


# dict=True makes room for the cached properties; JSON has `start` and `end` alone, as ISO 8601 text.
class Window(msgspec.Struct, frozen=True, order=True, dict=True):
    """`[start, end)`, both kept in UTC. Raises ValueError for moments without a time zone, or not in order."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a window needs moments with a time zone, not {self.start} and {self.end}")
        if self.start.tzinfo is not UTC or self.end.tzinfo is not UTC:
            force_setattr(self, "start", self.start.astimezone(UTC))
            force_setattr(self, "end", self.end.astimezone(UTC))
        if self.start >= self.end:
            raise ValueError(f"a window ends after it starts, unlike {self}")

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def is_within(self, other: Window) -> bool:
        return other.start <= self.start and self.end <= other.end

    def __str__(self) -> str:
        return f"[{self.start_text}, {self.end_text})"

    @cached_property
    def start_text(self) -> str:
        """The start as ISO 8601 text: `2018-05-21T00:00:00Z`."""
        return format_time(self.start)

    @cached_property
    def end_text(self) -> str:
        return format_time(self.end)

    @cached_property
    def slug(self) -> str:
        """The window as part of a file name: `20180521T000000Z-20180521T010000Z`."""
        return f"{_compact(self.start)}-{_compact(self.end)}"

    @classmethod
    def from_slug(cls, slug: str) -> Window:
        """Return the window of a slug. Raises ValueError for any other text."""
        start, _, end = slug.partition("-")
        window = cls(_moment(start), _moment(end))
        if window.slug != slug:
            raise ValueError(f"{quoted(slug)} is not a window as file names have it")
        return window

    def as_dict(self) -> dict[str, str]:
        return {"start": self.start_text, "end": self.end_text}

    def hours(self) -> Iterator[Window]:
        """Cut at the full hours: whole hours inside, and the remainders at either end."""
        start = self.start
        while start < self.end:
            end = min(_full_hour(start) + HOUR, self.end)
            yield Window(start, end)
            start = end


def _compact(moment: datetime) -> str:
    slug = time_slug(moment)
    return f"{slug[:-1]}.{moment.microsecond:06d}Z" if moment.microsecond else slug


def _moment(compact: str) -> datetime:
    if "." in compact:
        return datetime.strptime(compact, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    return parse_time_slug(compact)


def _full_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def is_older_than(window: Window, retention: timedelta, now: float) -> bool:
    """Return whether a window begins before the oldest record that is still held; `now` is in seconds since 1970."""
    return window.start < datetime.fromtimestamp(now, UTC) - retention


def last_full_hour(moment: datetime) -> Window:
    """Return the last hour that ended at or before the moment."""
    end = _full_hour(moment.astimezone(UTC))
    return Window(end - HOUR, end)


def requested_window(start: str | None, end: str | None) -> Window | None:
    """Return the window of a run's parameters, or None if both are empty.

    It is extended to whole hours: windows never overlap, and a receipt of half an hour would not know what the hour's
    delivered. Raises PermanentError if only one is given, or they are not two moments in order.
    """
    if not start and not end:
        return None
    if not start or not end:
        given = f"window_start={quoted(start)}" if start else f"window_end={quoted(end)}"
        raise PermanentError(f"The run's parameters have only {given}. Give window_start and window_end, or neither.")
    try:
        asked = Window(parse_time(start), parse_time(end))
        return Window(_full_hour(asked.start), _full_hour(asked.end - timedelta.resolution) + HOUR)
    except (ValueError, OverflowError) as error:
        raise PermanentError(
            f"The run's parameters window_start={quoted(start)} and window_end={quoted(end)} make no window: {error}. "
            "Write both as ISO 8601, as in 2018-05-21T00:00:00Z, the later one second."
        ) from error


def parts_of_at_most(limit: int, window: Window, jobs: int, count: Callable[[Window], int]) -> Iterator[Window]:
    """Cut a window into adjacent parts with at most `limit` jobs each, which together are the window.

    `jobs` is the result of `count(window)`; `count` asks the source, about twice as often as there are parts. A second
    in which more than `limit` jobs completed stays whole.
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
