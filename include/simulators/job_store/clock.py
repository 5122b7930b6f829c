"""When the sample's jobs run, and how a store may write that down."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import NamedTuple

HOUR = timedelta(hours=1)
_PACIFIC = timezone(timedelta(hours=-7))


class Moment(NamedTuple):
    """The course of one job, in UTC. `ended_at` is None while it runs; `style` is how its times are written."""

    started_at: datetime
    ended_at: datetime | None
    style: int

    @property
    def seen_at(self) -> datetime:
        """The time that puts the job into its hour: the end, or the start of a job that runs."""
        return self.ended_at or self.started_at

    @property
    def texts(self) -> tuple[str, str | None]:
        """Both times as ISO 8601 text."""
        return write(self.started_at, self.style), None if self.ended_at is None else write(self.ended_at, self.style)


def hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """The beginnings of all whole hours that [start, end) touches."""
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour
        hour += HOUR


def write(instant: datetime, style: int) -> str:
    """ISO 8601 text: with Z or -07:00, with or without a fraction, by `style` (0 to 99)."""
    if style < 50:
        return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
    if style < 70:
        return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
    local = instant.astimezone(_PACIFIC)
    if style < 90:
        return local.strftime("%Y-%m-%dT%H:%M:%S-07:00")
    return local.strftime("%Y-%m-%dT%H:%M:%S.%f-07:00")


def cut(instant: datetime, style: int) -> datetime:
    """The instant that is left when it is written in this style."""
    if style >= 90:
        return instant
    microsecond = instant.microsecond // 1000 * 1000 if 50 <= style < 70 else 0
    return instant.replace(microsecond=microsecond)


def moment(random: Random, hour: datetime, *, is_running: bool) -> Moment:
    """A job that ends in the hour, or begins in it and runs on.

    Many end in the same second, a few on the hour exactly; most take seconds, some hours, so that they began in an
    hour, or on a day, before.
    """
    style = random.randrange(100)
    offset = timedelta(seconds=random.randrange(3_600), microseconds=random.randrange(1_000_000))
    crowd = random.randrange(100)
    if crowd < 2:
        offset = timedelta(0)
    elif crowd < 15:
        offset = timedelta(minutes=random.choice((0, 15, 30, 45)), seconds=3)
    seen_at = cut(hour + offset, style)
    if is_running:
        return Moment(seen_at, None, style)
    return Moment(cut(seen_at - _duration(random), style), seen_at, style)


def _duration(random: Random) -> timedelta:
    kind = random.randrange(100)
    if kind < 90:
        return timedelta(milliseconds=random.randrange(200, 30_000))
    if kind < 98:
        return timedelta(seconds=random.randrange(30, 5_400))
    return timedelta(seconds=random.randrange(5_400, 30 * 3_600))
