"""An admin event as a source gives it: who did what in an account.

Plain values, checked when they become a document.
"""

from __future__ import annotations

import re

import msgspec

from job_history.errors import BadRecordError, QuarantineReason
from job_history.errors.quoting import quoted
from job_history.model.ids import Id, id_of

MAX_EVENT_NAME = 100
EVENT_NAME_PATTERN = "[a-z0-9_]+"
_EVENT_NAME = re.compile(EVENT_NAME_PATTERN)


class EventRecord(msgspec.Struct, omit_defaults=True):
    """One admin event. `details`, `user`, `team`, `resource` and each value of `extra` are JSON text.

    None means that there is no such field: the document then has no such key. `occurred_at` is ISO 8601 text.
    A source that could not read the record correctly sets `fault` and `fault_explanation`.
    """

    user_id: Id | None
    event_id: Id | None
    event: str | None
    occurred_at: str | None
    details: str | None = None
    user: str | None = None
    team: str | None = None
    resource: str | None = None
    extra: dict[str, str] = {}
    fault: QuarantineReason | None = None
    fault_explanation: str = ""

    @property
    def id(self) -> Id | None:
        return self.event_id

    @property
    def moment(self) -> str | None:
        """The time that decides to which window it belongs."""
        return self.occurred_at


def event_id_of(value: Id | None) -> Id | None:
    """Return an event's id as its key has it, or None if it has none. Raises BadRecordError."""
    return None if value is None else id_of("event_id", value)


def event_name_of(value: str | None) -> str:
    """Return an event's name, which is a part of its key. Raises BadRecordError for anything that may not enter one."""
    if value is None or not _EVENT_NAME.fullmatch(value) or len(value) > MAX_EVENT_NAME:
        raise BadRecordError(
            QuarantineReason.BAD_EVENT,
            f"event {quoted(value or '')} is not a name of 1 to {MAX_EVENT_NAME} lower-case letters, digits and _",
        )
    return value
