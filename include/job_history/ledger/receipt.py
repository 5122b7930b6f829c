"""Receipts: one for each account, kind of event and window, also for no jobs and for failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from job_history.errors import PermanentError
from job_history.ledger.lateness import Lateness, all_of
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.pipeline.plan import PlannedWindow
from job_history.pipeline.results import SliceOutcome
from job_history.pipeline.transform import DocumentedJob
from job_history.redaction import Policy
from job_history.storage import Storage

MOST_RUNS_REMEMBERED = 50
REDRIVE = "redrive-"
"""How the name of a redrive begins, among the runs of a receipt."""


class WindowState(StrEnum):
    """How an account's window stands.

    FAILED: it is open, and a run of it is owed. UNRECOVERABLE: it is open, and no run can close it any more, because the
    source no longer holds its jobs.
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

    `repeated` are those of the delivered that may be at the destination more than once; `late` those of the delivered and
    present that an earlier, closed run of the window had not been shown by the source.
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
    bytes: int = 0
    delivered_bytes: int = 0

    @property
    def gap(self) -> int:
        return self.counted - self.listed


class RunEntry(msgspec.Struct):
    """What one run of the window came to."""

    run: str
    finished_at: str
    state: WindowState
    counts: Counts
    faults: list[str]
    seconds: dict[str, float] = {}


class Receipt(msgspec.Struct, kw_only=True):
    """The record of an account's window. `items` and `quarantine` are paths in the ledger; seconds are summed.

    `redaction`: the policy that its documents were made under (several, where it was changed between slices).

    `counted_by`: how the source counted on its own (`query`; for the platform's API `counters`, `second_listing` or both).
    `settings_changes`: what was set otherwise than in the run before.
    """

    version: int = 1
    user_id: int
    name: str
    kind: EventKind = EventKind.JOBS
    window: dict[str, str]
    state: WindowState
    counts: Counts
    gap: int
    counted_by: str = "query"
    read_at: str = ""
    first_job: DocumentedJob | None = None
    last_job: DocumentedJob | None = None
    lateness: Lateness = msgspec.field(default_factory=Lateness)
    seconds: dict[str, float] = {}
    settings_hash: str
    code_version: str
    destination: dict[str, Any]
    destination_hash: str = ""
    settings_changes: list[str] = []
    redaction: list[Policy] = []
    items: list[str] = []
    quarantine: list[str] = []
    example_keys: list[str] = []
    faults: list[str] = []
    runs: list[RunEntry] = []

    @property
    def label(self) -> str:
        return self.kind.of(f"{self.user_id} {self.name}")


def receipt_folder(user_id: int, kind: EventKind, window: Window) -> str:
    """Return where the ledger keeps what belongs to a window: the receipt, and the item lists beside it."""
    return f"receipts/{user_id}/{kind}/{window.start:%Y%m%d}/{window.slug}"


def receipt_path(user_id: int, kind: EventKind, window: Window) -> str:
    return f"{receipt_folder(user_id, kind, window)}/receipt.json"


def read_receipt(ledger: Storage, user_id: int, kind: EventKind, window: Window) -> Receipt | None:
    """Raises PermanentError where what is there is no receipt."""
    path = receipt_path(user_id, kind, window)
    return _decoded(ledger, path, ledger.read(path))


def read_receipts(ledger: Storage, user_id: int, kind: EventKind, windows: Iterable[Window]) -> list[Receipt | None]:
    """Read the receipts of several windows. Raises as above."""
    paths = [receipt_path(user_id, kind, window) for window in windows]
    return [_decoded(ledger, path, content) for path, content in zip(paths, ledger.read_all(paths), strict=True)]


def _decoded(ledger: Storage, path: str, content: bytes | None) -> Receipt | None:
    try:
        return None if content is None else msgspec.json.decode(content, type=Receipt)
    except msgspec.DecodeError as fault:
        raise PermanentError(
            f"{ledger.url(path)} is no receipt ({fault}). Delete it and run the window again."
        ) from fault


def make_receipt(
    planned: PlannedWindow,
    outcomes: list[SliceOutcome],
    faults: list[str],
    *,
    run: str,
    finished_at: datetime,
    code_version: str,
    unrecoverable: bool = False,
) -> Receipt:
    """Make the receipt of what one run did with an account's window."""
    counts = added_up(outcomes)
    if faults or not outcomes:
        counts.counted = max(counts.counted, planned.counted or 0)
    state = _state(planned, counts, faults, unrecoverable=unrecoverable)
    seconds = seconds_of(outcomes)
    jobs = [job for outcome in outcomes for job in (outcome.transformed.first_job, outcome.transformed.last_job) if job]
    return Receipt(
        user_id=planned.user_id,
        name=planned.name,
        kind=planned.kind,
        window=planned.window,
        state=state,
        counts=counts,
        gap=counts.gap,
        counted_by=_counted_by(planned, outcomes),
        first_job=min(jobs, default=None),
        last_job=max(jobs, default=None),
        lateness=all_of([outcome.lateness for outcome in outcomes]),
        seconds=seconds,
        settings_hash=outcomes[0].settings_hash if outcomes else planned.settings_hash,
        code_version=code_version,
        destination=_destination(planned, outcomes),
        destination_hash=planned.destination_hash,
        settings_changes=planned.settings_changes,
        redaction=sorted({outcome.transformed.redaction for outcome in outcomes if outcome.transformed.redaction}),
        read_at=min((outcome.extracted.read_at for outcome in outcomes), default=planned.planned_at),
        items=[outcome.items_path for outcome in outcomes],
        quarantine=sorted({path for outcome in outcomes for path in outcome.quarantine_paths}),
        example_keys=[key for outcome in outcomes for key in outcome.example_keys][:3],
        faults=faults,
        runs=[RunEntry(run, format_time(finished_at), state, counts, faults, seconds)],
    )


def save_receipt(ledger: Storage, receipt: Receipt) -> Receipt:
    """Write a run's receipt over the window's, keep the story of earlier runs, and return what stands now.

    A window that is closed stays closed when a later run of it fails: what was delivered is delivered. The failure is
    told among its runs. A pause owes nothing, and forgives nothing: what failed before it is owed still. Nor does a run that read the source earlier replace one that read it later, whichever ended first;
    nor one that is reported again what a redrive has made of it since.
    """
    window = Window.from_dict(receipt.window)
    earlier = read_receipt(ledger, receipt.user_id, receipt.kind, window)
    stands = receipt
    if earlier is not None and _was_redriven_since(earlier, receipt):
        return earlier
    if earlier is not None:
        runs = [entry for entry in earlier.runs if entry.run != receipt.runs[-1].run] + receipt.runs
        if (earlier.state.closed and (not receipt.state.closed or receipt.read_at < earlier.read_at)) or (
            earlier.state is not WindowState.DISABLED and receipt.state is WindowState.DISABLED
        ):
            stands = earlier
        elif not receipt.state.closed:
            # What earlier runs delivered is still there.
            receipt.items = list(dict.fromkeys([*receipt.items, *earlier.items]))
        stands.runs = runs[-MOST_RUNS_REMEMBERED:]
    ledger.write(
        receipt_path(receipt.user_id, receipt.kind, window), msgspec.json.format(msgspec.json.encode(stands), indent=1)
    )
    if earlier is not None and stands is receipt:
        for path in {*earlier.quarantine} - {*receipt.quarantine}:
            ledger.delete(path)
    return stands


def _was_redriven_since(earlier: Receipt, receipt: Receipt) -> bool:
    runs = [entry.run for entry in earlier.runs]
    if receipt.read_at != earlier.read_at or receipt.runs[-1].run not in runs:
        return False
    return any(run.startswith(REDRIVE) for run in runs[runs.index(receipt.runs[-1].run) + 1 :])


def delete_superseded_items(ledger: Storage, receipt: Receipt, before: datetime) -> None:
    """Delete the window's item lists that the standing receipt does not name, where they were written before then.

    Not at once: an earlier run whose failed slices are cleared still counts on those of its slices that succeeded.
    """
    window = Window.from_dict(receipt.window)
    named = {receipt_path(receipt.user_id, receipt.kind, window), *receipt.items}
    for path in list(ledger.paths_untouched_since(before, below=receipt_folder(receipt.user_id, receipt.kind, window))):
        if path not in named:
            ledger.delete(path)


def _state(planned: PlannedWindow, counts: Counts, faults: list[str], *, unrecoverable: bool) -> WindowState:
    if not planned.enabled:
        return WindowState.DISABLED
    if unrecoverable:
        return WindowState.UNRECOVERABLE
    if faults or counts.gap:
        return WindowState.FAILED
    return WindowState.COMPLETE_WITH_QUARANTINE if counts.quarantined else WindowState.COMPLETE


def _destination(planned: PlannedWindow, outcomes: list[SliceOutcome]) -> dict[str, Any]:
    """Return where the window went; where it was changed between slices, every place."""
    return all_places([outcome.destination for outcome in outcomes] or [planned.destination])


def all_places(places: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one place that they all are, or all the different ones."""
    each = [one for place in places for one in place.get("several", [place])]
    different = [place for number, place in enumerate(each) if place not in each[:number]]
    return different[0] if len(different) == 1 else {"type": different[0]["type"], "several": different}


def _counted_by(planned: PlannedWindow, outcomes: list[SliceOutcome]) -> str:
    return " and ".join(sorted({outcome.extracted.counted_by for outcome in outcomes})) or planned.counted_by


def added_up(outcomes: list[SliceOutcome]) -> Counts:
    return Counts(
        counted=sum(outcome.extracted.counted for outcome in outcomes),
        listed=sum(outcome.extracted.listed for outcome in outcomes),
        delivered=sum(outcome.delivered for outcome in outcomes),
        already_present=sum(outcome.already_present for outcome in outcomes),
        repeated=sum(outcome.repeated for outcome in outcomes),
        late=sum(outcome.lateness.jobs for outcome in outcomes),
        filtered=_merged(outcome.transformed.filtered for outcome in outcomes),
        quarantined=_merged(
            {**outcome.transformed.quarantined, **({"conflict": outcome.conflicts} if outcome.conflicts else {})}
            for outcome in outcomes
        ),
        oversize=sum(outcome.transformed.oversize for outcome in outcomes),
        bytes=sum(outcome.transformed.bytes for outcome in outcomes),
        delivered_bytes=sum(outcome.delivered_bytes for outcome in outcomes),
    )


def _merged(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(total)


def seconds_of(outcomes: list[SliceOutcome]) -> dict[str, float]:
    return {
        "extract": round(sum(outcome.extracted.seconds for outcome in outcomes), 3),
        "transform": round(sum(outcome.transformed.seconds for outcome in outcomes), 3),
        "load": round(sum(outcome.load_seconds for outcome in outcomes), 3),
    }
