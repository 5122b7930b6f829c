"""Receipts: one for each account, kind of event and window, also for no jobs and for failures."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from job_history.ledger.lateness import Lateness
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.redaction import Policy

RECEIPT_VERSION = 2
REDRIVE = "redrive-"
"""The prefix of a redrive's name, among the runs of a receipt."""


class WindowState(StrEnum):
    """The state of an account's window.

    FAILED: it is open, and needs a run. UNRECOVERABLE: it is open, and no run can close it any more, because the source
    no longer holds its jobs.
    """

    COMPLETE = "complete"
    COMPLETE_WITH_QUARANTINE = "complete_with_quarantine"
    FAILED = "failed"
    UNRECOVERABLE = "unrecoverable"
    DISABLED = "disabled"

    @property
    def closed(self) -> bool:
        return self in {WindowState.COMPLETE, WindowState.COMPLETE_WITH_QUARANTINE}


class Counts(msgspec.Struct, kw_only=True):
    """`listed = delivered + already_present + sum(filtered) + sum(quarantined)`; `filtered` by status.

    Of those delivered or present: `repeated`, possibly at the destination more than once; `late`, not listed by the
    source in an earlier, closed run of the window. `unclear_masks`: lines that are masked because their `mask_data` is
    neither true nor false: a warning, because more may be masked than was meant.
    `gone`: not part of `listed`; delivered to the same place by an earlier run, and not listed by this one.
    """

    counted: int = 0
    listed: int = 0
    delivered: int = 0
    already_present: int = 0
    repeated: int = 0
    late: int = 0
    filtered: dict[str, int] = {}
    quarantined: dict[str, int] = {}
    oversize: int = 0
    unclear_masks: int = 0
    bytes: int = 0
    delivered_bytes: int = 0
    gone: int = 0

    @property
    def gap(self) -> int:
        return self.counted - self.listed


class RunEntry(msgspec.Struct):
    """The result of one run of the window.

    `lists`: a hash of the paths of its item lists. `shrank_from`: what a closed reading had listed, if the next one,
    mostly that of this run, listed nothing or less than half of that. `repair`: it replaced objects with other bytes.
    `accepts_fewer`: it had the parameter `accept_fewer`.
    """

    run: str
    finished_at: str
    state: WindowState
    counts: Counts
    faults: list[str]
    seconds: dict[str, float] = {}
    lists: str = ""
    shrank_from: int | None = None
    repair: bool = False
    accepts_fewer: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError if `finished_at` is no moment."""
        parse_time(self.finished_at)


class JobRef(msgspec.Struct, frozen=True):
    """The first or the last job (or event) of a slice, by its end."""

    completed_at: str
    job_id: str

    def __lt__(self, other: JobRef) -> bool:
        # The order of the texts is the order of time, except for the `Z` after seconds with and without a fraction.
        return (self.completed_at[:-1], self.job_id) < (other.completed_at[:-1], other.job_id)


class Receipt(msgspec.Struct, kw_only=True):
    """The record of an account's window. `items` and `quarantine` are paths in the ledger; seconds are summed.

    `revision` counts from 1; 0 is a receipt of version 1, which has none. `previous_sha256` is of the bytes of the
    revision before, and `version_1_sha256` of those of the receipt of version 1 that is part of this one.
    If `counts.gone` is not 0, the last of `items` is the list of these. `elsewhere`: item lists of what was delivered
    to other places.

    `redaction`: the policies that its documents were made under (more than one if it was changed between slices).

    `reported_at`: the end of the report that `read_at` and the counts are of, if it is not the last of `runs`.

    `counted_by`: how the source counted (`query`; for the platform's API `counters`, `second_listing` or both).
    `settings_changes`: settings that are not as in the previous run.
    `unplaceable`: records of the account that no window contains, as of this run; not among the counts.
    """

    version: int = RECEIPT_VERSION
    revision: int = 0
    previous_sha256: str | None = None
    version_1_sha256: str | None = None
    user_id: int
    name: str
    kind: EventKind = EventKind.JOBS
    window: Window
    state: WindowState
    counts: Counts
    gap: int
    counted_by: str = "query"
    read_at: str = ""
    reported_at: str = ""
    first_job: JobRef | None = None
    last_job: JobRef | None = None
    lateness: Lateness = msgspec.field(default_factory=Lateness)
    seconds: dict[str, float] = {}
    settings_hash: str
    code_version: str
    destination: dict[str, Any]
    destination_hash: str = ""
    settings_changes: list[str] = []
    redaction: list[Policy] = []
    items: list[str] = []
    elsewhere: list[str] = []
    quarantine: list[str] = []
    example_keys: list[str] = []
    unplaceable: Unplaceable | None = None
    faults: list[str] = []
    runs: list[RunEntry] = []

    def __post_init__(self) -> None:
        """Raise ValueError if `read_at` or `reported_at` is no moment."""
        for moment in filter(None, (self.read_at, self.reported_at)):
            parse_time(moment)

    @property
    def label(self) -> str:
        return self.kind.label(self.user_id, self.name)

    @property
    def has_history(self) -> bool:
        """Whether there is an earlier revision."""
        return self.revision > 1 or (self.revision == 1 and self.version_1_sha256 is not None)

    @property
    def gone_list(self) -> list[str]:
        """The path of the list of `gone` items, if there are any."""
        return self.items[-1:] if self.counts.gone else []

    @property
    def listed_items(self) -> list[str]:
        """The paths of the lists of the items that its counts are of: all but `gone_list`."""
        return self.items[:-1] if self.counts.gone else self.items
