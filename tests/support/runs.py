"""Whole runs of the hourly job in this process, without a scheduler: what the DAG chains, with its retries.

What a task returns is kept as JSON, as Airflow would keep it, so that a run can be taken up again by another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
from tests.support.mortal_storage import KilledError
from tests.support.places import Passes, WatchedDestination, WatchedSource, WatchedStorage

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.destinations import Destination, Listable
from job_history.errors import PermanentError, ReplicationError
from job_history.ledger.open_windows import OpenWindows
from job_history.ledger.receipt import Receipt
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.compare_accounts import CompareAccounts
from job_history.pipeline.comparison_files import AccountToCompare, Comparison, ComparisonFiles
from job_history.pipeline.complete_windows import complete_windows
from job_history.pipeline.extract import extract, read_at
from job_history.pipeline.load import load
from job_history.pipeline.plan import WindowsOf, plan, skip_none
from job_history.pipeline.report import report
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history.pipeline.run_files import Failure, RunFiles
from job_history.pipeline.transform import transform
from job_history.reconciliation.compare import Comparing
from job_history.reconciliation.windows_to_run import Choice, choose_windows
from job_history.sources import Source

STEPS = ("extract", "transform", "load")
KINDS = ("s3", "sumo_logic")
MESSAGES = ("sumo_logic", "splunk_hec", "datadog", "http")


@dataclass
class Run:
    """One run and its parameters; `returned` is what its tasks returned, by step and slice.

    `mode` is that of the hourly job, or `reconciliation` for a run of that, with or without `repair`.
    """

    name: str
    window: Window
    chosen: list[int] = field(default_factory=list)
    mode: str = "missing_only"
    repair: bool = False
    accept_fewer: bool = False
    kinds: tuple[str, ...] = KINDS
    returned: MutableMapping[str, bytes] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Runs:
    """Does runs over these accounts, sources and destinations. A task is tried `tries` times, as Airflow would.

    `destination_of` returns the destination of a slice; its last argument: the run repairs what it finds.
    """

    staging: Any
    ledger: Any
    accounts: Accounts
    source_of: Callable[[Account, EventKind], Source[JobRecord]]
    destination_of: Callable[[Account, Slice, bool], Destination]
    bucket_of: Callable[[Account], Listable]
    passes: Passes = lambda _: None
    tries: int = 1
    max_jobs_per_slice: int = 50_000

    def __post_init__(self) -> None:
        self.staging = WatchedStorage(self.staging, self.passes)
        self.ledger = WatchedStorage(self.ledger, self.passes)

    def do(self, run: Run) -> list[Receipt]:
        """Do a whole run. Raises PermanentError if its report does: it is red then, and may be cleared or left."""
        for kind in run.kinds:
            self._tried(lambda kind=kind: self.plan(run, kind))
        for slice_ in self.slices(run):
            self.do_slice(run, slice_)
        return self.do_report(run)

    def do_slice(self, run: Run, slice_: Slice, steps: Iterable[str] = STEPS) -> bool:
        """Do these steps of a slice, one after the other; returns whether all of them ended well."""
        return all(self._tried(lambda step=step: self.step(run, slice_, step)) for step in steps)

    def clear(self, run: Run, step: str = "extract") -> list[Receipt]:
        """Do the failed slices again from this step on, or from an earlier one that they lack, and report again."""
        files = RunFiles(self.staging, run.name)
        for slice_ in self.slices(run):
            if files.outcome(slice_) is None or files.failure(slice_) is not None:
                done = [each for each in STEPS if f"{each} {slice_.folder}" in run.returned]
                first = min(STEPS.index(step), len(done))
                self.do_slice(run, slice_, STEPS[first:])
        return self.do_report(run)

    def do_report(self, run: Run) -> list[Receipt]:
        for left in reversed(range(self.tries)):
            try:
                return self.report(run)
            except (KilledError, ReplicationError) as fault:
                if left == 0 or isinstance(fault, PermanentError):
                    raise
        return []

    @staticmethod
    def slices(run: Run) -> list[Slice]:
        return [
            slice_
            for kind in run.kinds
            if f"plan {kind}" in run.returned
            for slice_ in msgspec.json.decode(run.returned[f"plan {kind}"], type=list[Slice])
        ]

    def plan(self, run: Run, kind: str) -> None:
        planned_at = read_at()
        made = plan(
            run=run.name,
            window=run.window,
            accounts=self.accounts,
            chosen=run.chosen,
            destination=kind,
            source_of=self._source,
            max_jobs_per_slice=self.max_jobs_per_slice,
            planned_at=planned_at,
            skip=complete_windows(self.ledger, lambda _: None, run.window) if run.mode == "missing_only" else skip_none,
            windows_of=self._reconciled(run, kind) if run.mode == "reconciliation" else None,
        )
        RunFiles(self.staging, run.name).save_plan(made)
        run.returned[f"plan {kind}"] = msgspec.json.encode(made.slices)

    def _reconciled(self, run: Run, kind: str) -> WindowsOf:
        marks, files = OpenWindows(self.ledger), ComparisonFiles(self.staging, run.name)
        accounts = [account for account in self.accounts.usable.values() if account.destination.type == kind]
        comparison = Comparison(KINDS.index(kind), run.window, [AccountToCompare(a.user_id, a.name) for a in accounts])
        comparing = Comparing(
            destination=kind,
            hours=run.window,
            ledger=self.ledger,
            source_of=self._source,
            bucket_of=self.bucket_of if kind == "s3" else None,
            marks=marks,
        )
        progress = CompareAccounts(files=files, comparing_of=lambda _: comparing).run(comparison, accounts)
        findings = progress.found.get(kind) or comparing.new_findings()
        findings.repair = run.repair
        choice = Choice(limit=1_000, day=run.at.date(), hourly_runs=lambda _: set())
        choose_windows(findings, marks, self.ledger, choice)
        RunFiles(self.staging, run.name).save_findings(findings)
        to_run = sorted(findings.to_run())
        return lambda account: [(each.kind, each.window) for each in to_run if each.user_id == account.user_id]

    def step(self, run: Run, slice_: Slice, name: str) -> None:
        """Do one step of a slice, and leave word of its failure, unless it was killed."""
        files = RunFiles(self.staging, slice_.run)
        files.begin(slice_)
        self.passes(f"before {name}")
        try:
            result = self._step(run, slice_, name, files)
        except Exception as fault:
            with suppress(ReplicationError):  # the disk may be full
                files.save_failure(slice_, Failure(name, str(fault)))
            raise
        self.passes(f"after {name}")
        run.returned[f"{name} {slice_.folder}"] = msgspec.json.encode(result)

    def report(self, run: Run) -> list[Receipt]:
        self.passes("before report")
        receipts = report(
            run=run.name,
            destinations=list(run.kinds),
            staging=self.staging,
            ledger=self.ledger,
            finished_at=run.at,
            code_version="0",
            quarantine_threshold=100,
            accept_fewer=run.accept_fewer,
        )
        self.passes("after report")
        return receipts

    def _step(self, run: Run, slice_: Slice, name: str, files: RunFiles) -> Extracted | Transformed | SliceOutcome:
        account = self.accounts.get(slice_.user_id)
        if name == "extract":
            return extract(slice_, account, self._source(account, slice_.kind), self.staging)
        extracted = msgspec.json.decode(run.returned[f"extract {slice_.folder}"], type=Extracted)
        if name == "transform":
            return transform(
                slice_, account, extracted, staging=self.staging, ledger=self.ledger, max_document_bytes=40_000_000
            )
        repair = run.mode == "repair" or (run.repair and account.destination.type == "s3")
        outcome = load(
            slice_,
            account,
            extracted=extracted,
            transformed=msgspec.json.decode(run.returned[f"transform {slice_.folder}"], type=Transformed),
            destination=WatchedDestination(self.destination_of(account, slice_, repair), self.passes),
            staging=self.staging,
            ledger=self.ledger,
            skip_delivered=account.destination.type in MESSAGES and run.mode != "repair",
            count_repeats=account.destination.type in MESSAGES and run.mode == "repair",
        )
        files.save_outcome(slice_, outcome)
        return outcome

    def _source(self, account: Account, kind: EventKind) -> Any:
        return WatchedSource(self.source_of(account, kind), self.passes)

    def _tried(self, task: Callable[[], None]) -> bool:
        for _ in range(self.tries):
            try:
                task()
            except KilledError:
                continue
            except BaseExceptionGroup as group:
                # The destination works on many documents at once.
                if group.subgroup(KilledError) is None:
                    raise
            except PermanentError:
                return False
            except ReplicationError:
                continue
            else:
                return True
        return False
