"""Formats of time stamps, written as the service writes them (`yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`, `epoch`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple, Self

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_ZONE_HOURS = {
    "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip

# Longest first, since `MMM` also begins with `MM`. The documents call these the timestamp conventions.
_TOKENS = {
    "yyyy": r"(?P<year>\d{4})",
    "yy": r"(?P<short_year>\d{2})",
    "MMM": r"(?P<month_name>[A-Za-z]{3})",
    "MM": r"(?P<month>\d{1,2})",
    "dd": r"(?P<day>\d{1,2})",
    "HH": r"(?P<hour>\d{1,2})",
    "hh": r"(?P<half_day_hour>\d{1,2})",
    "mm": r"(?P<minute>\d{1,2})",
    "ss": r"(?P<second>\d{1,2})",
    "SSS": r"(?P<fraction>\d{1,3})",
    "zzz": r"(?P<zone_name>[A-Z]{3})",
    "ZZZZ": r"(?P<zone>[+-]\d{4})",
    "a": r"(?P<half_day>[AaPp][Mm])",
    "'T'": "T",
    "'Z'": "Z",
    # The table of formats writes a star where separators differ from log to log.
    "*": r"[^0-9A-Za-z]",
}
_TOKEN = re.compile("|".join(re.escape(token) for token in sorted(_TOKENS, key=len, reverse=True)))
_EPOCH_DIGITS = r"(?P<epoch>\d{10})(?:\.?(?P<epoch_fraction>\d{3}|\d{6}|\d{9}))?"


class Found(NamedTuple):
    """A time stamp in a message: when (epoch ms), and the characters that say so."""

    milliseconds: int
    offset: int
    length: int
    format: TimestampFormat


class TimestampFormat:
    """One format, able to find itself in a text."""

    def __init__(self, name: str, expression: str) -> None:
        self.name = name
        self._pattern = re.compile(expression)

    @classmethod
    def of_tokens(cls, name: str) -> Self:
        """Read a format made of the documented tokens; raises ValueError for any other letter."""
        parts: list[str] = []
        end = 0
        for token in _TOKEN.finditer(name):
            parts += [_literal(name, name[end : token.start()]), _TOKENS[token.group()]]
            end = token.end()
        parts.append(_literal(name, name[end:]))
        try:
            return cls(name, r"(?<!\d)" + "".join(parts) + r"(?!\d)")
        except re.error as error:
            raise ValueError(f"The timestamp format {name} has a token twice: {error}") from error

    @classmethod
    def custom(cls, name: str) -> Self:
        """Read what a user typed into the source's form: tokens, or the word `epoch`."""
        return cls(name, rf"(?<!\d){_EPOCH_DIGITS}(?!\d)") if name == "epoch" else cls.of_tokens(name)

    def find(self, text: str, start: int = 0, end: int | None = None) -> Found | None:
        """The first valid time stamp of this format in `text[start:end]`."""
        return next(self._all(self._pattern.finditer(text, start, len(text) if end is None else end)), None)

    def find_at(self, text: str, start: int) -> Found | None:
        """The time stamp of this format that begins exactly at `start`."""
        match = self._pattern.match(text, start)
        return None if match is None else next(self._all(iter([match])), None)

    def _all(self, matches: Iterator[re.Match[str]]) -> Iterator[Found]:
        for match in matches:
            moment = _milliseconds(match.groupdict())
            if moment is not None:
                yield Found(moment, match.start(), match.end() - match.start(), self)


def _literal(name: str, text: str) -> str:
    if any(character.isalnum() or character == "'" for character in text):
        raise ValueError(f"The timestamp format {name} contains {text!r}, which is no documented token")
    return re.escape(text)


def _milliseconds(parts: dict[str, str | None]) -> int | None:
    epoch = parts.get("epoch")
    if epoch is not None:
        return int(epoch) * 1000 + int((parts.get("epoch_fraction") or "000")[:3])
    try:
        moment = _datetime(parts)
    except (ValueError, KeyError):
        return None  # such as month 13, or a word where a month's name should be
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _datetime(parts: dict[str, str | None]) -> datetime:
    def number(name: str) -> int:
        return int(parts.get(name) or 0)

    hour = number("hour")
    if half_day := parts.get("half_day"):
        hour = number("half_day_hour") % 12 + (12 if half_day.lower() == "pm" else 0)
    month_name = parts.get("month_name")
    month = number("month") if month_name is None else _MONTHS.index(month_name.lower()) + 1
    year = number("year") or 2000 + number("short_year")
    fraction = int((parts.get("fraction") or "0").ljust(3, "0")) * 1000
    zone = _zone(parts)
    return datetime(year, month, number("day"), hour, number("minute"), number("second"), fraction, tzinfo=zone)


def _zone(parts: dict[str, str | None]) -> timezone:
    """A zone that is not there, or not in a supported form such as `+02:00`, is UTC."""
    if zone := parts.get("zone"):
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
        return timezone(-offset if zone[0] == "-" else offset)
    if name := parts.get("zone_name"):
        return timezone(timedelta(hours=_ZONE_HOURS[name]))
    return UTC


_WITH_DATE_AND_YEAR = """
yyyy-MM-dd'T'HH:mm:ss*SSSZZZZ
yyyy MMM dd HH:mm:ss.SSS zzz
MMM dd HH:mm:ss ZZZZ yyyy
dd/MMM/yyyy:HH:mm:ss ZZZZ
MMM dd, yyyy hh:mm:ss a
MMM dd yyyy HH:mm:ss
MMM dd HH:mm:ss yyyy
yyyy-MM-dd'T'HH:mm:ssZZZZ
yyyy-MM-dd'T'HH:mm:ss.SSS'Z'
yyyy-MM-dd HH:mm:ss ZZZZ
yyyy-MM-dd HH:mm:ssZZZZ
yyyy-MM-dd HH:mm:ss,SSS
yyyy/MM/dd*HH:mm:ss
yyyy MMM dd HH:mm:ss.SSS*zzz
yyyy MMM dd HH:mm:ss.SSS
yyyy-MM-dd HH:mm:ss,SSSZZZZ
yyyy-MM-dd HH:mm:ss.SSS
yyyy-MM-dd HH:mm:ss.SSSZZZZ
yyyy-MM-dd'T'HH:mm:ss.SSS
yyyy-MM-dd'T'HH:mm:ss
yyyy-MM-dd'T'HH:mm:ss'Z'
yyyy-MM-dd*HH:mm:ss:SSS
yyyy-MM-dd*HH:mm:ss
yyyyMMdd HH:mm:ss.SSS
MM/dd/yyyy*HH:mm:ss
MM/dd/yyyy*HH:mm:ss*SSS
MM/dd/yyyy HH:mm:ss ZZZZ
dd/MMM/yyyy:HH:mm:ss
dd/MMM/yyyy HH:mm:ss
dd-MMM-yyyy HH:mm:ss
dd-MMM-yyyy HH:mm:ss.SSS
dd MMM yyyy HH:mm:ss
dd MMM yyyy HH:mm:ss*SSS
MM/dd/yyyy hh:mm:ss a:SSS
MM/dd/yyyy hh:mm:ss a
"""

# The documents' table, without the formats that have no year, a two-digit one or no date: what the service makes of
# an ambiguous one is not documented.
TOKEN_FORMATS: tuple[TimestampFormat, ...] = tuple(
    TimestampFormat.of_tokens(name) for name in _WITH_DATE_AND_YEAR.strip().splitlines()
)

# Bare epochs count only at the very start of a message; inside JSON, only as a property called "timestamp".
EPOCH_FORMATS: tuple[TimestampFormat, ...] = (
    TimestampFormat("epoch", r'"timestamp"\s*:\s*"?(?P<epoch>\d{10})(?P<epoch_fraction>\d{3})(?!\d)'),
    TimestampFormat("epoch", r"\A\[(?P<epoch>\d{10})(?=[\],])"),
    TimestampFormat("epoch", r"\A(?P<epoch>\d{10})(?=,)"),
    TimestampFormat("epoch", r"\A(?P<epoch>\d{10})\.?(?P<epoch_fraction>\d{3}|\d{6}|\d{9})(?!\d)"),
)
