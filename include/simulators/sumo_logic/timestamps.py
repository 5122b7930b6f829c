"""The time of a message: found in it, stamped again, or the time of its receipt.

Rules: the service's pages "time-reference" and "How to ingest old or historical data". Of the service's many formats
this knows one, epoch milliseconds: as a property called "timestamp", or where the locator of a custom format finds it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .settings import SourceSettings

_DAY = 86_400_000
_FAR_FROM_RECENT = _DAY
_TOO_OLD_WITHOUT_FORMAT = 30 * _DAY
_TOO_OLD = 365 * _DAY
_TOO_NEW = 2 * _DAY

_DETECTED = re.compile(r'"timestamp"\s*:\s*"?(\d{13})(?!\d)')
_TIME_OF_DAY = re.compile(r"\d:\d")
_CUSTOM = re.compile(r"(?<!\d)(\d{13})(?!\d)")


class Stamp(NamedTuple):
    """A message's time in epoch milliseconds, and `_format`: how it came about."""

    milliseconds: int
    format: str


class Stamper:
    """Stamps the messages of one source, in the order of their arrival.

    `recent` is the time that the previous message got (None on a fresh source): more than a day away from it means
    `ac1`. The documents name no parse type for messages older than 30 days; here they have `ac2`, like those over a
    year.
    """

    def __init__(self, settings: SourceSettings, *, recent: int | None = None) -> None:
        self.recent = recent
        self._settings = settings
        self._locator = re.compile(settings.timestamp_locator) if settings.timestamp_locator else None

    def stamp(self, text: str, *, now: int) -> Stamp:
        """Stamp one whole message that was received at `now` (epoch ms)."""
        stamp = self._stamp(text, now)
        self.recent = stamp.milliseconds
        return stamp

    def _stamp(self, text: str, now: int) -> Stamp:
        if found := self._find_custom(text):
            return self._corrected(found, "def", now, configured=True)
        found = _DETECTED.search(text)
        # The time stamp furthest left counts, and nearly all of the service's other formats have a time of day.
        if found and not _TIME_OF_DAY.search(text, 0, found.start()):
            return self._corrected(found, "full", now, configured=False)
        return Stamp(now, "t:fail,o:-1,l:0,p:null")

    def _find_custom(self, text: str) -> re.Match[str] | None:
        if self._settings.timestamp_format is None:
            return None
        if self._locator is None:
            return _CUSTOM.search(text)
        located = self._locator.search(text)
        return None if located is None or located[1] is None else _CUSTOM.search(text, *located.span(1))

    def _corrected(self, found: re.Match[str], parse_type: str, now: int, *, configured: bool) -> Stamp:
        milliseconds = int(found[1])
        oldest = _TOO_OLD if configured else _TOO_OLD_WITHOUT_FORMAT
        where = f"o:{found.start()},l:{found.end() - found.start()},p:epoch"
        if not -_TOO_NEW <= now - milliseconds <= oldest:
            return Stamp(now, f"t:ac2,{where}")
        if not configured and self.recent is not None and abs(milliseconds - self.recent) > _FAR_FROM_RECENT:
            return Stamp(now, f"t:ac1,{where}")
        return Stamp(milliseconds, f"t:{parse_type},{where}")
