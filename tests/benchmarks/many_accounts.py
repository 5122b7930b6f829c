"""A run of the hourly DAG and one of the reconciliation over many accounts, task by task, each in a process."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from tests.benchmarks.jobs import WINDOW, account
from tests.benchmarks.measuring import Measured, Work, measured
from tests.benchmarks.store import RunningStore
from tests.benchmarks.tasks import (
    DATABASE,
    comparing,
    context_of,
    convoying,
    environment_of,
    looking_back,
    planning,
    reconciling,
    reporting,
)
from tests.benchmarks.tasks import closing as closing_windows

from job_history.ledger.items import Item, items_at
from job_history.ledger.receipt_files import receipt_files, receipt_path
from job_history.model.event_kind import EventKind
from job_history.model.window import HOUR, Window
from job_history.seals.unsealed import mark_path_of
from job_history.storage import local_storage
from job_history_airflow.dag_ids import RECONCILIATION_DAG
from simulators.job_store import create, create_indexes, fill, small_jobs
from simulators.postgres import PostgresServer

JOBS_EACH = 20
TASKS_AT_A_TIME = 2
LEDGER = "bench-ledger/ledger"
# The look-back of 25 hours begins with the hour that has jobs.
LOOKBACK_HOURS = 1
RECONCILED_AT = datetime.fromisoformat("2018-05-22T02:30:00+00:00")
HOURS = [Window(WINDOW.start + number * HOUR, WINDOW.end + number * HOUR) for number in range(24 + LOOKBACK_HOURS)]
HOUR_BEFORE = Window(WINDOW.start - HOUR, WINDOW.end - HOUR)
LINES_AT_ONCE = 5_000


def fill_job_store(server: PostgresServer, user_ids: Iterable[int]) -> None:
    server.create_database(DATABASE)
    with closing(server.psycopg_connection(DATABASE)) as connection:
        create(connection, "postgresql", indexes=False)
        window = {"start": WINDOW.start, "end": WINDOW.end}
        jobs = (small_jobs(JOBS_EACH, user_id=user_id, first_job_id=user_id * 1_000, **window) for user_id in user_ids)
        fill(connection, "postgresql", chain.from_iterable(jobs))
        create_indexes(connection)
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


@dataclass
class Installation:
    """Accounts in one job store, with ledger, staging and documents in one store."""

    home: Path
    server: PostgresServer
    store: RunningStore
    user_ids: list[int]
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.home.mkdir()
        self.environment = environment_of(
            self.home,
            self.server,
            self.store,
            [account(user_id) for user_id in self.user_ids],
            jobs_a_slice=100_000,
            ledger_path=f"s3://bench_s3@{LEDGER}",
            staging_path="s3://bench_s3@bench-ledger/staging",
            lookback_hours=LOOKBACK_HOURS,
        )

    def measure(self, prepare: Callable[..., Work], *arguments: Any) -> Measured:
        return measured(prepare, *arguments, environment=self.environment)

    def measure_all(self, prepare: Callable[..., Work], several: Iterable[tuple[Any, ...]]) -> list[Measured]:
        with ThreadPoolExecutor(TASKS_AT_A_TIME) as pool:
            return list(pool.map(lambda arguments: self.measure(prepare, *arguments), several))

    def quiet_hours(self, hours: list[Window]) -> None:
        """Give each account a sealed receipt of no jobs for each of these hours, as if they had run."""
        receipts = self.receipts()
        template = next(receipt for receipt in receipts.values() if not receipt["items"])
        receipts_of_hours = (
            (
                f"{LEDGER}/{receipt_path(user_id, EventKind.JOBS, hour)}",
                json.dumps({**template, "user_id": user_id, "window": _json_of(hour, template)}).encode(),
            )
            for user_id in self.user_ids
            for hour in hours
        )
        marks = (
            (f"{LEDGER}/{mark_path_of(receipt_path(user_id, EventKind.JOBS, hour))}", b'{"seq": 1, "sha256": ""}')
            for user_id in self.user_ids
            for hour in hours
        )
        lines = chain(receipts_of_hours, marks)
        while some := list(islice(lines, LINES_AT_ONCE)):
            self.store.put_all(some)

    def receipts(self) -> dict[int, dict[str, Any]]:
        """Return each account's newest receipt of the first hour."""
        found = self._ledger_files()
        files = receipt_files(found)
        return {
            receipt["user_id"]: receipt
            for folder, each in files.items()
            if folder.endswith(WINDOW.slug)
            for receipt in [json.loads(found[each.paths[0]])]
        }

    def items(self) -> dict[int, list[Item]]:
        """Return each account's items of the first hour, sorted."""
        copy = local_storage(self.home / "copy")
        for path, content in self._ledger_files().items():
            if path.endswith(".parquet"):
                copy.write(path, content)
        return {
            user_id: sorted(item for path in receipt["items"] for item in items_at(copy, path))
            for user_id, receipt in self.receipts().items()
            if receipt["items"]
        }

    def kept(self) -> Counter[str]:
        """Return the number of files that the ledger keeps for good, and their bytes."""
        kept = {path: content for path, content in self._ledger_files("").items() if not path.startswith("_control/")}
        return Counter(objects=len(kept), bytes=sum(map(len, kept.values())))

    def _ledger_files(self, folder: str = "receipts/") -> dict[str, bytes]:
        found = self.store.below(f"{LEDGER}/{folder}")
        return {key.removeprefix(f"{LEDGER}/"): content for key, content in found.items()}


def _json_of(hour: Window, template: dict[str, Any]) -> Any:
    """Write a window as the template does."""
    form = {"start": hour.start_text, "end": hour.end_text}
    return {name: form[name] for name in template["window"]}


@dataclass
class Tasks:
    """What the tasks of a run took, by task id; `requests` to the store by kind; `kept`: the objects and bytes that it
    added to the ledger; `seconds` of wall clock; `store_cpu_seconds`: of the store, which has the same cores.
    """

    by_id: dict[str, list[Measured]] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    store_cpu_seconds: float = 0.0

    def of(self, task: str) -> float:
        """Return the wall time of the longest instance of a task."""
        return max((each.seconds for each in self.by_id.get(task, [])), default=0.0)

    @property
    def cpu_seconds(self) -> float:
        return sum(each.cpu_seconds for several in self.by_id.values() for each in several)

    @property
    def peak_megabytes(self) -> float:
        return max(self.peaks.values())

    @property
    def peaks(self) -> dict[str, float]:
        """Return the peak of each task in MB: of a mapped one, that of its largest instance."""
        return {task: max(each.peak_bytes for each in several) / 1e6 for task, several in self.by_id.items() if several}

    @property
    def largest_task(self) -> str:
        return max(self.peaks, key=self.peaks.__getitem__)


def hourly_run(where: Installation, run_id: str, *, hour: Window = WINDOW, whole: bool = True) -> Tasks:
    """Do an hourly run over all accounts; not `whole`: its plan alone."""
    tasks, context = Tasks(), context_of(run_id, hour=hour)
    before = where.kept()
    where.store.counts()
    began, store_cpu = time.perf_counter(), where.store.cpu_seconds()
    plan = where.measure(planning, context)
    tasks.by_id["plan"] = [plan]
    if whole:
        for step in ("extract", "transform", "load"):
            tasks.by_id[f"shared.{step}"] = where.measure_all(
                convoying, [(context, step, convoy) for convoy in plan.result]
            )
        tasks.by_id["close"] = [closed := where.measure(closing_windows, context)]
        if closed.result:
            raise AssertionError(f"{len(closed.result)} slices are left to tasks of their own")
        tasks.by_id["report"] = [where.measure(reporting, context)]
    tasks.seconds, tasks.requests = time.perf_counter() - began, where.store.counts()
    tasks.store_cpu_seconds = where.store.cpu_seconds() - store_cpu
    tasks.kept = where.kept() - before
    return tasks


def reconciliation(where: Installation) -> Tasks:
    """Do a run of the reconciliation that finds nothing to run again."""
    tasks = Tasks()
    context = context_of("reconciliation", dag_id=RECONCILIATION_DAG, run_after=RECONCILED_AT)
    where.store.counts()
    began, store_cpu = time.perf_counter(), where.store.cpu_seconds()
    tasks.by_id["look_back"] = [look_back := where.measure(looking_back, context)]
    tasks.by_id["compare"] = where.measure_all(comparing, [(context, each) for each in look_back.result])
    tasks.by_id["plan"] = [plan := where.measure(reconciling, context)]
    if plan.result:
        raise AssertionError("the reconciliation found something to run")
    tasks.by_id["report"] = [where.measure(reporting, context)]
    tasks.seconds, tasks.requests = time.perf_counter() - began, where.store.counts()
    tasks.store_cpu_seconds = where.store.cpu_seconds() - store_cpu
    return tasks


def one_by_one(user_ids: list[int]) -> Work:
    """Do a whole run for each of these accounts, one after the other, in this process."""

    def work() -> None:
        for user_id in user_ids:
            context = context_of(f"run-{time.monotonic_ns()}", accounts=[user_id])
            made = planning(context)()
            for step in ("extract", "transform", "load"):
                for convoy in made:
                    convoying(context, step, convoy)()
            closing_windows(context)()
            reporting(context)()

    return work
