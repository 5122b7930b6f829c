"""A document by its key and its content: whose it is, and which window it belongs to."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, NamedTuple

from job_history_verify.layout import ChainId
from job_history_verify.moments import parse_moment

_JOB_KEY = re.compile(
    r"(?P<user_id>[0-9]+)/jobs/(?P<recipe_id>[0-9]+)/(?P<day>[0-9]{8})/(?P<folders>[^ ]+)/"
    r"(?P=user_id)-(?P=recipe_id)-(?P<id>[A-Za-z0-9-]+)-(?P<stamp>[0-9]{14})-(?P<status>succeeded|failed)\.json"
)
_EVENT_KEY = re.compile(
    r"(?P<user_id>[0-9]+)/admin_events/(?P<day>[0-9]{8})/(?P<folders>[^ ]+)/"
    r"(?P=user_id)-(?P<id>[A-Za-z0-9-]+)-(?P<stamp>[0-9]{14})-(?P<event>[a-z0-9_]+)\.json"
)
_STATUS = {"completed": "succeeded", "succeeded": "succeeded", "failed": "failed"}
_ID_DIGITS = 21


class Document(NamedTuple):
    """`moment`: of the window that it belongs to, the end of a job or the time of an event."""

    chain: ChainId
    moment: datetime


def document_of(key: str, content: bytes) -> Document:
    """Read a document. Raises ValueError if key and content are not one document's."""
    job, event = _JOB_KEY.fullmatch(key), _EVENT_KEY.fullmatch(key)
    match = job or event
    if match is None or not match["stamp"].startswith(match["day"]) or match["folders"] not in _folders(match["id"]):
        raise ValueError("its key is not a document's")
    try:
        # Ids have more digits than a float, and a report may have more than Python converts.
        fields: Any = json.loads(content, parse_int=str)
    except (ValueError, RecursionError) as error:
        raise ValueError("its content is not JSON") from error
    if not isinstance(fields, dict):
        raise ValueError("its content is not a document's")  # noqa: TRY004 - one error for all that is no document
    if job:
        moment = parse_moment(fields.get("completed_at"))
        named = (job["recipe_id"], job["id"], job["status"], job["stamp"])
        status = _STATUS.get(str(fields.get("status")))
        agrees = named == (fields.get("flow_id"), fields.get("id"), status, _stamp(fields.get("started_at")))
    else:
        moment = parse_moment(fields.get("timestamp"))
        agrees = fields.get("event") == match["event"] and _stamp(fields.get("timestamp")) == match["stamp"]
    if not agrees:
        raise ValueError("its content is not of the document that its key names")
    return Document(ChainId(int(match["user_id"]), "jobs" if job else "admin_events"), moment)


def _folders(record_id: str) -> set[str]:
    """Return what a document's id may look like as folders: a number as 21 digits in threes, a handle as it is."""
    folders = {record_id}
    if record_id.isdecimal() and len(record_id) <= _ID_DIGITS:
        padded = record_id.zfill(_ID_DIGITS)
        folders.add("/".join(padded[start : start + 3] for start in range(0, _ID_DIGITS, 3)))
    return folders


def _stamp(moment: object) -> str:
    return f"{parse_moment(moment):%Y%m%d%H%M%S}"
