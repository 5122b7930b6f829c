"""The time that a message gets: found in it, re-stamped, or the time of its receipt.

Rules: the service's pages "time-reference" and "How to ingest old or historical data". Where several time stamps stand in
a message, the one furthest left counts; a zone in an unsupported form (`+02:00`) is not seen, which makes it UTC.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .settings import SourceSettings
from .timestamp_format import EPOCH_FORMATS, TOKEN_FORMATS, Found, TimestampFormat

_DAY = 86_400_000
_FAR_FROM_RECENT = _DAY
_TOO_OLD_WITHOUT_FORMAT = 30 * _DAY
_TOO_OLD = 365 * _DAY
_TOO_NEW = 2 * _DAY

# Every format of the table has a time of day: without one, none of them needs to be tried.
_TIME_OF_DAY = re.compile(r"\d:\d")
_MAX_TIMESTAMP = 40


class Stamp(NamedTuple):
    """A message's time in epoch milliseconds, and `_format`: how it came about."""

    milliseconds: int
    format: str


class Stamper:
    """Stamps the messages of one source, in the order of their arrival.

    `recent` is the time that the message before got (None on a fresh source): more than a day away from it means `ac1`.
    The documents name no parse type for messages older than 30 days; they stand here under `ac2` like those over a year.
    """

    def __init__(self, settings: SourceSettings, *, recent: int | None = None) -> None:
        self.recent = recent
        self._settings = settings
        self._custom = TimestampFormat.custom(settings.timestamp_format) if settings.timestamp_format else None
        self._locator = re.compile(settings.timestamp_locator) if settings.timestamp_locator else None
        self._cached: tuple[TimestampFormat, int] | None = None

    def stamp(self, text: str, *, now: int) -> Stamp:
        """Stamp one whole message that was received at `now` (epoch ms)."""
        stamp = self._stamp(text, now)
        self.recent = stamp.milliseconds
        return stamp

    def _stamp(self, text: str, now: int) -> Stamp:
        if not self._settings.timestamp_parsing:
            return Stamp(now, "t:none")
        found = self._find_custom(text)
        if found is not None:
            return self._corrected(found, "def", now, configured=True)
        found = self._find_cached(text)
        if found is not None:
            return self._corrected(found, "cache", now, configured=False)
        found = leftmost(text)
        if found is None:
            return Stamp(now, "t:fail,o:-1,l:0,p:null")
        self._cached = (found.format, found.offset)
        return self._corrected(found, "full", now, configured=False)

    def _find_custom(self, text: str) -> Found | None:
        if self._custom is None:
            return None
        if self._locator is None:
            return self._custom.find(text)
        located = self._locator.search(text)
        return None if located is None or located[1] is None else self._custom.find(text, *located.span(1))

    def _find_cached(self, text: str) -> Found | None:
        return None if self._cached is None else self._cached[0].find_at(text, self._cached[1])

    def _corrected(self, found: Found, parse_type: str, now: int, *, configured: bool) -> Stamp:
        age = now - found.milliseconds
        oldest = _TOO_OLD if configured else _TOO_OLD_WITHOUT_FORMAT
        correction = None
        if not self._settings.allow_historical and not -_TOO_NEW <= age <= oldest:
            correction = "ac2"
        elif not configured and self.recent is not None and abs(found.milliseconds - self.recent) > _FAR_FROM_RECENT:
            correction = "ac1"
        where = f"o:{found.offset},l:{found.length},p:{found.format.name}"
        if correction is not None:
            return Stamp(now, f"t:{correction},{where}")
        return Stamp(found.milliseconds, f"t:{parse_type},{where}")


def leftmost(text: str) -> Found | None:
    """The time stamp furthest left in `text`; of two that begin there, the longer one."""
    candidates = [found for kind in EPOCH_FORMATS if (found := kind.find(text)) is not None]
    best = min(candidates, key=_position, default=None)
    time_of_day = _TIME_OF_DAY.search(text)
    if time_of_day is None or (best is not None and best.offset < time_of_day.start() - _MAX_TIMESTAMP):
        return best
    for kind in TOKEN_FORMATS:
        end = len(text) if best is None else best.offset + 2 * _MAX_TIMESTAMP
        found = kind.find(text, 0, min(end, len(text)))
        if found is not None and (best is None or _position(found) < _position(best)):
            best = found
    return best


def _position(found: Found) -> tuple[int, int]:
    return found.offset, -found.length
