"""Ids of jobs, events, recipes and accounts: which may enter a key, and how messages describe what may not."""

from __future__ import annotations

import re

from job_history.errors import BadRecordError, QuarantineReason
from job_history.errors.quoting import quoted

Id = int | str
"""A number, or a handle such as `j-KGAKfhsz-GYoLeD`, as the platform's newer jobs have."""

MAX_ID_DIGITS = 21
MAX_HANDLE_LENGTH = 200
_DIGITS = re.compile(r"[0-9]+")
HANDLE_PATTERN = "[A-Za-z0-9-]+"
_HANDLE = re.compile(HANDLE_PATTERN)


def job_id_of(value: Id | None) -> Id:
    """Return a job's id as its key has it. Raises BadRecordError."""
    return id_of("job_id", value)


def id_of(field: str, value: Id | None) -> Id:
    """Return an id of digits alone as a number, and any other id as the handle that it is.

    Raises BadRecordError for anything that may not enter a key: no value of a source can add a `/` or `..` to one.
    """
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        if not _HANDLE.fullmatch(value) or len(value) > MAX_HANDLE_LENGTH:
            raise BadRecordError(
                QuarantineReason.BAD_ID,
                f"{field} {quoted(value)} is neither a number nor a handle of at most {MAX_HANDLE_LENGTH} letters, "
                "digits and hyphens",
            )
        return value
    return number_id_of(field, value)


def number_id_of(field: str, value: Id | None) -> int:
    """Return an id that must be a number of at most 21 digits. Raises BadRecordError."""
    if value is None:
        raise BadRecordError(QuarantineReason.BAD_ID, f"{field} is missing")
    text = str(value)
    if not _DIGITS.fullmatch(text):
        raise BadRecordError(QuarantineReason.BAD_ID, f"{field} {quoted(text)} is not a whole number from 0 up")
    if len(text) > MAX_ID_DIGITS:
        raise BadRecordError(
            QuarantineReason.BAD_ID, f"{field} {quoted(text)} has {len(text)} digits, more than {MAX_ID_DIGITS}"
        )
    return int(text)


def linked_id_of(value: Id | None) -> Id | None:
    """Return the id of another job (parent, caller): a number if it is made of digits alone, else text."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) and len(value) <= MAX_ID_DIGITS else value


def described(value: object) -> str:
    """Describe a value by its type and length, never by its content: redaction does not reach messages and logs."""
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"a value of type {type(value).__name__}"
