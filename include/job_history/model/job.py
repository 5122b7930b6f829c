"""A finished job as a source gives it: plain values, checked only when they become a document."""

from __future__ import annotations

from typing import Literal

import msgspec

from job_history.errors import QuarantineReason
from job_history.model.ids import Id

FinalStatus = Literal["succeeded", "failed"]

_FINAL_STATUS: dict[str, FinalStatus] = {"completed": "succeeded", "succeeded": "succeeded", "failed": "failed"}
FINAL_STATUSES = tuple(_FINAL_STATUS)


class LineRecord(msgspec.Struct, omit_defaults=True):
    """One executed step. `input` and `output` are JSON text, as is each value of `extra`.

    UNSET means that the source has no such field: the document's line then has no such key. None becomes null.
    `mask_data_unclear`: the line is masked because its `mask_data` is neither true nor false.
    """

    recipe_line_number: int | None = None
    adapter_name: str | None = None
    adapter_operation: str | None = None
    input: str | msgspec.UnsetType | None = msgspec.UNSET
    output: str | msgspec.UnsetType | None = msgspec.UNSET
    error: str | None = None
    mask_data: bool = False
    mask_data_unclear: bool = False
    extra: dict[str, str] = {}


class JobRecord(msgspec.Struct, omit_defaults=True):
    """One ended job. `report` is JSON text, as is each value of `extra`; moments are ISO 8601 text.

    `lines` is None if line details were not asked for, or are no longer held; `lines_left_out` means that they were too
    large to be read. A source that could not read the record correctly sets `fault` and `fault_explanation`.
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
        """The time that decides to which window it belongs."""
        return self.completed_at


def final_status(status: str | None) -> FinalStatus | None:
    """Return `succeeded` or `failed`, or None for a status that gives no document (aborted, cancelled, pending,
    ...).
    """
    return _FINAL_STATUS.get(status or "")
