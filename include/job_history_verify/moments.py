"""Moments as the archive writes them: ISO 8601 in UTC, `2018-05-21T00:00:00Z`, with an optional fraction.

Years from 1000 to 9998: hours can be added to each moment, and each has a stamp of 14 digits.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_MOMENT = re.compile(r"((?!0|9999)[0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,6}))?Z")
HOUR = timedelta(hours=1)
# What is later than now by more was written by a machine whose clock is wrong.
CLOCK_TOLERANCE = timedelta(minutes=10)
# The next run of a daily DAG is expected within two days and the settle time: what is later is a mistake of a clock.
LATEST_EXPECTED = timedelta(days=31)


_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(text: str) -> timedelta:
    """Read a duration: 90s, 30m, 2h, 1d. Raises ValueError for anything else."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.60} is not a duration such as 30m, 2h or 1d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def parse_moment(text: object) -> datetime:
    """Read a moment. Raises ValueError for anything else."""
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"{text!r:.60} is not a moment such as 2018-05-21T00:00:00Z")
    *whole, fraction = match.groups()
    year, month, day, hour, minute, second = map(int, whole)
    microsecond = int((fraction or "").ljust(6, "0"))
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=timezone.utc)


def whole_hour_from(moment: datetime) -> datetime:
    """Return the first hour that begins then or later."""
    hour = hour_of(moment)
    return hour if hour == moment else hour + HOUR


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour that contains the moment."""
    return moment.replace(minute=0, second=0, microsecond=0)


def moment_text(moment: datetime) -> str:
    text = moment.astimezone(timezone.utc).replace(tzinfo=None).isoformat()
    return (text.rstrip("0") if "." in text else text) + "Z"
