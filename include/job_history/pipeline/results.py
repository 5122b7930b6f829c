"""What became of a slice: what its load leaves for the report and the receipt."""

from __future__ import annotations

from typing import Any

import msgspec

from job_history.ledger.lateness import Lateness
from job_history.pipeline.extract import Extracted
from job_history.pipeline.transform import Transformed


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
