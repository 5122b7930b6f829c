"""Whole runs of the hourly job in this process, without a scheduler: what the DAG chains, with its retries.

What a task returns is kept as JSON, as Airflow would keep it, so that a run can be taken up again by another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from contextlib import nullcontext, suppress
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
from job_history.pipeline.close import Closing, finished, slices_for_tasks_of_their_own
from job_history.pipeline.closed_file import ClosedFile
from job_history.pipeline.compare_accounts import CompareAccounts
from job_history.pipeline.comparison_files import AccountToCompare, Comparison, ComparisonFiles
from job_history.pipeline.complete_windows import PlaceOf, complete_windows
from job_history.pipeline.convoy import Convoy, pack_slices
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.convoy_results import ConvoyResults, TakeOver
from job_history.pipeline.convoy_step import ConvoyStep
from job_history.pipeline.extract import extract, read_at
from job_history.pipeline.load import load
from job_history.pipeline.packing import Limits
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
STORES = ("s3", "azure_blob", "google_storage")
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
    place_of: PlaceOf = lambda _: None

    def __post_init__(self) -> None:
        self.staging = WatchedStorage(self.staging, self.passes)
        self.ledger = WatchedStorage(self.ledger, self.passes)

    def do(self, run: Run) -> list[Receipt]:
        """Do a whole run. Raises PermanentError if its report does: it is red then, and may be cleared or left."""
        for kind in run.kinds:
            self._tried(lambda kind=kind: self.plan(run, kind))
        return self.do_stages(run)

    def do_stages(self, run: Run, first: str = "extract") -> list[Receipt]:
        """Do the convoys from this step on, then close, what is left in chains of its own, and the report."""
        convoys = self.convoys(run)
        for step in STEPS[STEPS.index(first) :]:
            for convoy in convoys:
                self._tried(lambda convoy=convoy, step=step: self.convoy_step(run, convoy, step))
        for slice_ in self.close(run):
            self.do_slice(run, slice_)
        return self.do_report(run)

    def convoys(self, run: Run) -> list[Convoy]:
        """Return the convoys of a run, as its plan packed them."""
        plans = [found for kind in run.kinds if (found := RunFiles(self.staging, run.name).plan(kind)) is not None]
        return pack_slices(run.name, plans, self.accounts.usable, Limits(jobs=50_000, accounts=500)).convoys

    def convoy_step(self, run: Run, convoy: Convoy, name: str) -> None:
        files, run_files = ConvoyFiles(self.staging, run.name), RunFiles(self.staging, run.name)
        results = ConvoyResults(name, files, run_files)

        def work(slice_: Slice, account: Account) -> Any:
            self.passes(f"before {name}")
            made = [results.needed(step, slice_) for step in STEPS[: STEPS.index(name)]]
            result = self._work(run, slice_, name, account, made)
            self.passes(f"after {name}")
            return result

        ConvoyStep(
            name=name,
            work=work,
            account_of=self.accounts.get,
            is_done=results.is_done,
            is_ready=results.is_ready,
            save=results.save,
            time_limit=nullcontext,
            reason_of=str,
        ).run(convoy, files, run_files)

    def close(self, run: Run) -> list[Slice]:
        """Write the receipts of what is finished, and return the slices that need chains of their own."""
        files, closed_file = RunFiles(self.staging, run.name), ClosedFile(self.staging, run.name)
        plans = [found for kind in run.kinds if (found := files.plan(kind)) is not None]
        left: list[Slice] = []

        def task() -> None:
            self.passes("before close")
            closed_file.delete()
            left[:] = slices_for_tasks_of_their_own(plans, files)
            closing = Closing(
                run=run.name,
                files=files,
                ledger=self.ledger,
                marks=OpenWindows(self.ledger),
                finished_at=run.at,
                code_version="0",
            )
            closed = list(closing.all_of(finished(plans, left)))
            closed_file.save([window for window in closed if window.own is not None])

        return left if self._tried(task) else []

    def do_slice(self, run: Run, slice_: Slice, steps: Iterable[str] = STEPS) -> bool:
        """Do these steps of a slice, one after the other; returns whether all of them ended well."""
        return all(self._tried(lambda step=step: self.step(run, slice_, step)) for step in steps)

    def clear(self, run: Run, step: str = "extract") -> list[Receipt]:
        """Clear this step of the run's convoys with what is downstream, to the report."""
        return self.do_stages(run, step)

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
            skip=complete_windows(self.ledger, self.place_of, run.window) if run.mode == "missing_only" else skip_none,
            windows_of=self._reconciled(run, kind) if run.mode == "reconciliation" else None,
        )
        RunFiles(self.staging, run.name).save_plan(made)
        run.returned[f"plan {kind}"] = msgspec.json.encode(made.slices)

    def _reconciled(self, run: Run, kind: str) -> WindowsOf:
        marks, files = OpenWindows(self.ledger), ComparisonFiles(self.staging, run.name)
        accounts = [account for account in self.accounts.usable.values() if account.destination.type == kind]
        comparison = Comparison(
            run.kinds.index(kind), run.window, [AccountToCompare(a.user_id, a.name) for a in accounts]
        )
        comparing = Comparing(
            destination=kind,
            hours=run.window,
            ledger=self.ledger,
            source_of=self._source,
            bucket_of=self.bucket_of if kind in STORES else None,
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
        made = self._made_by_convoy(run, slice_, name, files)
        if name == "extract" or made is None:
            files.begin(slice_)
        self.passes(f"before {name}")
        try:
            result = made or self._step(run, slice_, name, files)
        except Exception as fault:
            with suppress(ReplicationError):  # the disk may be full
                files.save_failure(slice_, Failure(name, str(fault), transient=not isinstance(fault, PermanentError)))
            raise
        self.passes(f"after {name}")
        run.returned[f"{name} {slice_.folder}"] = msgspec.json.encode(result)

    def _made_by_convoy(self, run: Run, slice_: Slice, name: str, files: RunFiles) -> Extracted | Transformed | None:
        """What the transform was made of must be the convoy's too."""
        account, of_convoy = self.accounts.get(slice_.user_id), f"by convoy {slice_.folder}"
        take_over = TakeOver(ConvoyFiles(self.staging, run.name), slice_, account.settings_hash, close="1")
        if name == "extract":
            extracted = take_over.extracted(files)
            run.returned[of_convoy] = b"1" if extracted else b""
            return extracted
        if name == "transform" and run.returned.get(of_convoy):
            return take_over.transformed()
        return None

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
        types: tuple[tuple[str, Any], ...] = (("extract", Extracted), ("transform", Transformed))
        made = [
            msgspec.json.decode(run.returned[f"{step} {slice_.folder}"], type=type_)
            for step, type_ in types[: STEPS.index(name)]
        ]
        result = self._work(run, slice_, name, account, made)
        if isinstance(result, SliceOutcome):
            files.save_outcome(slice_, result)
        return result

    def _work(
        self, run: Run, slice_: Slice, name: str, account: Account, made: list[Any]
    ) -> Extracted | Transformed | SliceOutcome:
        """Do a step with what the steps before it have made."""
        if name == "extract":
            return extract(slice_, account, self._source(account, slice_.kind), self.staging)
        if name == "transform":
            return transform(
                slice_, account, made[0], staging=self.staging, ledger=self.ledger, max_document_bytes=40_000_000
            )
        repair = run.mode == "repair" or (run.repair and account.destination.type in STORES)
        return load(
            slice_,
            account,
            extracted=made[0],
            transformed=made[1],
            destination=WatchedDestination(self.destination_of(account, slice_, repair), self.passes),
            staging=self.staging,
            ledger=self.ledger,
            skip_delivered=account.destination.type in MESSAGES and run.mode != "repair",
            count_repeats=account.destination.type in MESSAGES and run.mode == "repair",
        )

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
