"""The document of one admin event, in the shape of the platform's own."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import msgspec

from job_history.documents.job_document import Document, DocumentRules, moment_of, validate_user_id, with_extra
from job_history.documents.object_key import event_key
from job_history.errors import BadRecordError
from job_history.model.admin_event import EventRecord, event_id_of, event_name_of
from job_history.model.json_text import compact_json
from job_history.model.timestamp import format_time

if TYPE_CHECKING:
    from job_history.redaction import Redaction

DIGITS_OF_A_DIGEST = 16


class EventFields(msgspec.Struct, kw_only=True):
    """The fields of an admin event's document, in their order; a null column leaves its field out."""

    event: str
    details: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    user: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    team: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    resource: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    timestamp: str


_encode = msgspec.json.Encoder().encode


def event_document_of(record: EventRecord, rules: DocumentRules) -> Document:
    """Make the document of an admin event. Raises BadRecordError if the record cannot become one.

    The id of an event without one is the first 16 hex digits of the SHA-256 of its document's bytes.
    """
    user_id = validate_user_id(record, rules)
    event_id = event_id_of(record.event_id)
    name = event_name_of(record.event)
    occurred_at = moment_of("occurred_at", record.occurred_at)
    event = EventFields(
        event=name,
        details=_json("details", record.details),
        user=_json("user", record.user),
        team=_json("team", record.team),
        resource=_json("resource", record.resource),
        timestamp=format_time(occurred_at.replace(microsecond=0)),
    )
    body = with_extra(_encode(event), record.extra) + b"\n"
    if event_id is None:
        event_id = hashlib.sha256(body).hexdigest()[:DIGITS_OF_A_DIGEST]
    key = event_key(prefix=rules.prefix, user_id=user_id, event_id=event_id, occurred_at=occurred_at, event=name)
    return Document(key=key, body=body, job_id=event_id, completed_at=format_time(occurred_at))


def item_id_of(record: EventRecord, redaction: Redaction | None = None) -> str:
    """Return the id of the event in an item list: its own, or else that of its (redacted) document."""
    if record.event_id is not None or record.fault is not None:
        return str(record.event_id)
    rules = DocumentRules(
        user_id=int(record.user_id or 0), prefix="", line_details=False, max_document_bytes=sys.maxsize
    )
    try:
        return str(event_document_of(redaction.event(record) if redaction else record, rules).job_id)
    except BadRecordError:
        return str(None)


def _json(field: str, text: str | None) -> msgspec.Raw | msgspec.UnsetType:
    return msgspec.UNSET if text is None else compact_json(field, text)
