"""Moments as the documents and keys write them: UTC, to the microsecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from job_history.errors.quoting import quoted

# fromisoformat also takes bare dates and week dates; the time of a job without a time of day is a mistake, not
# midnight.
_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}")
_SLUG = "%Y%m%dT%H%M%SZ"


def parse_time(text: str) -> datetime:
    """Read ISO 8601 text with a date and a time; without an offset it is UTC (as SQLite writes its own times).

    Raises ValueError for any other text.
    """
    try:
        moment = datetime.fromisoformat(text) if _DATE_AND_TIME.match(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise ValueError(f"{quoted(text)} is not an ISO 8601 date and time")
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as overflow:
        raise ValueError(f"{quoted(text)} lies outside the years 1 to 9999 in UTC") from overflow


def format_time(moment: datetime) -> str:
    """Write a moment as `YYYY-MM-DDTHH:MM:SS[.fraction]Z`; a zero fraction, and zeros at its end, are dropped."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    if "." in text:
        text = text.rstrip("0")
    return text + "Z"


def time_slug(moment: datetime) -> str:
    """Write a moment, to the second, as part of a file name: `20180521T000000Z`."""
    return f"{moment.astimezone(UTC):{_SLUG}}"


def parse_time_slug(text: str) -> datetime:
    """Read what `time_slug` writes. Raises ValueError for any other text."""
    return datetime.strptime(text, _SLUG).replace(tzinfo=UTC)


def epoch_milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970-01-01T00:00:00Z, rounded down."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
