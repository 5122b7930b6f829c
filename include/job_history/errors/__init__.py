"""Errors, named by what to do about them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from job_history.errors.code import Code


class ReplicationError(Exception):
    """Anything this project raises on purpose; its message gives the place, what happened and what to do.

    `code` is that of the catalogue, if the error is in it; `detail` is what happened, alone; `facts` fill the other
    places of the catalogue's sentence.
    """

    def __init__(
        self,
        message: str,
        *,
        code: Code | None = None,
        detail: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.detail = message if detail is None else detail
        self.facts = dict(facts or {})


class PermanentError(ReplicationError):
    """Trying again cannot help: a setting, a permission or a name is wrong."""


class UnrecoverableError(PermanentError):
    """The source no longer holds what a window asks for: its retention is over."""


class TransientError(ReplicationError):
    """Trying again later may help: the other side was busy, slow or away."""


class QuarantineReason(StrEnum):
    """Why a record is quarantined; also the name of its folder."""

    BAD_ID = "bad_id"
    BAD_JSON = "bad_json"
    BAD_TIME = "bad_time"
    BAD_TEXT = "bad_text"
    BAD_EVENT = "bad_event"
    DUPLICATE_JOB_ID = "duplicate_job_id"
    DUPLICATE_EVENT_ID = "duplicate_event_id"
    WRONG_ACCOUNT = "wrong_account"
    REDACTION = "redaction"
    CONFLICT = "conflict"


class BadRecordError(ReplicationError):
    """One record cannot become a document; it goes to quarantine, and the others go on."""

    def __init__(self, reason: QuarantineReason, explanation: str) -> None:
        super().__init__(f"{reason}: {explanation}")
        self.reason = reason
        self.explanation = explanation
