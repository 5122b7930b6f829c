"""The forms in which a column without a time type writes times: which there are, how each is read, which a column has.

A column has one form. It is found in a sample of the column, by rule: no value is two times in two forms, except a date
with slashes, which needs another value that shows whether the day or the month comes first. docs/job-store.md lists the
forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import NamedTuple

from job_history.model.timestamp import parse_time

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_JULIAN_DAY_OF_EPOCH = Decimal("2440587.5")
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_ZONE = r"(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(:(?P<second>\d\d)([.,](?P<fraction>\d{1,9}))?)?"
_WITH_ZONE = re.compile(
    rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d) {_CLOCK} {_ZONE}( [A-Z]{{1,5}}| (?P<again>[+-]\d\d(\d\d)?))?( m=[+-][\d.]+)?",  # noqa: E501
    re.ASCII,
)
_BASIC = re.compile(r"(\d{8})T?(\d{6})([.,]\d{1,9})?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)
_SLASHES = re.compile(rf"(\d\d?)/(\d\d?)/(?P<year>\d{{4}}),? {_CLOCK}( ?(?P<half>[AP])M)?( ?{_ZONE})?", re.ASCII)
_NAMES = r"(MON|TUE|WED|THU|FRI|SAT|SUN),? "
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_ENGLISH = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"({_NAMES})?(?P<day>\d\d?) (?P<month>[A-Z]{{3}}) (?P<year>\d{{4}}) {_CLOCK} {_ZONE}",  # RFC 2822
        rf"{_NAMES}(?P<month>[A-Z]{{3}}) (?P<day>\d\d?) {_CLOCK} {_ZONE} (?P<year>\d{{4}})",  # Java
        rf"{_NAMES}(?P<month>[A-Z]{{3}}) (?P<day>\d\d?) (?P<year>\d{{4}}) {_CLOCK} (GMT)?{_ZONE}( \(.*\))?",  # JavaScript  # noqa: E501
    )
)


class TimeForm(NamedTuple):
    """One form. `read` returns a moment in UTC and raises ValueError for a value in any other form.

    `is_dated`: its texts begin with YYYY-MM-DD, so that their order is nearly that of time.
    """

    name: str
    read: Callable[[object], datetime]
    is_dated: bool = False


def column_form(sample: Iterable[object]) -> TimeForm:
    """Return the form that most values of a sample have; ISO 8601 for a sample without any."""
    values = list(sample)
    if all(is_readable(value, ISO) for value in values):
        return ISO
    month_first, day_first = (sum(is_readable(value, form) for value in values) for form in _SLASH_FORMS)
    only_one_order = {
        is_readable(value, _SLASH_FORMS[0]) for value in values if _is_slashed(value) and not _is_either(value)
    }
    slashed = (
        _SLASH_FORMS[0] if only_one_order == {True} else _SLASH_FORMS[1] if only_one_order == {False} else AMBIGUOUS
    )
    counts = {form.name: sum(is_readable(value, form) for value in values) for form in _UNAMBIGUOUS}
    best = max(_UNAMBIGUOUS, key=lambda form: counts[form.name])  # the first of equals
    return slashed if max(month_first, day_first) > counts[best.name] else best


def is_readable(value: object, form: TimeForm) -> bool:
    """Return whether a value is a time in the form."""
    try:
        form.read(value)
    except ValueError:
        return False
    return True


def _text(value: object) -> str:
    """Return a value as text without white space around it; bytes are no text."""
    if type(value) is str:
        return value.strip()
    if isinstance(value, bytes | bytearray | memoryview | bool):
        raise ValueError("is neither text nor a number")  # noqa: TRY004 - as for any other unreadable value
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _read_iso(value: object) -> datetime:
    return parse_time(_text(value))


def _read_with_zone(value: object) -> datetime:
    parts = _fits(_WITH_ZONE, value).groupdict()
    if not parts["zone"].replace(":", "").startswith(parts["again"] or ""):  # Go's name of a zone without a name
        raise ValueError("has two offsets")
    return _moment(parts)


def _read_basic(value: object) -> datetime:
    date, clock, fraction, zone, _ = _fits(_BASIC, value).groups()
    text = f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}{fraction or ''}{zone or ''}"
    return parse_time(text)


def _read_english(value: object) -> datetime:
    text = _text(value).upper()
    for pattern in _ENGLISH:
        if match := pattern.fullmatch(text):
            parts = match.groupdict()
            return _moment(parts | {"month": str(_MONTHS.index(parts["month"]) + 1)})
    raise ValueError("has no English day and month")


def _read_month_first(value: object) -> datetime:
    match = _fits(_SLASHES, value)
    return _moment(match.groupdict() | {"month": match[1], "day": match[2]})


def _read_day_first(value: object) -> datetime:
    match = _fits(_SLASHES, value)
    return _moment(match.groupdict() | {"day": match[1], "month": match[2]})


def _read_nothing(value: object) -> datetime:
    raise ValueError(f"{type(value).__name__}: day or month first?")


def _fits(pattern: re.Pattern[str], value: object) -> re.Match[str]:
    match = pattern.fullmatch(_text(value).upper().replace(" M=", " m="))
    if match is None:
        raise ValueError("is written in another form")
    return match


def _moment(parts: dict[str, str | None]) -> datetime:
    """Make a moment of the parts of a text; without a zone it is UTC."""
    hour = int(parts["hour"] or 0)
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError("has no such hour of a half day")
        hour = hour % 12 + (12 if half == "P" else 0)
    microsecond = int(f"{parts['fraction'] or '0':0<6}"[:6])
    year, month, day = (int(parts[name] or 0) for name in ("year", "month", "day"))
    zone = _zone(parts["zone"])
    try:
        return datetime(
            year, month, day, hour, int(parts["minute"] or 0), int(parts["second"] or 0), microsecond, zone
        ).astimezone(UTC)
    except OverflowError as overflow:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from overflow


def _zone(text: str | None) -> timezone:
    if text is None or text in {"Z", "UTC", "GMT"}:
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-offset if text[0] == "-" else offset)


def _number(value: object) -> Decimal:
    """Return a number from 0 up, as such or as digits."""
    text = format(Decimal(repr(value)), "f") if isinstance(value, float) else _text(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError("is no number from 0 up")
    return Decimal(text)


def _unix(per_second: int) -> Callable[[object], datetime]:
    """Read numbers of the years 2001 to 2286. One digit less could be another count: seconds since 2001 (Apple's Core
    Data), or YYYYMMDDHHMM.
    """
    digits = len(str(per_second)) + 9

    def read(value: object) -> datetime:
        number = _number(value)
        if number.adjusted() + 1 != digits:
            raise ValueError("has another number of digits")
        return _EPOCH + timedelta(microseconds=int(number * 1_000_000 / per_second))

    return read


def _read_julian_day(value: object) -> datetime:
    number = _number(value)
    if number.adjusted() + 1 != 7:
        raise ValueError("has another number of digits")
    # A double holds it to 40 microseconds; SQLite, which writes it, holds milliseconds.
    try:
        return _EPOCH + timedelta(milliseconds=round((number - _JULIAN_DAY_OF_EPOCH) * 86_400_000))
    except OverflowError as overflow:
        raise ValueError("lies outside the years 1 to 9999") from overflow


def _is_slashed(value: object) -> bool:
    return any(is_readable(value, form) for form in _SLASH_FORMS)


def _is_either(value: object) -> bool:
    return all(is_readable(value, form) for form in _SLASH_FORMS)


ISO = TimeForm("ISO 8601", _read_iso, is_dated=True)
_UNAMBIGUOUS = (
    ISO,
    TimeForm("date, time and zone (Ruby, Go)", _read_with_zone, is_dated=True),
    TimeForm("ISO 8601 basic", _read_basic),
    TimeForm("unix seconds", _unix(1)),
    TimeForm("unix milliseconds", _unix(1_000)),
    TimeForm("unix microseconds", _unix(1_000_000)),
    TimeForm("unix nanoseconds", _unix(1_000_000_000)),
    TimeForm("Julian day", _read_julian_day),
    TimeForm("English date (RFC 2822, Java, JavaScript)", _read_english),
)
_SLASH_FORMS = (TimeForm("month/day/year", _read_month_first), TimeForm("day/month/year", _read_day_first))
AMBIGUOUS = TimeForm("date with slashes, day or month first", _read_nothing)
FORMS = {form.name: form for form in (*_UNAMBIGUOUS, *_SLASH_FORMS, AMBIGUOUS)}


def described_time(value: object, form: TimeForm) -> str:
    """Describe a time that its column's form cannot read, without a letter or digit of it."""
    if value is None:
        return "missing"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    text = value if isinstance(value, str) else str(value)
    if form is AMBIGUOUS and _is_slashed(text):
        return "date with slashes, day or month first"
    if other := next((each for each in (*_UNAMBIGUOUS, *_SLASH_FORMS) if is_readable(value, each)), None):
        return f"{other.name}, in a column of {form.name}"
    if _NUMBER.fullmatch(text):
        return f"number of {len(text.split('.')[0])} digits"
    shape = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text))[:30]
    return f"text like {shape!a}" if text.strip() else "empty text"
