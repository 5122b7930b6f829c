"""Runs over very many accounts, few of which have jobs, with ledger and staging behind a store that takes its time.

An hourly run and a reconciliation of 25 hours, for some accounts and for ten times as many: each task's time and
memory, and what an account costs. Some accounts are also done each in a run of its own: the receipts must be the same.
"""

from __future__ import annotations

import runpy
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.many_accounts import (
    HOUR_BEFORE,
    HOURS,
    JOBS_EACH,
    Installation,
    Tasks,
    fill_job_store,
    hourly_run,
    one_by_one,
    reconciliation,
)
from tests.benchmarks.store import keeping_store
from tests.benchmarks.table import Table, promise

from simulators.postgres import PostgresServer, local_postgres
from simulators.project import DAGS

FIRST_USER_ID = 10_000
BUSY = 20
"""One of so many accounts has jobs."""
DELAY_MS = 30
ALONE = 20
ACCOUNT_COSTS = "What an account costs"
MAX_TASK_INSTANCES = 30
MAX_PLAN_SECONDS = 60
MAX_REPORT_SECONDS = 120
MAX_RECONCILIATION_SECONDS = 600
MAX_MEGABYTES = 300
MAX_RATIO = 1.2
KINDS = ("PUT", "GET", "LIST", "DELETE")
# Fields that depend on the time and the run, not on the jobs.
OF_THE_RUN = {"runs", "read_at", "seconds", "items"}
# Each run has a store of its own, on another port.
OF_THE_STORE = {"host"}


class Size:
    """What was measured for a number of accounts."""

    def __init__(self, home: Path, server: PostgresServer, accounts: int) -> None:
        self.accounts, self.busy = accounts, accounts // BUSY
        user_ids = list(range(FIRST_USER_ID, FIRST_USER_ID + accounts))
        with keeping_store(home, delay_ms=DELAY_MS) as store:
            where = Installation(home / str(accounts), server, store, user_ids)
            self.first_plan = hourly_run(where, "first-plan", whole=False)
            # The first seal of a chain costs three listings. Each hour that is measured comes after another one.
            hourly_run(where, "hour-before", hour=HOUR_BEFORE)
            self.hour = hourly_run(where, "hour")
            self.receipts, self.items = where.receipts(), where.items()
            self.quiet_hour = hourly_run(where, "quiet-hour", hour=HOURS[1])
            where.quiet_hours(HOURS[2:])
            self.reconciliation = reconciliation(where)

    @property
    def convoys(self) -> int:
        return len(self.hour.by_id["shared.load"])

    @property
    def task_instances(self) -> int:
        """Count those of a run of the DAG; a mapped task with nothing to map is one skipped instance."""
        dag = runpy.run_path(str(DAGS / "job_history_replication.py"))["dag"]
        shared = [task for task in dag.tasks if task.task_id.startswith("shared.")]
        return len(dag.tasks) + len(shared) * (max(self.convoys, 1) - 1)

    @property
    def runs(self) -> tuple[Tasks, Tasks]:
        return self.hour, self.reconciliation

    @property
    def seconds_an_account(self) -> float:
        return sum(run.seconds for run in self.runs) / self.accounts

    @property
    def requests_an_account(self) -> float:
        return sum(run.requests.total() for run in self.runs) / self.accounts

    @property
    def peak_megabytes(self) -> float:
        return max(run.peak_megabytes for run in (self.first_plan, self.quiet_hour, *self.runs))


def tables(*, quick: bool) -> Iterator[Table]:
    small, large = (100, 400) if quick else (1_000, 10_000)
    with tempfile.TemporaryDirectory() as folder, local_postgres(Path(folder) / "postgres") as server:
        fill_job_store(server, range(FIRST_USER_ID, FIRST_USER_ID + large, BUSY))
        sizes = [Size(Path(folder), server, accounts) for accounts in (small, large)]
        yield Table(
            f"An hourly run; one of {BUSY} accounts has jobs, the store answers after {DELAY_MS} ms",
            [_hour(size) for size in sizes],
        )
        yield Table(
            f"A reconciliation of {len(HOURS)} hours of the same accounts", [_reconciliation(size) for size in sizes]
        )
        yield Table(ACCOUNT_COSTS, account_costs(*sizes))
        alone = [FIRST_USER_ID + number * BUSY + idle for number in range(ALONE) for idle in (0, 1)]
        differing = _differing(Path(folder), server, sizes[-1], alone)
    yield Table("Promises for many accounts", _promises(*sizes, alone, differing))


def _hour(size: Size) -> dict[str, Any]:
    run = size.hour
    return {
        "accounts": size.accounts,
        "with jobs": size.busy,
        "convoys": size.convoys,
        "task instances": size.task_instances,
        "first plan s": size.first_plan.of("plan"),
        **{f"{task} s": run.of(task) for task in run.by_id},
        "wall s": run.seconds,
        "CPU s": run.cpu_seconds,
        "store CPU s": run.store_cpu_seconds,
        "peak MB": run.peak_megabytes,
        "which is of": run.largest_task,
        **{kind: run.requests[kind] for kind in KINDS},
    }


def _reconciliation(size: Size) -> dict[str, Any]:
    run = size.reconciliation
    return {
        "accounts": size.accounts,
        "compare tasks": len(run.by_id["compare"]),
        **{f"{task} s": run.of(task) for task in run.by_id},
        "wall s": run.seconds,
        "CPU s": run.cpu_seconds,
        "store CPU s": run.store_cpu_seconds,
        "peak MB": run.peak_megabytes,
        "which is of": run.largest_task,
        **{kind: run.requests[kind] for kind in KINDS},
    }


def account_costs(small: Size, large: Size) -> list[dict[str, Any]]:
    """Return what a further account and hour costs, with and without jobs, and a further account's reconciliation.

    From the difference of the two sizes: what a run costs whatever its accounts is not in it.
    """

    def row(what: str, cost: Callable[[Callable[[Tasks], float]], float]) -> dict[str, Any]:
        kinds = {kind: cost(lambda run, kind=kind: run.requests[kind]) for kind in KINDS}
        kept = {f"{unit} kept": cost(lambda run, unit=unit: run.kept[unit]) for unit in ("objects", "bytes")}
        return {"what": what, **kinds, "CPU s": cost(lambda run: run.cpu_seconds), **kept}

    def further(of: Callable[[Tasks], float], run_of: Callable[[Size], Tasks]) -> float:
        return (of(run_of(large)) - of(run_of(small))) / (large.accounts - small.accounts)

    def quiet(of: Callable[[Tasks], float]) -> float:
        return further(of, lambda size: size.quiet_hour)

    def busy(of: Callable[[Tasks], float]) -> float:
        return quiet(of) + BUSY * (further(of, lambda size: size.hour) - quiet(of))

    return [
        row("an hour without jobs", quiet),
        row(f"an hour with {JOBS_EACH} jobs", busy),
        row(f"its reconciliation, {len(HOURS)} hours", lambda of: further(of, lambda size: size.reconciliation)),
    ]


def _differing(home: Path, server: PostgresServer, size: Size, user_ids: list[int]) -> list[int]:
    """Do a run for each of these accounts; return those whose receipts or items are others."""
    with keeping_store(home, delay_ms=0) as store:
        where = Installation(home / "alone", server, store, user_ids)
        where.measure(one_by_one, user_ids)
        receipts, items = where.receipts(), where.items()
    return [
        user_id
        for user_id in user_ids
        if _comparable(receipts[user_id]) != _comparable(size.receipts[user_id])
        or items.get(user_id) != size.items.get(user_id)
    ]


def _comparable(receipt: dict[str, Any]) -> dict[str, Any]:
    destination = {name: value for name, value in receipt["destination"].items() if name not in OF_THE_STORE}
    return {name: value for name, value in receipt.items() if name not in OF_THE_RUN} | {"destination": destination}


def _promises(small: Size, large: Size, alone: list[int], differing: list[int]) -> list[dict[str, Any]]:
    many, of = f"{large.accounts:,} accounts", f"of that at {small.accounts:,}, for an account"
    run = large.hour
    return [
        promise(f"task instances of an hour of {small.accounts:,}", small.task_instances, at_most=MAX_TASK_INSTANCES),
        promise(f"seconds of the first plan of {many}", large.first_plan.of("plan"), at_most=MAX_PLAN_SECONDS),
        promise(f"seconds of a later plan of {many}", run.of("plan"), at_most=MAX_PLAN_SECONDS),
        promise(
            f"seconds of close and report of {many}", run.of("close") + run.of("report"), at_most=MAX_REPORT_SECONDS
        ),
        promise(
            f"seconds of the reconciliation of {many}", large.reconciliation.seconds, at_most=MAX_RECONCILIATION_SECONDS
        ),
        promise(f"peak memory of any task at {many}, MB", large.peak_megabytes, at_most=MAX_MEGABYTES),
        promise(f"time {of}", large.seconds_an_account / small.seconds_an_account, at_most=MAX_RATIO),
        promise(f"requests {of}", large.requests_an_account / small.requests_an_account, at_most=MAX_RATIO),
        promise(f"of {len(alone)}, receipts that differ from those one by one", len(differing), at_most=0),
        promise(f"receipts of the hour of {many}", len(large.receipts), at_least=large.accounts),
    ]
