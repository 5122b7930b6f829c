"""The receipt of a window after a redrive: what left quarantine is counted where it went."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import msgspec

from job_history.errors import PermanentError
from job_history.ledger.item import Item
from job_history.ledger.items import copy_items, new_list_path
from job_history.ledger.lateness import all_of
from job_history.ledger.outcome import Outcome
from job_history.ledger.quarantine import reason_of
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import window_folder
from job_history.model.slice import Slice
from job_history.model.timestamp import format_time
from job_history.pipeline.make_receipt import merge_destinations, seconds_of, sum_counts
from job_history.pipeline.results import SliceOutcome
from job_history.storage import Storage


def receipt_with(
    receipt: Receipt,
    outcomes: list[SliceOutcome],
    taken: list[str],
    *,
    run: str,
    finished_at: datetime,
    code_version: str,
) -> Receipt:
    """Return the receipt after the files `taken` from quarantine had these outcomes; it has this run alone.

    `items` are those of the outcomes. Raises PermanentError if the counts would not balance.
    """
    done = sum_counts(outcomes)
    counts = _counts(receipt, done, taken)
    is_clean = receipt.unplaceable is None and not counts.quarantined
    state = WindowState.COMPLETE if is_clean else WindowState.COMPLETE_WITH_QUARANTINE
    jobs = [
        job
        for job in (
            receipt.first_job,
            receipt.last_job,
            *(job for each in outcomes for job in (each.transformed.first_job, each.transformed.last_job)),
        )
        if job
    ]
    seconds = seconds_of(outcomes)
    left = [path for path in receipt.quarantine if path not in taken]
    return msgspec.structs.replace(
        receipt,
        state=state,
        counts=counts,
        first_job=min(jobs, default=None),
        last_job=max(jobs, default=None),
        lateness=all_of([receipt.lateness, *(outcome.lateness for outcome in outcomes)]),
        code_version=code_version,
        destination=merge_destinations([receipt.destination, *(outcome.destination for outcome in outcomes)]),
        redaction=sorted(
            {*receipt.redaction, *(each.transformed.redaction for each in outcomes if each.transformed.redaction)}
        ),
        items=[outcome.items_path for outcome in outcomes],
        quarantine=sorted({*left, *(path for outcome in outcomes for path in outcome.quarantine_paths)}),
        runs=[RunEntry(run, format_time(finished_at), state, done, [], seconds)],
    )


def _counts(receipt: Receipt, done: Counts, taken: list[str]) -> Counts:
    before = receipt.counts
    reasons = {reason_of(path) for path in taken}
    left = {reason: count for reason, count in before.quarantined.items() if reason not in reasons}
    counts = Counts(
        counted=before.counted,
        listed=before.listed,
        delivered=before.delivered + done.delivered,
        already_present=before.already_present + done.already_present,
        repeated=before.repeated + done.repeated,
        late=before.late + done.late,
        filtered=dict(Counter(before.filtered) + Counter(done.filtered)),
        quarantined=dict(Counter(left) + Counter(done.quarantined)),
        oversize=before.oversize + done.oversize,
        unclear_masks=before.unclear_masks,  # of the same lines
        bytes=before.bytes + done.bytes,
        delivered_bytes=before.delivered_bytes + done.delivered_bytes,
        gone=before.gone,
    )
    accounted_for = (
        counts.delivered + counts.already_present + sum(counts.filtered.values()) + sum(counts.quarantined.values())
    )
    if accounted_for != counts.listed:
        raise PermanentError(
            f"Account {receipt.label}, window {receipt.window.start_text}: with what was redriven its counts would not "
            f"balance, {accounted_for:,} of {counts.listed:,} listed. Its receipt was left as it is. Run the window "
            "again."
        )
    return counts


def items_without(ledger: Storage, receipt: Receipt, taken: list[str], slice_: Slice) -> list[str]:
    """Copy the item lists that contain what was taken, without it. Returns the lists that contain all other items."""
    reasons = {str(reason_of(path)) for path in taken}
    folder = window_folder(slice_.user_id, slice_.kind, slice_.window)

    def keep(item: Item) -> bool:
        return item.outcome != Outcome.QUARANTINED or item.detail not in reasons

    lists = []
    for number, path in enumerate(receipt.listed_items, start=1):
        copy = new_list_path(folder, slice_.run, f"others-{number:04d}")
        lists.append(copy if copy_items(ledger, path, copy, keep) else path)
    return lists
