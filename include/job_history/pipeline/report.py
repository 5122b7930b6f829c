"""Report: write the receipts of a run, tell it in a table, and fail where anything failed."""

from __future__ import annotations

import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from job_history.errors import PermanentError
from job_history.ledger.known_accounts import KnownAccounts, read_known_accounts, save_known_accounts
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import delete_superseded_items, save_receipt
from job_history.model.slice import RUNS
from job_history.pipeline.make_receipt import make_receipt
from job_history.pipeline.plan import Plan, PlannedWindow, readable_standing
from job_history.pipeline.quarantine_threshold import over_threshold
from job_history.pipeline.results import SliceOutcome
from job_history.pipeline.run_files import RunFiles
from job_history.progress import readable_bytes, readable_counts
from job_history.reconciliation.log_findings import tell
from job_history.storage import Storage
from job_history.tables import text_table

log = logging.getLogger(__name__)

# Staged files of a failed slice are kept for whoever clears its load task; a week is longer than anybody waits.
STAGED_FILES_KEPT = timedelta(days=7)
WINDOWS_AT_A_TIME = 16


def report(
    *,
    run: str,
    destinations: list[str],
    staging: Storage,
    ledger: Storage,
    finished_at: datetime,
    code_version: str,
    quarantine_threshold: int,
) -> list[Receipt]:
    """Write a receipt for each account, kind of event and window of a run. Raises PermanentError where any of it failed.

    It also fails where more than `quarantine_threshold` percent of a window's listed went to quarantine.
    """
    files = RunFiles(staging, run)
    receipts: list[Receipt] = []
    problems: list[str] = []
    plans: list[Plan] = []
    for destination in destinations:
        plan = files.plan(destination)
        if plan is None:
            problems.append(
                f"Destination {destination}: nothing was planned; the log of `{destination}.plan` says why."
            )
            continue
        plans.append(plan)
        problems += [fault for fault in plan.faults if fault not in problems]

        def close(planned: PlannedWindow) -> tuple[list[Receipt], list[str]]:
            return _closed(planned, files, ledger, run=run, finished_at=finished_at, code_version=code_version)

        # Each has a folder of its own, and a ledger in a bucket takes its time for each: a thousand in turn, a minute.
        with ThreadPoolExecutor(WINDOWS_AT_A_TIME, "receipts") as pool:
            for written, faults in pool.map(close, plan.windows):
                receipts += written
                problems += faults + _skipped(written, quarantine_threshold)
    if len(plans) == len(destinations):
        problems += _planned_otherwise_than_once(plans)
        _remember_accounts(ledger, plans)
    delete_old_runs(staging, finished_at - STAGED_FILES_KEPT)
    for plan in [plan for plan in plans if plan.standing]:
        log.info("Nothing to do for %s: %s.", plan.destination, readable_standing(plan.standing))
    if receipts:
        log.info("\n%s", run_table(receipts))
    _warn_of_quarantine(receipts, ledger)
    if reconciled := [findings for each in destinations if (findings := files.findings(each)) is not None]:
        problems += tell(reconciled, receipts)
    if problems:
        raise PermanentError(
            f"This run failed in {len(problems)} places; what is not named here was replicated.\n- "
            + "\n- ".join(problems)
        )
    return receipts


def _closed(
    planned: PlannedWindow, files: RunFiles, ledger: Storage, *, run: str, finished_at: datetime, code_version: str
) -> tuple[list[Receipt], list[str]]:
    """Write a window's receipt, and delete what its run needs no more; return it, if it could be written, and what went wrong."""
    outcomes, faults = _what_became_of(planned, files)
    receipt = make_receipt(
        planned,
        outcomes,
        faults,
        unrecoverable=_is_unrecoverable(planned, files),
        run=run,
        finished_at=finished_at,
        code_version=code_version,
    )
    try:
        stands = save_receipt(ledger, receipt)
    except PermanentError as fault:
        where = f"Account {planned.label}, window {planned.window}"
        return [], [*faults, f"{where}: its receipt could not be written: {fault}"]
    delete_superseded_items(ledger, stands, finished_at - STAGED_FILES_KEPT)
    if receipt.state.closed:
        for slice_ in planned.slices:
            files.delete_staged_files(slice_)
    return [receipt], faults


def _planned_otherwise_than_once(plans: list[Plan]) -> list[str]:
    """Each plan reads the accounts for itself; where they were changed in between, an account may fall through."""
    times_planned = Counter(user_id for plan in plans for user_id in plan.planned)
    considered = sorted({user_id for plan in plans for user_id in plan.considered})
    return [
        f"Account {user_id} is in {times_planned[user_id]} of this run's plans instead of one: its settings were changed while "
        "they were made. Run the window again."
        for user_id in considered
        if times_planned[user_id] != 1
    ]


def _remember_accounts(ledger: Storage, plans: list[Plan]) -> None:
    """For the next run to notice what is set otherwise, and who is missing; nobody is forgotten while anything is amiss."""
    known = read_known_accounts(ledger)
    settings = known.settings | {user_id: new for plan in plans for user_id, new in plan.settings.items()}
    if all(plan.whole_list for plan in plans):
        there = {str(user_id) for plan in plans for user_id in plan.considered}
        settings = {user_id: of_account for user_id, of_account in settings.items() if user_id in there}
    if settings != known.settings:
        save_known_accounts(ledger, KnownAccounts(settings))


def _skipped(receipts: list[Receipt], percent: int) -> list[str]:
    return [problem for receipt in receipts for problem in _conflicts(receipt) + over_threshold(receipt, percent)]


def _conflicts(receipt: Receipt) -> list[str]:
    conflicts = receipt.counts.quarantined.get("conflict")
    if not conflicts:
        return []
    what_and_remedy = (
        f"{conflicts} documents are at the destination with other bytes. They were left as they are; the new ones are in "
        "quarantine. Run the window again with mode repair to have them replaced."
    )
    return [f"Account {receipt.label}, window {receipt.window.start_text}: {what_and_remedy}"]


def _what_became_of(planned: PlannedWindow, files: RunFiles) -> tuple[list[SliceOutcome], list[str]]:
    outcomes: list[SliceOutcome] = []
    faults = [
        f"preflight of account {planned.label}, window {planned.window}: {finding}" for finding in planned.blocked_by
    ]
    for slice_ in planned.slices:
        if (failure := files.failure(slice_)) is not None:
            faults.append(f"{failure.step} of {slice_.about}: {failure.message}")
        elif (outcome := files.outcome(slice_)) is not None:
            outcomes.append(outcome)
        else:
            faults.append(
                f"{slice_.about}: its tasks ended without a word (killed, timed out or never started); see their logs, "
                "and clear them."
            )
    return outcomes, faults or _contradictions(planned, outcomes)


def _is_unrecoverable(planned: PlannedWindow, files: RunFiles) -> bool:
    failures = [failure for slice_ in planned.slices if (failure := files.failure(slice_)) is not None]
    return bool(failures) and all(failure.unrecoverable for failure in failures)


def _contradictions(planned: PlannedWindow, outcomes: list[SliceOutcome]) -> list[str]:
    """Say where the source's own numbers do not fit together although every task ended well."""
    counted = sum(outcome.extracted.counted for outcome in outcomes)
    listed = sum(outcome.extracted.listed for outcome in outcomes)
    whose, what = f"Account {planned.label}, window {planned.window}", planned.kind.words
    if counted != listed:
        reported = (
            f"{counted:,} {what}, and {listed:,} were listed. The window stays open; clear the account's extract task."
        )
    elif planned.counted and not counted:
        reported = (
            f"{planned.counted:,} {what} when the run was planned, and none when they were read. See whether it has deleted "
            "them, then clear the account's extract task."
        )
    else:
        return []
    return [f"{whose}: the source counted {reported}"]


def run_table(receipts: list[Receipt]) -> str:
    """Return the run as a table: a row for each account and window."""
    return text_table(
        [
            "account",
            "window",
            "counted",
            "delivered",
            "present",
            "filtered",
            "quarantined",
            "size",
            "objects/s",
            "state",
        ],
        (
            [
                receipt.label,
                receipt.window.start_text,
                receipt.counts.counted,
                receipt.counts.delivered,
                receipt.counts.already_present,
                sum(receipt.counts.filtered.values()),
                sum(receipt.counts.quarantined.values()),
                readable_bytes(receipt.counts.bytes),
                _rate(receipt),
                receipt.state,
            ]
            for receipt in receipts
        ),
    )


def _rate(receipt: Receipt) -> str:
    went_through = receipt.counts.delivered + receipt.counts.already_present
    seconds = receipt.seconds.get("load", 0)
    return f"{went_through / seconds:,.0f}" if went_through and seconds else "-"


def _warn_of_quarantine(receipts: list[Receipt], ledger: Storage) -> None:
    for receipt in receipts:
        if receipt.counts.quarantined:
            log.warning(
                "Account %s, window %s: in quarantine %s. Mend the source and run the window again. They are in:\n%s",
                receipt.label,
                receipt.window.start_text,
                readable_counts(receipt.counts.quarantined),
                "\n".join(ledger.url(path) for path in receipt.quarantine),
            )


def delete_old_runs(staging: Storage, before: datetime) -> None:
    """Delete the staged files that no run has touched since then."""
    # Only below the folder of runs: the same bucket may hold a ledger, or what was delivered.
    for path in list(staging.paths_untouched_since(before, below=RUNS)):
        staging.delete(path)
