"""Which hours the status page shows: as its address says, else the last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from fastapi import HTTPException, status

from job_history.model.timestamp import format_time, parse_time
from job_history.model.window import Window

HOUR = timedelta(hours=1)
SPANS = {"24h": timedelta(hours=24), "48h": timedelta(hours=48), "7d": timedelta(days=7), "30d": timedelta(days=30)}


@dataclass(frozen=True)
class Period:
    """Full hours, or full days where the span is that long. `until` is None where it ends now."""

    span: str
    window: Window
    until: datetime | None = None

    @property
    def by_day(self) -> bool:
        return self.span.endswith("d")

    @property
    def earlier(self) -> str:
        return self._query(self.span, self.window.start)

    @property
    def later(self) -> str | None:
        if self.until is None:
            return None
        return self._query(self.span, self.window.end + (self.window.end - self.window.start))

    def with_span(self, span: str) -> str:
        return self._query(span, self.until)

    @staticmethod
    def _query(span: str, until: datetime | None) -> str:
        return urlencode({"span": span, **({"until": format_time(until)} if until else {})})


def period_of(span: str, until: str | None, now: datetime) -> Period:
    """Return the period that an address asks for. Raises HTTPException where it asks for none."""
    if span not in SPANS:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"span is one of {', '.join(SPANS)}, not {span!r}.")
    try:
        end = None if not until else parse_time(until)
    except ValueError as fault:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"until: {fault}.") from None
    last = _end_of(now, by_day=span.endswith("d"))
    if end is not None:
        end = _end_of(end - timedelta(microseconds=1), by_day=span.endswith("d"))
        end = None if end >= last else end
    return Period(span, Window((end or last) - SPANS[span], end or last), end)


def _end_of(moment: datetime, *, by_day: bool) -> datetime:
    """Return the end of the hour or day that the moment is in."""
    start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return start.replace(hour=0) + timedelta(days=1) if by_day else start + HOUR
