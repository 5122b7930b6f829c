"""A document: the exact bytes and the key of one finished job. The same record always gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from job_history.documents.object_key import job_key
from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.ids import Id, job_id_of, linked_id_of, number_id_of
from job_history.model.job import FinalStatus, JobRecord, LineRecord
from job_history.model.json_text import compact_json
from job_history.model.record import Record
from job_history.model.timestamp import format_time, parse_time

MASKED = msgspec.Raw(b'{"data":"masked"}')
LINES_TOO_LARGE = "Log lines exceed size limit"
"""Replaces the lines of an oversize document; the wording is the platform's own."""


class LineFields(msgspec.Struct, kw_only=True):
    """The fields of a line that every document has, in their order; `error` only if the step failed."""

    recipe_line_number: int | None
    adapter_name: str | None
    adapter_operation: str | None
    input: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    output: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    mask_data: bool
    error: str | msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class JobFields(msgspec.Struct):
    """The thirteen fields of a job's document, in their order. `json_schema.py` publishes them."""

    id: Id
    flow_id: int
    parent_id: Id | None
    calling_job_id: Id | None
    status: str
    started_at: str
    completed_at: str
    error_type: str | None
    error: str | None
    title: str | None
    is_poll_error: bool | None
    report: msgspec.Raw
    lines: list[msgspec.Raw] | str | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True)
class DocumentRules:
    """The settings of an account that shape its documents."""

    user_id: int
    prefix: str
    line_details: bool
    max_document_bytes: int


@dataclass(frozen=True)
class Document:
    """`body` is UTF-8 JSON on one line, ended by a newline. `oversize`: its lines were left out because of their size.

    For an admin event, `job_id` is the id in its key, `completed_at` the time when it occurred, and what only a job has
    is None.
    """

    key: str
    body: bytes
    job_id: Id
    completed_at: str
    oversize: bool = False
    recipe_id: int | None = None
    status: FinalStatus | None = None
    started_at: str | None = None


_encode = msgspec.json.Encoder().encode


def document_of(record: JobRecord, status: FinalStatus, rules: DocumentRules) -> Document:
    """Make the document of a finished job. Raises BadRecordError if the record cannot become one."""
    user_id = validate_user_id(record, rules)
    job_id = job_id_of(record.job_id)
    recipe_id = number_id_of("recipe_id", record.recipe_id)
    started_at = moment_of("started_at", record.started_at)
    completed_at = moment_of("completed_at", record.completed_at)
    if completed_at < started_at:
        raise BadRecordError(
            QuarantineReason.BAD_TIME,
            f"completed_at {format_time(completed_at)} lies before started_at {format_time(started_at)}",
        )
    job = JobFields(
        id=job_id,
        flow_id=recipe_id,
        parent_id=linked_id_of(record.parent_id),
        calling_job_id=linked_id_of(record.calling_job_id),
        status=record.status or "",
        started_at=format_time(started_at),
        completed_at=format_time(completed_at),
        error_type=record.error_type,
        error=record.error,
        title=record.title,
        is_poll_error=record.is_poll_error,
        report=compact_json("report", record.report),
    )
    if rules.line_details and record.lines is not None:
        job.lines = [_line(number, line) for number, line in enumerate(record.lines)]
    body = with_extra(_encode(job), record.extra) + b"\n"
    oversize = rules.line_details and (record.lines_left_out or len(body) > rules.max_document_bytes)
    if oversize:
        job.lines = LINES_TOO_LARGE
        body = with_extra(_encode(job), record.extra) + b"\n"
    key = job_key(
        prefix=rules.prefix,
        user_id=user_id,
        recipe_id=recipe_id,
        job_id=job_id,
        started_at=started_at,
        status=status,
    )
    return Document(
        key=key,
        body=body,
        job_id=job_id,
        completed_at=job.completed_at,
        oversize=oversize,
        recipe_id=recipe_id,
        status=status,
        started_at=job.started_at,
    )


def validate_user_id(record: Record, rules: DocumentRules) -> int:
    """Return the record's user_id.

    Raises BadRecordError if it is another account's, or if its source could not read it.
    """
    if record.fault is not None:
        raise BadRecordError(record.fault, record.fault_explanation)
    user_id = number_id_of("user_id", record.user_id)
    if user_id != rules.user_id:
        raise BadRecordError(
            QuarantineReason.WRONG_ACCOUNT,
            f"the source gave a record of account {user_id} when asked for {rules.user_id}",
        )
    return user_id


def _line(number: int, line: LineRecord) -> msgspec.Raw:
    where = f"lines[{number}]"
    # Checked in a masked line too: masking must not conceal a broken source.
    input_, output = _json_of_line(f"{where}.input", line.input), _json_of_line(f"{where}.output", line.output)
    if line.mask_data:
        input_ = output = MASKED
    fields = LineFields(
        recipe_line_number=line.recipe_line_number,
        adapter_name=line.adapter_name,
        adapter_operation=line.adapter_operation,
        input=input_,
        output=output,
        mask_data=line.mask_data,
    )
    if line.error is not None:
        fields.error = MASKED if line.mask_data else line.error
    return msgspec.Raw(with_extra(_encode(fields), line.extra))


def _json_of_line(field: str, text: str | msgspec.UnsetType | None) -> msgspec.Raw | msgspec.UnsetType:
    return msgspec.UNSET if isinstance(text, msgspec.UnsetType) else compact_json(field, text)


def with_extra(encoded: bytes, extra: dict[str, str]) -> bytes:
    """Add the fields that only this source has, sorted by name, after those that every document has."""
    if not extra:
        return encoded
    members = b",".join(_encode(name) + b":" + bytes(compact_json(name, extra[name])) for name in sorted(extra))
    return encoded[:-1] + b"," + members + b"}"


def moment_of(field: str, text: str | None) -> datetime:
    """Read the time of a record. Raises BadRecordError."""
    if text is None:
        raise BadRecordError(QuarantineReason.BAD_TIME, f"{field} is missing")
    try:
        return parse_time(text)
    except ValueError as fault:
        raise BadRecordError(QuarantineReason.BAD_TIME, f"{field}: {fault}") from fault
