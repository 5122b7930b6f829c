"""Values of a row: each type that a driver may return, as the one type that records have."""

from __future__ import annotations

import sys
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.ids import MAX_ID_DIGITS, Id, described
from job_history.model.timestamp import format_time
from job_history.sources.sql.time_forms import ISO, TimeForm

Row = tuple[Any, ...]

_TRUE = {"1", "t", "true", "y", "yes"}
_FALSE = {"0", "f", "false", "n", "no"}


class ExtraColumns(NamedTuple):
    """The columns that only this store has. `are_json`: the database gives each value as JSON text already."""

    names: list[str]
    are_json: bool


def text_size(row: Row) -> int:
    """Return how many characters of text a row has; what is no text is small."""
    return sum([len(value) for value in row if type(value) is str])  # a generator takes half as long again


def id_value(field: str, value: Any) -> Id | None:
    if value is None or type(value) is int:
        return value
    if isinstance(value, Decimal):
        return _whole_id(field, value, MAX_ID_DIGITS)
    if isinstance(value, float):
        # A column of ids that once had gaps: pandas, for one, writes it as floating point.
        return _whole_id(field, Decimal(value), sys.float_info.dig)
    return text_value(field, value)


def _whole_id(field: str, number: Decimal, max_digits: int) -> int:
    """Keep out NaN and infinity, whose names would pass for handles, and digits that the type cannot hold."""
    if not number.is_finite() or number != number.to_integral_value():
        raise BadRecordError(QuarantineReason.BAD_ID, f"{field} {number:.25g} is not a whole number")
    if number.adjusted() >= max_digits:
        raise BadRecordError(QuarantineReason.BAD_ID, f"{field} {number:.25g} has more than {max_digits} digits")
    return int(number)


def text_value(field: str, value: Any) -> str | None:
    # Nearly all are one of these, and there are a dozen to a job and five to a line.
    if value is None or (type(value) is str and value.isascii()):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return _decoded(field, bytes(value))
    text = value if isinstance(value, str) else str(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as fault:
            raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} is not valid UTF-8: {fault}") from fault
    return text


def _decoded(field: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as fault:
        raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} is not valid UTF-8: {fault}") from fault


def moment_value(field: str, value: Any, form: TimeForm | None = None) -> str | None:
    """Return a time as ISO 8601 text; a value that the column's form cannot read stays as it is, and is a bad time
    later.
    """
    if isinstance(value, datetime) and value.tzinfo:
        return format_time(value)
    text = text_value(field, value)
    if form is None or form is ISO or text is None:
        return text and text.strip()
    try:
        return format_time(form.read(value if not isinstance(value, bytes | bytearray) else text))
    except ValueError:
        return text


def bool_value(field: str, value: Any) -> bool | None:
    """Return a truth value, or None for None; empty text is false. Raises BadRecordError for any other value."""
    truth = _truth(value)
    if truth is not None or value is None:
        return truth
    if not str(value).strip():
        return False
    raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} is neither true nor false, but {described(value)}")


def is_masked(value: Any) -> bool:
    """Return False only for a value that is false by rule: no view's outer join, and no word unknown here, uncovers
    a line.
    """
    return _truth(value) is not False


def is_truth(value: Any) -> bool:
    """Return whether a value is true or false by rule."""
    return _truth(value) is not None


def _truth(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, bytes) and value in (b"\0", b"\1"):  # bit(1) of MySQL
        return value == b"\1"
    word = str(value).strip().lower()
    return True if word in _TRUE else False if word in _FALSE else None


def whole_value(field: str, value: Any) -> int | None:
    if value is None or type(value) is int:
        return value
    try:
        return int(str(value))
    except ValueError:
        raise BadRecordError(
            QuarantineReason.BAD_TEXT, f"{field} is not a whole number, but {described(value)}"
        ) from None


def json_value(field: str, value: Any) -> str | None:
    """Return JSON as the text it is; what a driver has parsed already is written again."""
    if value is None or type(value) is str or isinstance(value, str | bytes | bytearray | memoryview):
        return text_value(field, value)
    return _encoded(field, value)


def extra_values(values: Row, columns: ExtraColumns) -> dict[str, str]:
    if not columns.names:
        return {}
    return {
        name: value if columns.are_json else _encoded(name, value)
        for name, value in zip(columns.names, values, strict=True)
        if value is not None
    }


def _encoded(field: str, value: Any) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        return str(value)
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError) as fault:
        raise BadRecordError(QuarantineReason.BAD_TEXT, f"{field} cannot be written as JSON: {fault}") from fault
