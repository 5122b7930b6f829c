"""The fields of a job or line, as JSON text each: read one by one, so that one that is odd is one record's fault."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.ids import Id, described
from job_history.model.timestamp import parse_time

Fields = dict[str, msgspec.Raw]


def text_field(fields: Fields, name: str) -> str | None:
    """Return a text; JSON of another kind (documented as text, sometimes an object) is given as the text it is."""
    raw = fields.get(name)
    if raw is None or bytes(raw) == b"null":
        return None
    return str(_value(name, raw)) if bytes(raw)[:1] == b'"' else _as_text(name, raw)


def id_field(fields: Fields, *names: str) -> Id | None:
    """Return the first id that is there: a number, or a handle. Raises BadRecordError for anything else."""
    for name in names:
        value = _value(name, fields.get(name))
        if value is None:
            continue
        if type(value) is int or isinstance(value, str):
            return value
        what = f"{name} is neither a number nor a handle, but {described(value)}"
        raise BadRecordError(QuarantineReason.BAD_ID, what)
    return None


def bool_field(fields: Fields, name: str) -> bool | None:
    value = _value(name, fields.get(name))
    if value is None or isinstance(value, bool):
        return value
    raise BadRecordError(QuarantineReason.BAD_TEXT, f"{name} is neither true nor false, but {described(value)}")


def number_field(fields: Fields, name: str) -> int | None:
    value = _value(name, fields.get(name))
    if value is None or type(value) is int:
        return value
    raise BadRecordError(QuarantineReason.BAD_TEXT, f"{name} is not a whole number, but {described(value)}")


def json_field(fields: Fields, name: str) -> str | None:
    """Return the JSON text of a field that is there, `null` included; None if it is not."""
    raw = fields.get(name)
    return None if raw is None else _as_text(name, raw)


def moment_field(fields: Fields, name: str) -> datetime | None:
    """Return a moment, or None if there is none that could be read."""
    try:
        text = text_field(fields, name)
        return None if text is None else parse_time(text)
    except (BadRecordError, ValueError):
        return None


def other_fields(fields: Fields, known: frozenset[str]) -> dict[str, str]:
    """Return the JSON text of the fields that no document has of its own; those that are null are left out."""
    return {name: _as_text(name, raw) for name, raw in fields.items() if name not in known and bytes(raw) != b"null"}


def readable(fields: Fields, names: tuple[str, ...]) -> dict[str, str]:
    """Return what can be shown of some fields, whatever they hold, to find an odd record by."""
    return {name: bytes(fields.get(name, b"")).decode("ascii", "replace").strip('"')[:200] for name in names}


def _value(name: str, raw: msgspec.Raw | None) -> Any:
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise BadRecordError(QuarantineReason.BAD_TEXT, f"{name} cannot be read: {fault}") from fault


def _as_text(name: str, raw: msgspec.Raw) -> str:
    try:
        return bytes(raw).decode()
    except UnicodeDecodeError as fault:
        raise BadRecordError(QuarantineReason.BAD_TEXT, f"{name} is not valid UTF-8: {fault}") from fault
