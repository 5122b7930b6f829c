"""A finished job as a source tells it: plain values, checked only when they become a document."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from job_history.errors import BadRecordError, QuarantineReason

Id = int | str
"""A number, or a handle such as `j-KGAKfhsz-GYoLeD`, as the platform's newer jobs have."""

FinalStatus = Literal["succeeded", "failed"]

MAX_ID_DIGITS = 21
MAX_HANDLE_LENGTH = 200
_DIGITS = re.compile(r"[0-9]+")
_HANDLE = re.compile(r"[A-Za-z0-9-]+")
_FINAL_STATUS: dict[str, FinalStatus] = {"completed": "succeeded", "succeeded": "succeeded", "failed": "failed"}


class LineRecord(msgspec.Struct, omit_defaults=True):
    """One executed step. `input` and `output` are JSON text, as is each value of `extra`.

    UNSET says that the source knows no such thing: the document's line then has no such key. None becomes null.
    """

    recipe_line_number: int | None = None
    adapter_name: str | None = None
    adapter_operation: str | None = None
    input: str | msgspec.UnsetType | None = msgspec.UNSET
    output: str | msgspec.UnsetType | None = msgspec.UNSET
    error: str | None = None
    mask_data: bool = False
    extra: dict[str, str] = {}


class JobRecord(msgspec.Struct, omit_defaults=True):
    """One ended job. `report` is JSON text, as is each value of `extra`; moments are ISO 8601 text.

    `lines` is None where line details were not asked for, or are no longer held; `lines_left_out` says that they were too
    large to be read.
    `fault` and `fault_explanation` are set by a source that could not read the record as it should be.
    """

    user_id: Id | None
    recipe_id: Id | None
    job_id: Id | None
    status: str | None
    started_at: str | None
    completed_at: str | None
    parent_id: Id | None = None
    calling_job_id: Id | None = None
    error_type: str | None = None
    error: str | None = None
    title: str | None = None
    is_poll_error: bool | None = None
    report: str | None = None
    extra: dict[str, str] = {}
    lines: list[LineRecord] | None = None
    lines_left_out: bool = False
    fault: QuarantineReason | None = None
    fault_explanation: str = ""

    @property
    def id(self) -> Id | None:
        return self.job_id

    @property
    def moment(self) -> str | None:
        """What decides to which window it belongs."""
        return self.completed_at


def final_status(status: str | None) -> FinalStatus | None:
    """Return `succeeded` or `failed`, or None for a status that gives no file (aborted, cancelled, pending, ...)."""
    return _FINAL_STATUS.get(status or "")


def job_id_of(value: Id | None) -> Id:
    """Return a job's id as it stands in its key. Raises BadRecordError."""
    return id_of("job_id", value)


def id_of(field: str, value: Id | None) -> Id:
    """Return an id as a number where it is made of digits alone, else as the handle that it is.

    Raises BadRecordError for what may not enter a key: nothing from the source can add a `/` or `..` to one.
    """
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        if not _HANDLE.fullmatch(value) or len(value) > MAX_HANDLE_LENGTH:
            raise BadRecordError(
                QuarantineReason.BAD_ID,
                f"{field} {shown(value)} is neither a number nor a handle of at most {MAX_HANDLE_LENGTH} letters, "
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
        raise BadRecordError(QuarantineReason.BAD_ID, f"{field} {shown(text)} is not a whole number from 0 up")
    if len(text) > MAX_ID_DIGITS:
        raise BadRecordError(
            QuarantineReason.BAD_ID, f"{field} {shown(text)} has {len(text)} digits, more than {MAX_ID_DIGITS}"
        )
    return int(text)


def linked_id_of(value: Id | None) -> Id | None:
    """Return the id of another job (parent, caller): a number where it is made of digits alone, else text."""
    return int(value) if isinstance(value, str) and _DIGITS.fullmatch(value) and len(value) <= MAX_ID_DIGITS else value


def described(value: object) -> str:
    """Say what a value is, and not what it says: messages go into logs, where no rule of redaction reaches."""
    return f"a text of {len(value)} characters" if isinstance(value, str) else f"a value of type {type(value).__name__}"


def shown(text: str) -> str:
    """Quote what a source has, cut to what fits into a message."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
