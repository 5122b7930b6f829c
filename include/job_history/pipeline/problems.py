"""Problems: what a run's report lists, and what makes it fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.ledger.receipt import Receipt
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.model.unplaceable import Unplaceable
from job_history.pipeline.quarantine_threshold import exceeds, over_threshold
from job_history.pipeline.results import Plan, PlannedWindow, SliceOutcome
from job_history.pipeline.run_files import TASKS_UNTIL_PLANNED, Failure, RunFiles


class SliceResults(NamedTuple):
    """The results of a window's slices. `problems`: a message for each slice without an outcome, and for each
    contradiction. `unrecoverable`: each slice that failed did so because the source no longer holds its records.
    """

    outcomes: dict[Slice, SliceOutcome]
    problems: list[str]
    unrecoverable: bool


def slice_results(planned: PlannedWindow, files: RunFiles) -> SliceResults:
    """Read the outcomes and failures of a window's slices."""
    outcomes: dict[Slice, SliceOutcome] = {}
    failures: list[Failure] = []
    problems = [
        f"preflight of account {planned.label}, window {planned.window}: {finding}" for finding in planned.blocked_by
    ]
    for slice_ in planned.slices:
        try:
            outcome, failure = files.outcome(slice_), None
            if outcome is None:
                failure = files.failure(slice_)
        except PermanentError as unreadable:
            problems.append(f"{slice_.about}: its result cannot be read: {unreadable}")
            continue
        if outcome is not None:
            outcomes[slice_] = outcome
        elif failure is not None:
            failures.append(failure)
            problems.append(f"{failure.step} of {slice_.about}: {failure.message}")
        else:
            problems.append(
                f"{slice_.about}: its tasks ended without reporting a result (killed, timed out or never started); see "
                "their logs, and clear them."
            )
    problems = problems or _contradictions(planned, list(outcomes.values()))
    unrecoverable = bool(failures) and all(failure.unrecoverable for failure in failures)
    return SliceResults(outcomes, problems, unrecoverable)


def planning_problems(plans: list[Plan]) -> list[str]:
    """Return the accounts that are not in exactly one plan: each plan reads the settings, which may change in
    between.
    """
    times_planned = Counter(user_id for plan in plans for user_id in plan.planned)
    considered = sorted({user_id for plan in plans for user_id in plan.considered})
    return [
        f"Account {user_id} is in {times_planned[user_id]} of this run's plans instead of one: its settings were "
        "changed while they were made. Run the window again."
        for user_id in considered
        if times_planned[user_id] != 1
    ]


def unplanned(files: RunFiles, destination: str = "") -> str:
    """Return why there is no plan, or none for a kind of destination: what `plan`, or a task before it, failed on."""
    nothing = f"Destination {destination}: nothing" if destination else "Nothing"
    for task in TASKS_UNTIL_PLANNED:
        if (failure := files.task_failure(task)) is not None:
            return f"{nothing} was replicated, because `{task}` failed: {failure.message}"
    return f"{nothing} was replicated; see the log of `plan` for the reason."


def unplaceable_messages(receipts: Iterable[Receipt]) -> dict[tuple[int, EventKind], str]:
    """Return a message for each account and kind with records that no window contains."""
    return {
        (receipt.user_id, receipt.kind): (
            f"Account {receipt.label}: {receipt.kind.words} that are finished and in no window, because their time is "
            f"missing or cannot be read: {receipt.unplaceable.summary}. They are not delivered. Correct their times at "
            "the source."
        )
        for receipt in receipts
        if receipt.unplaceable is not None
    }


def unclear_mask_messages(receipts: Iterable[Receipt]) -> list[str]:
    """Return a warning for each window with lines that are masked because their `mask_data` is neither true nor
    false.
    """
    return [
        f"Account {receipt.label}, window {receipt.window.start_text}: {receipt.counts.unclear_masks} lines are masked "
        "because their mask_data is neither true nor false. Correct the column, or the view that makes it: "
        "docs/job-store.md."
        for receipt in receipts
        if receipt.counts.unclear_masks
    ]


def too_many_unplaceable(receipts: Iterable[Receipt], quarantine_threshold: int) -> list[str]:
    """Return the accounts with more of them than the threshold allows, counted against the account's records of the
    run.
    """
    listed: Counter[tuple[int, EventKind]] = Counter()
    found: dict[tuple[int, EventKind], Unplaceable] = {}
    messages: dict[tuple[int, EventKind], str] = {}
    for receipt in receipts:
        listed[receipt.user_id, receipt.kind] += receipt.counts.listed
        if receipt.unplaceable is not None:
            found[receipt.user_id, receipt.kind] = receipt.unplaceable
            messages |= unplaceable_messages([receipt])
    return [
        f"{messages[whose]} These are more than [job_history] quarantine_threshold allows ({quarantine_threshold} "
        "percent)."
        for whose, unplaceable in found.items()
        if _too_many(unplaceable, listed[whose], quarantine_threshold)
    ]


def _too_many(unplaceable: Unplaceable, listed: int, percent: int) -> bool:
    """A number "over 1,000" is not known, so that nothing shows it to be within a threshold."""
    if unplaceable.over_limit:
        return percent < 100
    return exceeds(unplaceable.count, listed + unplaceable.count, percent)


def receipt_problems(receipt: Receipt, quarantine_threshold: int) -> list[str]:
    return _conflicts(receipt) + over_threshold(receipt, quarantine_threshold)


def shrinkage(run: str, newest: Receipt) -> list[str]:
    """Return a problem if a reading listed nothing, or less than half of the one before: this run is one of the two."""
    return [
        str(
            finding(
                Code.SOURCE_SHRANK,
                f"Account {newest.label}, window {newest.window}",
                listed=f"{min(entry.counts.listed, newest.counts.listed):,}",
                before=f"{entry.shrank_from:,}",
            )
        )
        for entry in newest.runs
        if entry.run == run and entry.shrank_from is not None
    ]


def _conflicts(receipt: Receipt) -> list[str]:
    conflicts = receipt.counts.quarantined.get("conflict")
    if not conflicts:
        return []
    return [
        (
            f"Account {receipt.label}, window {receipt.window.start_text}: {conflicts} documents are at the "
            "destination with other bytes. They were left as they are; the new ones are in quarantine. Run the window "
            "again with mode repair to have them replaced."
        )
    ]


def _contradictions(planned: PlannedWindow, outcomes: list[SliceOutcome]) -> list[str]:
    """Return where the source's own numbers contradict each other although every task succeeded."""
    counted = sum(outcome.extracted.counted for outcome in outcomes)
    listed = sum(outcome.extracted.listed for outcome in outcomes)
    about, what = f"Account {planned.label}, window {planned.window}", planned.kind.words
    if counted != listed:
        return [
            (
                f"{about}: the source counted {counted:,} {what}, and listed {listed:,}. The window stays open; run "
                "the hour again."
            )
        ]
    if planned.counted and not counted:
        return [
            (
                f"{about}: the source counted {planned.counted:,} {what} when the run was planned, and none when they "
                "were read. Check whether it has deleted them, then run the hour again."
            )
        ]
    return []
