"""Report: write the receipts of a run, log them as a table, and fail if anything failed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime

from job_history.errors import PermanentError
from job_history.ledger.known_accounts import KnownAccounts, update_known_accounts
from job_history.ledger.open_windows import OpenWindow, OpenWindows
from job_history.ledger.receipt import Receipt
from job_history.ledger.status_file import ExpectedBy
from job_history.limited_log import LimitedLog
from job_history.pipeline.close import Closing
from job_history.pipeline.closed_file import ClosedFile
from job_history.pipeline.old_runs import delete_old_runs
from job_history.pipeline.plan import readable_skipped
from job_history.pipeline.problems import (
    planning_problems,
    receipt_problems,
    shrinkage,
    too_many_unplaceable,
    unclear_mask_messages,
    unplaceable_messages,
    unplanned,
)
from job_history.pipeline.reported_windows import ReportedWindows
from job_history.pipeline.results import Plan
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.run_outcome import RunOutcome
from job_history.pipeline.run_summary import log_run_summary
from job_history.pipeline.shared_staging import STAGED_FILES_KEPT
from job_history.pipeline.update_status import update_status
from job_history.pipeline.worker_clock import clock_problems
from job_history.progress import readable_counts
from job_history.reconciliation.findings import Findings, Objects
from job_history.reconciliation.log_findings import log_findings
from job_history.reconciliation.note_finished import note_finished
from job_history.reconciliation.open_problems import open_problems
from job_history.reconciliation.repaired import not_back
from job_history.seals.needs import Sealing
from job_history.seals.sealing import SealsOfRun, log_seals
from job_history.storage import Storage

log = logging.getLogger(__name__)

_ALL_PLANNED = "what is not named here was replicated"
_ALL_BUT_WARNINGS = "what is named neither here nor in the warnings was replicated"
_NOT_ALL_PLANNED = "what was not planned was not replicated"


class RunFailedError(PermanentError):
    """A run failed, and what failed in it has been logged."""


def report(
    *,
    run: str,
    destinations: list[str],
    staging: Storage,
    ledger: Storage,
    finished_at: datetime,
    code_version: str,
    quarantine_threshold: int,
    expected: ExpectedBy | None = None,
    status_url: str = "",
    accept_fewer: bool = False,
    is_last_try: bool = False,
    announce: Callable[[RunOutcome], None] = lambda _: None,
    notify: Callable[[RunOutcome], None] = lambda _: None,
    sealing: Sealing | None = None,
) -> Collection[Receipt]:
    """Write a receipt for each account, kind of event and window of a run. Raises RunFailedError if any of it failed.

    It also fails if more than `quarantine_threshold` percent of a window's listed records are quarantined, and, without
    `accept_fewer`, if a window listed nothing, or less than half, of what its closed reading before had. `expected`:
    when the next scheduled run must have reported, if this is a scheduled one. `status_url`: the address of the status
    page, for the log. `sealing`: how its windows are sealed.

    `announce` gets the run's outcome once, although a report that was killed is tried again; `notify` gets it then,
    before a failure is raised.
    """
    files = RunFiles(staging, run)
    closed_file = ClosedFile(staging, run)
    closing = Closing(
        run=run,
        files=files,
        ledger=ledger,
        marks=OpenWindows(ledger),
        finished_at=finished_at,
        code_version=code_version,
        accepts_fewer=accept_fewer,
        is_last_try=is_last_try,
    )
    seals = SealsOfRun(ledger, sealing)
    windows = ReportedWindows(closing, closed_file)
    receipts, newest = windows.receipts, windows.newest
    problems: list[str] = [] if destinations else [unplanned(files)]
    plans: list[Plan] = []
    for destination in destinations:
        try:
            plan = files.plan(destination)
        except PermanentError as unreadable:
            problems.append(f"Destination {destination}: its windows have no receipt of this run: {unreadable}")
            continue
        if plan is None:
            problems.append(unplanned(files, destination))
            continue
        plans.append(plan)
        problems += [fault for fault in [*plan.faults, *plan.destination_problems] if fault not in problems]
        windows.add(plan)
    problems += windows.problems
    problems += [problem for receipt in receipts for problem in receipt_problems(receipt, quarantine_threshold)]
    has_all_plans = bool(plans) and len(plans) == len(destinations)
    # A run that replicates nothing of an account must not reassure a watch.
    is_planned = has_all_plans and not any(plan.faults for plan in plans)
    if has_all_plans:
        problems += planning_problems(plans)
        _remember_accounts(ledger, plans)
    problems += delete_old_runs(staging, finished_at - STAGED_FILES_KEPT)
    problems += [
        *too_many_unplaceable(receipts, quarantine_threshold),
        *clock_problems(windows.clocks),
        *(each for recorded in newest if not accept_fewer for each in shrinkage(run, recorded.receipt)),
    ]
    reconciled, unreadable_findings = _read_findings(files, destinations)
    problems += unreadable_findings
    seals.look_back([each for plan in plans for each in plan.active], {findings.window for findings in reconciled})
    sealed = seals.seal(newest, datetime.now(UTC))
    problems += sealed.problems
    status = update_status(
        ledger,
        plans=plans,
        whole_list=is_planned and all(plan.whole_list for plan in plans),
        newest=newest,
        marks=closing.marks.windows,
        reconciled=reconciled,
        expected=expected if expected and is_planned else ExpectedBy(),
        now=datetime.now(UTC),
        seals=sealed,
    )
    if reconciled:
        left = _not_repaired(files, reconciled, receipts, ledger)
        problems += log_findings(reconciled, receipts, left) + open_problems(reconciled, receipts, closing.marks)
        if len(reconciled) == len(destinations) and all(findings.looks_back for findings in reconciled):
            note_finished(ledger, reconciled)
    rest_of = _rest(plans, receipts) if has_all_plans else _NOT_ALL_PLANNED
    log_run_summary(receipts, problems, rest_of, status_url)
    _log_warnings(plans, receipts, ledger)
    log_seals(sealed)
    outcome = RunOutcome(
        run,
        plans,
        receipts,
        newest,
        finished_at,
        problems,
        status,
        sealed.unsealed,
        windows.announced,
    )
    announce(outcome)
    closed_file.note_announced()
    notify(outcome)
    if problems:
        raise RunFailedError(f"This run failed in {len(problems)} places; {rest_of}.\n- " + "\n- ".join(problems))
    return receipts


def _read_findings(files: RunFiles, destinations: list[str]) -> tuple[list[Findings], list[str]]:
    """Return the findings of a reconciliation, and a problem for each kind of destination whose file is damaged."""
    found, problems = [], []
    for destination in destinations:
        try:
            findings = files.findings(destination)
        except PermanentError as unreadable:
            problems.append(f"Destination {destination}: what was compared is not known: {unreadable}")
            continue
        if findings is not None:
            found.append(findings)
    return found, problems


def _not_repaired(
    files: RunFiles, reconciled: list[Findings], receipts: Iterable[Receipt], ledger: Storage
) -> dict[OpenWindow, Objects]:
    left: dict[OpenWindow, Objects] = {}
    for findings in reconciled:
        if findings.repair and any(finding.damaged for finding in findings.windows):
            left |= not_back(files.damages(findings), receipts, ledger)
    return left


def _rest(plans: list[Plan], receipts: Iterable[Receipt]) -> str:
    """Return what can be claimed of all that no problem names: records below a threshold are in warnings alone."""
    has_warnings = any(plan.unchecked for plan in plans) or any(
        receipt.unplaceable or receipt.counts.quarantined.keys() - {"conflict"} for receipt in receipts
    )
    return _ALL_BUT_WARNINGS if has_warnings else _ALL_PLANNED


def _remember_accounts(ledger: Storage, plans: list[Plan]) -> None:
    """Save the accounts, so that the next run notices changed settings and lost accounts.

    An account is forgotten only if every plan had the whole list.
    """
    new = {user_id: settings for plan in plans for user_id, settings in plan.settings.items()}
    whole_list = all(plan.whole_list for plan in plans)
    considered = {str(user_id) for plan in plans for user_id in plan.considered}

    def change(known: KnownAccounts) -> KnownAccounts:
        settings = known.settings | new
        return KnownAccounts({each: settings[each] for each in settings if not whole_list or each in considered})

    update_known_accounts(ledger, change)
    for plan in plans:
        # Those of ten thousand new accounts have 7 MB, and nothing more asks for them.
        plan.settings = {}


def _log_warnings(plans: list[Plan], receipts: Collection[Receipt], ledger: Storage) -> None:
    for plan in [plan for plan in plans if plan.skipped]:
        log.info("Nothing to do for %s: %s.", plan.destination, readable_skipped(plan.skipped))
    with LimitedLog(log) as lines:
        for receipt in [receipt for receipt in receipts if receipt.counts.quarantined]:
            lines.warning(
                "Account %s, window %s: in quarantine %s. Fix the source and run the window again. They are in:\n%s",
                receipt.label,
                receipt.window.start_text,
                readable_counts(receipt.counts.quarantined),
                "\n".join(ledger.url(path) for path in receipt.quarantine),
            )
    for messages in (
        unplaceable_messages(receipts).values(),
        unclear_mask_messages(receipts),
        [each for plan in plans for each in plan.unchecked],
    ):
        with LimitedLog(log) as lines:
            for message in messages:
                lines.warning("%s", message)
