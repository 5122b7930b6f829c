"""One window of very many jobs, from PostgreSQL to a store: time for each job, and memory of each task.

The tasks are the operators of the DAG, each in a process of its own, two slices at a time; only Airflow's scheduler is
left out.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.jobs import WINDOW, account
from tests.benchmarks.measuring import Measured, Work, measured
from tests.benchmarks.plot import Plot
from tests.benchmarks.sink import sink
from tests.benchmarks.table import Table, promise
from tests.benchmarks.tasks import (
    DATABASE,
    STEPS,
    context_of,
    environment_of,
    extracting,
    loading,
    planning,
    reporting,
    transforming,
)
from tests.benchmarks.tasks import closing as closing_windows

from simulators.job_store import create, create_indexes, fill, small_jobs
from simulators.postgres import PostgresServer, local_postgres

DOCUMENT_BYTES = 1_000
SLICES_AT_A_TIME = 2
WINDOWS = "One window from PostgreSQL to S3, documents of 1 kB, two slices at a time"
MAX_TIME_RATIO = 1.2
MAX_MEMORY_RATIO = 1.2
MAX_MEGABYTES = 280


@dataclass(frozen=True)
class Size:
    """The number of an account's jobs in the window, and the size of the slices."""

    user_id: int
    jobs: int
    jobs_a_slice: int


@dataclass(frozen=True)
class Run:
    """What a run used: wall seconds in total, and each task's figures by step."""

    seconds: float
    tasks: dict[str, list[Measured]]

    @property
    def cpu_seconds(self) -> float:
        return sum(task.cpu_seconds for tasks in self.tasks.values() for task in tasks)

    def peak_bytes(self, step: str) -> int:
        return max(task.peak_bytes for task in self.tasks[step])


def tables(*, quick: bool) -> Iterator[Table]:
    """Measure the middle size first and last, which shows a drift of the machine; the large one also in slices."""
    middle = 10_000 if quick else 100_000
    large = 50_000 if quick else 1_000_000
    few, middling, many = Size(1, middle // 10, middle), Size(2, middle, middle), Size(3, large, large)
    with tempfile.TemporaryDirectory() as folder, local_postgres(Path(folder) / "postgres") as server:
        _fill(server, [few, middling, many])
        sizes = (middling, few, many, replace(many, jobs_a_slice=middle), middling)
        runs = [(size, run_of(Path(folder), server, size)) for size in sizes]
    yield Table(WINDOWS, [_times(*run) for run in runs])
    in_one_slice = [runs[1], runs[0], runs[2]]
    yield Table(
        "Peak memory of a task in those runs, MB",
        _peaks(runs[:-1]),
        plot=Plot(
            "memory-by-jobs.svg",
            "jobs in a slice",
            "peak memory of the task, MB",
            {step: {size.jobs: run.peak_bytes(step) / 1e6 for size, run in in_one_slice} for step in STEPS},
            y_from_zero=True,
        ),
    )
    yield Table("Promises at any size", _promises(runs))


def _fill(server: PostgresServer, sizes: list[Size]) -> None:
    server.create_database(DATABASE)
    with closing(server.psycopg_connection(DATABASE)) as connection:
        create(connection, "postgresql", indexes=False)
        for size in sizes:
            jobs = small_jobs(
                size.jobs, user_id=size.user_id, start=WINDOW.start, end=WINDOW.end, document_bytes=DOCUMENT_BYTES
            )
            fill(connection, "postgresql", jobs)
        create_indexes(connection)
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


def run_of(home: Path, server: PostgresServer, size: Size) -> Run:
    """Replicate an account's window, and check that each of its jobs was put once."""
    run_id = f"{size.jobs}-{size.jobs_a_slice}-{time.monotonic_ns()}"
    context = context_of(run_id)
    with tempfile.TemporaryDirectory(dir=home) as own, sink(home, delay_ms=0, remember=True) as store:
        environment = environment_of(Path(own), server, store, [account(size.user_id)], jobs_a_slice=size.jobs_a_slice)
        environment["AIRFLOW__JOB_HISTORY__MAX_JOBS_PER_CONVOY"] = "0"

        def task(prepare: Callable[..., Work], *arguments: Any) -> Measured:
            return measured(prepare, context, *arguments, environment=environment)

        def chain(a_slice: dict[str, Any]) -> list[Measured]:
            extract = task(extracting, a_slice)
            transform = task(transforming, a_slice, extract.result)
            return [extract, transform, task(loading, a_slice, extract.result, transform.result)]

        started = time.perf_counter()
        plan = task(planning)
        close = task(closing_windows)
        with ThreadPoolExecutor(SLICES_AT_A_TIME) as slices:
            chains = list(slices.map(chain, close.result))
        report = task(reporting)
        seconds = time.perf_counter() - started
        assert report.result == {"windows": 1, "delivered": size.jobs, "already_present": 0}
        counts = store.counts()
        assert (counts["PUT"], counts["create_only"], counts["distinct_keys"]) == (size.jobs,) * 3
    return Run(seconds, dict(zip(STEPS, ([plan], *map(list, zip(*chains, strict=True)), [report]), strict=True)))


def _times(size: Size, run: Run) -> dict[str, Any]:
    return {
        "jobs": size.jobs,
        "slices": len(run.tasks["extract"]),
        "wall s": run.seconds,
        "wall µs a job": run.seconds / size.jobs * 1e6,
        "CPU s/1,000": run.cpu_seconds / size.jobs * 1_000,
        **{f"{step} µs a job": _seconds(run, step) / size.jobs * 1e6 for step in ("extract", "transform", "load")},
        **{f"{step} s": _seconds(run, step) for step in ("plan", "report")},
    }


def _seconds(run: Run, step: str) -> float:
    return sum(task.seconds for task in run.tasks[step])


def _peaks(runs: list[tuple[Size, Run]]) -> list[dict[str, Any]]:
    return [
        {"task": "(one that does nothing)", **dict.fromkeys(map(_label, runs), measured(nothing).peak_bytes / 1e6)},
        *({"task": step, **{_label(run): run[1].peak_bytes(step) / 1e6 for run in runs}} for step in STEPS),
    ]


def _label(of_a_run: tuple[Size, Run]) -> str:
    size, run = of_a_run
    return f"{size.jobs:,} jobs / {len(run.tasks['extract'])}"


def _promises(runs: list[tuple[Size, Run]]) -> list[dict[str, Any]]:
    """Compare the large window with the middle one, allowing for the difference between its two runs."""
    first, _, whole, sliced, last = runs
    per_job = [run.seconds / size.jobs for size, run in (first, whole, sliced, last)]
    usual = (per_job[0] + per_job[3]) / 2
    memory = max(whole[1].peak_bytes(step) / first[1].peak_bytes(step) for step in STEPS)
    peak = max(run.peak_bytes(step) for _, run in runs for step in STEPS) / 1e6
    large, middle = f"{whole[0].jobs:,} jobs", f"{first[0].jobs:,}"
    return [
        promise(
            f"time for each of {large}, as a multiple of that for {middle}", per_job[1] / usual, at_most=MAX_TIME_RATIO
        ),
        promise("the same in slices", per_job[2] / usual, at_most=MAX_TIME_RATIO),
        promise(
            f"peak memory at {large} in one slice, as a multiple of that at {middle}", memory, at_most=MAX_MEMORY_RATIO
        ),
        promise("peak memory of any task, MB", peak, at_most=MAX_MEGABYTES),
    ]


def nothing() -> Work:
    return lambda: None
