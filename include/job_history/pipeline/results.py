"""What each step of a run hands to the next: the plan, then for each slice what was extracted, transformed and
loaded.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from job_history.errors.finding import Finding
from job_history.ledger.lateness import Lateness
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import JobRef
from job_history.ledger.receipt_files import ReceiptFiles
from job_history.model.event_kind import EventKind
from job_history.model.ids import Id
from job_history.model.slice import Slice
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.pipeline.worker_clock import ClockOff
from job_history.redaction import Policy
from job_history.sources import Cost


class PlannedWindow(msgspec.Struct):
    """An account's window in a run, for one kind of event.

    `counted` is None if the source was not, or could not be, asked; then its extract asks. `unplaceable`: records of
    the account that no window contains, the same in each of its windows of the run. `cost`: of reading it, if the
    source knows. `blocked_by` are the errors that a preflight found at the destination: then there are no slices.
    `settings_changes`: settings of the account that are not as in the previous run. `receipt_files`: the files of the
    window's receipt when the run was planned; None if the plan did not look.
    """

    user_id: int
    name: str
    window: Window
    enabled: bool
    counted: int | None
    slices: list[Slice]
    settings_hash: str
    destination: dict[str, Any]
    counted_by: str = "query"
    planned_at: str = ""
    kind: EventKind = EventKind.JOBS
    blocked_by: list[Finding] = []
    destination_hash: str = ""
    settings_changes: list[str] = []
    unplaceable: Unplaceable | None = None
    cost: Cost | None = None
    receipt_files: ReceiptFiles | None = None

    @property
    def label(self) -> str:
        return self.kind.label(self.user_id, self.name)

    @property
    def key(self) -> tuple[int, EventKind, Window]:
        return self.user_id, self.kind, self.window


class Plan(msgspec.Struct):
    """What a run will do. `faults`: accounts that could not be planned at all, a message for each.

    `considered` are the user_ids of all accounts of the run, whatever their destination, and `planned` those with this
    one; `active` are those of `planned` that are not paused, each with its kinds of event. `skipped`: the number of
    windows that need no run, by state. `settings` are those of planned accounts that are new or were changed, for the
    next run to know; `whole_list`: these are all accounts of the Variable. `unchecked`: a message for each source that
    could not be asked for unplaceable records. `destination_problems`: what preflights of accounts without slices
    found; their windows are complete all the same.
    """

    run: str
    destination: str
    window: Window
    windows: Collection[PlannedWindow]
    faults: list[str]
    considered: list[int] = []
    planned: list[int] = []
    active: list[tuple[int, EventKind]] = []
    skipped: dict[str, int] = msgspec.field(default_factory=dict, name="standing")
    settings: dict[str, msgspec.Raw] = {}
    whole_list: bool = False
    unchecked: list[str] = []
    destination_problems: list[str] = []

    @property
    def slices(self) -> list[Slice]:
        return [slice_ for planned in self.windows for slice_ in planned.slices]


class Extracted(msgspec.Struct):
    """`counted`: by the source, by the means of `counted_by`; `listed`: the records; the two are equal.

    `read_at`: when reading began, as text (see `extract.read_at`); of two runs, the later reading wins.
    `unplaceable`: what the listing met that no window contains.
    `unclear_masks`: lines that are masked because their `mask_data` is neither true nor false.
    """

    path: str
    counted: int
    listed: int
    seconds: float
    counted_by: str = "query"
    read_at: str = ""
    line_details: bool | None = None
    unplaceable: Unplaceable | None = None
    unclear_masks: int = 0
    clock_off: ClockOff | None = None


class SkippedRecord(msgspec.Struct):
    """A listed job or event that gives no document: `detail` is its status, or the reason of quarantine."""

    job_id: Id | None
    completed_at: str | None
    outcome: Outcome
    detail: str


class Transformed(msgspec.Struct):
    """The outcome of what was listed; `quarantine_paths` are in the ledger, the other paths in staging.

    `skipped_path` is None if no record was skipped.
    """

    documents_path: str
    skipped_path: str | None
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
    """The outcome of a slice; its paths are in the ledger.

    `conflicts` are part of `quarantined`, late jobs of `delivered` and `already_present`, and so are those that
    are `repeated`: they may be at the destination more than once. `repair`: the load replaced objects with other bytes.
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
    repair: bool = False

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
