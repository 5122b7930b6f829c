"""Makes the receipt of a window of the outcomes of a run's slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from job_history.ledger.lateness import all_of
from job_history.ledger.merge import hash_of_lists
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.model.timestamp import format_time
from job_history.model.unplaceable import largest
from job_history.pipeline.results import PlannedWindow, SliceOutcome


def make_receipt(
    planned: PlannedWindow,
    outcomes: list[SliceOutcome],
    faults: list[str],
    *,
    run: str,
    finished_at: datetime,
    code_version: str,
    unrecoverable: bool = False,
    repeated: int = 0,
    accepts_fewer: bool = False,
) -> Receipt:
    """Make the receipt of one run of an account's window.

    `repeated`: documents that slices without an outcome have sent, and that may be at the destination more than once.
    """
    counts = sum_counts(outcomes)
    counts.repeated += repeated
    if faults or not outcomes:
        counts.counted = max(counts.counted, planned.counted or 0)
    unplaceable = largest([planned.unplaceable, *(outcome.extracted.unplaceable for outcome in outcomes)])
    state = _state(planned, counts, faults, unrecoverable=unrecoverable, is_clean=unplaceable is None)
    seconds = seconds_of(outcomes)
    items = [outcome.items_path for outcome in outcomes]
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
        items=items,
        quarantine=sorted({path for outcome in outcomes for path in outcome.quarantine_paths}),
        example_keys=[key for outcome in outcomes for key in outcome.example_keys][:3],
        unplaceable=unplaceable,
        faults=faults,
        runs=[
            RunEntry(
                run,
                format_time(finished_at),
                state,
                counts,
                faults,
                seconds,
                hash_of_lists(items),
                repair=any(outcome.repair for outcome in outcomes),
                accepts_fewer=accepts_fewer,
            )
        ],
    )


def _state(
    planned: PlannedWindow, counts: Counts, faults: list[str], *, unrecoverable: bool, is_clean: bool
) -> WindowState:
    if not planned.enabled:
        return WindowState.DISABLED
    if unrecoverable:
        return WindowState.UNRECOVERABLE
    if faults or counts.gap:
        return WindowState.FAILED
    return WindowState.COMPLETE if is_clean and not counts.quarantined else WindowState.COMPLETE_WITH_QUARANTINE


def _destination(planned: PlannedWindow, outcomes: list[SliceOutcome]) -> dict[str, Any]:
    """Return the window's destination; every one, if it was changed between slices."""
    return merge_destinations([outcome.destination for outcome in outcomes] or [planned.destination])


def merge_destinations(places: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the destination if all are equal, else all the different ones."""
    each = [one for place in places for one in place.get("several", [place])]
    different = [place for number, place in enumerate(each) if place not in each[:number]]
    return different[0] if len(different) == 1 else {"type": different[0]["type"], "several": different}


def _counted_by(planned: PlannedWindow, outcomes: list[SliceOutcome]) -> str:
    return " and ".join(sorted({outcome.extracted.counted_by for outcome in outcomes})) or planned.counted_by


def sum_counts(outcomes: list[SliceOutcome]) -> Counts:
    return Counts(
        counted=sum(outcome.extracted.counted for outcome in outcomes),
        listed=sum(outcome.extracted.listed for outcome in outcomes),
        delivered=sum(outcome.delivered for outcome in outcomes),
        already_present=sum(outcome.already_present for outcome in outcomes),
        repeated=sum(outcome.repeated for outcome in outcomes),
        late=sum(outcome.lateness.jobs for outcome in outcomes),
        filtered=_merge_counts(outcome.transformed.filtered for outcome in outcomes),
        quarantined=_merge_counts(
            {**outcome.transformed.quarantined, **({"conflict": outcome.conflicts} if outcome.conflicts else {})}
            for outcome in outcomes
        ),
        oversize=sum(outcome.transformed.oversize for outcome in outcomes),
        unclear_masks=sum(outcome.extracted.unclear_masks for outcome in outcomes),
        bytes=sum(outcome.transformed.bytes for outcome in outcomes),
        delivered_bytes=sum(outcome.delivered_bytes for outcome in outcomes),
    )


def _merge_counts(counts: Iterable[dict[str, int]]) -> dict[str, int]:
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
