"""The JSON Schema of the documents, made from the structs that write them; `python -m` prints it for
docs/document.schema.json.

A document may have more fields than the schema names: those that only its source has.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from job_history.documents.event_document import EventFields
from job_history.documents.job_document import LINES_TOO_LARGE, JobFields, LineFields
from job_history.model.admin_event import EVENT_NAME_PATTERN, MAX_EVENT_NAME
from job_history.model.ids import HANDLE_PATTERN, MAX_HANDLE_LENGTH, MAX_ID_DIGITS

_TIME = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$"}
_NUMBER = {"type": "integer", "minimum": 0, "maximum": 10**MAX_ID_DIGITS - 1}
_HANDLE = {"type": "string", "pattern": f"^{HANDLE_PATTERN}$", "maxLength": MAX_HANDLE_LENGTH}
_MASKED = {"const": {"data": "masked"}}


def document_json_schema() -> dict[str, Any]:
    """Return a JSON Schema that both kinds of document fulfil; `$defs` has one of each kind, and of a line."""
    _, schemas = msgspec.json.schema_components((JobFields, LineFields, EventFields), ref_template="#/$defs/{name}")
    job, line, event = (schemas[kind.__name__]["properties"] for kind in (JobFields, LineFields, EventFields))
    job["id"] = {"anyOf": [_NUMBER, _HANDLE]}
    job["flow_id"] = _NUMBER
    job["status"] = {"enum": ["completed", "succeeded", "failed"]}
    job["started_at"] = job["completed_at"] = event["timestamp"] = _TIME
    job["lines"] = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/LineFields"}}, {"const": LINES_TOO_LARGE}]}
    line["error"] = {"anyOf": [{"type": "string"}, _MASKED]}
    event["event"] = {"type": "string", "pattern": f"^{EVENT_NAME_PATTERN}$", "maxLength": MAX_EVENT_NAME}
    schemas["LineFields"]["if"] = {"properties": {"mask_data": {"const": True}}}
    schemas["LineFields"]["then"] = {"properties": {"input": _MASKED, "output": _MASKED, "error": _MASKED}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A document: a finished job, or an admin event",
        "anyOf": [{"$ref": "#/$defs/JobFields"}, {"$ref": "#/$defs/EventFields"}],
        "$defs": schemas,
    }


if __name__ == "__main__":
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document_json_schema()), indent=2).decode() + "\n")
