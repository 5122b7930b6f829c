"""What each step of a slice hands to the next, and what its load leaves for the report and the receipt."""

from __future__ import annotations

from typing import Any

import msgspec

from job_history.ledger.lateness import Lateness
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import JobRef
from job_history.model.ids import Id
from job_history.redaction import Policy


class Extracted(msgspec.Struct):
    """`counted` by the source on its own, in the way of `counted_by`; `listed` one by one; the two are equal.

    `read_at`: when the reading began (see `read_at()`); of two runs the one that read later knows better.
    """

    path: str
    counted: int
    listed: int
    seconds: float
    counted_by: str = "query"
    read_at: str = ""
    line_details: bool | None = None


class SkippedRecord(msgspec.Struct):
    """A listed job or event that gives no document: `detail` is its status, or the reason of quarantine."""

    job_id: Id | None
    completed_at: str | None
    outcome: Outcome
    detail: str


class Transformed(msgspec.Struct):
    """What became of what was listed; `quarantine_paths` lie in the ledger, the other paths in staging."""

    documents_path: str
    skipped_path: str
    documents: int
    filtered: dict[str, int]
    quarantined: dict[str, int]
    quarantine_paths: list[str]
    oversize: int
    bytes: int
    first_job: JobRef | None
    last_job: JobRef | None
    seconds: float
    redaction: Policy | None = None


class SliceOutcome(msgspec.Struct):
    """What became of a slice; paths lie in the ledger.

    `conflicts` are among the quarantined, the late among delivered and already present; `repeated`, which may be at the destination more than once, among the delivered.
    """

    extracted: Extracted
    transformed: Transformed
    delivered: int
    already_present: int
    conflicts: int
    delivered_bytes: int
    load_seconds: float
    items_path: str
    quarantine_paths: list[str]
    example_keys: list[str]
    destination: dict[str, Any]
    settings_hash: str
    repeated: int = 0
    lateness: Lateness = msgspec.field(default_factory=Lateness)

    @property
    def filtered(self) -> int:
        return sum(self.transformed.filtered.values())

    @property
    def quarantined(self) -> int:
        return sum(self.transformed.quarantined.values()) + self.conflicts

    @property
    def balanced(self) -> bool:
        """`listed = delivered + already_present + filtered + quarantined`, and `counted = listed`."""
        accounted_for = self.delivered + self.already_present + self.filtered + self.quarantined
        return self.extracted.listed == accounted_for and self.extracted.counted == self.extracted.listed
