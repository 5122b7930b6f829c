"""The hours that the status page shows, and the moments and windows that an address may name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

from fastapi import HTTPException, status

from job_history.model.timestamp import format_time, parse_time
from job_history.model.window import EARLIEST, HOUR, LATEST, Window

DAY = timedelta(days=1)
MAX_MOMENT_LENGTH = 40


class Span(StrEnum):
    """How much the page shows. With `d`, a cell is a day."""

    DAY = "24h"
    TWO_DAYS = "48h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def length(self) -> timedelta:
        return timedelta(days=int(self[:-1])) if self.by_day else timedelta(hours=int(self[:-1]))

    @property
    def by_day(self) -> bool:
        return self.endswith("d")


@dataclass(frozen=True)
class Period:
    """Full hours, or full days if the span is in days. `until` is None if the period ends now."""

    span: Span
    window: Window
    until: datetime | None = None

    @property
    def by_day(self) -> bool:
        return self.span.by_day

    @property
    def earlier(self) -> str:
        return self._query(self.span, self.window.start)

    @property
    def later(self) -> str | None:
        if self.until is None:
            return None
        return self._query(self.span, self.window.end + (self.window.end - self.window.start))

    def with_span(self, span: Span) -> str:
        return self._query(span, self.until)

    @staticmethod
    def _query(span: Span, until: datetime | None) -> str:
        return urlencode({"span": span.value, **({"until": format_time(until)} if until else {})})


def requested_period(span: Span, until: str | None, now: datetime) -> Period:
    """Return the period that an address names. Raises HTTPException (422) if it names none."""
    last = _end_of(now, by_day=span.by_day)
    end = None
    if until:
        # A moment on the boundary is the end of the hour or day before it.
        end = _end_of(_moment("until", until) - timedelta(microseconds=1), by_day=span.by_day)
        end = None if end >= last else end
    return Period(span, Window((end or last) - span.length, end or last), end)


def requested_window(start: str, end: str) -> Window:
    """Return the window of a receipt that an address names. Raises HTTPException (422) if it names none."""
    window = _window(start, end)
    if window.end - window.start > HOUR:
        raise _unprocessable("start and end must be the start and end of one window: at most an hour.")
    return window


def requested_hours(start: str, end: str) -> Window:
    """Return the window, or the whole day in UTC, that an address names.

    Raises HTTPException (422) if it names neither.
    """
    window = _window(start, end)
    is_day = window.start == window.start.replace(hour=0, minute=0, second=0, microsecond=0)
    if window.end - window.start > HOUR and not (is_day and window.end - window.start == DAY):
        raise _unprocessable("start and end must be those of one window (at most an hour), or of one whole day in UTC.")
    return window


def _window(start: str, end: str) -> Window:
    try:
        return Window(_moment("start", start), _moment("end", end))
    except ValueError as error:
        raise _unprocessable(f"start and end: {error}.") from None


def _moment(name: str, text: str) -> datetime:
    try:
        moment = parse_time(text)
    except ValueError as error:
        raise _unprocessable(f"{name}: {error}.") from None
    if not EARLIEST <= moment <= LATEST:
        raise _unprocessable(f"{name} must lie between the years {EARLIEST.year} and {LATEST.year}.")
    return moment


def _unprocessable(reason: str) -> HTTPException:
    return HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, reason)


def _end_of(moment: datetime, *, by_day: bool) -> datetime:
    """Return the end of the hour or day that the moment is in."""
    start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return start.replace(hour=0) + DAY if by_day else start + HOUR
