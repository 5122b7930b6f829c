"""One window of very many jobs, from PostgreSQL to a store: time for each job, and memory of each task.

The tasks are the operators of the DAG, each in a process of its own, two slices at a time; only Airflow's scheduler is
left out.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.benchmarks.jobs import WINDOW, account, airflow_environment, s3_connection
from tests.benchmarks.measuring import Measured, Work, measured
from tests.benchmarks.sink import sink
from tests.benchmarks.table import Table

from simulators.job_store import create, create_indexes, fill, small_jobs
from simulators.postgres import PostgresServer, local_postgres

DOCUMENT_BYTES = 1_000
SLICES_AT_A_TIME = 2
MOST_TIME_RATIO = 1.3
MOST_MEGABYTES = 400
DATABASE = "job_store"
STEPS = ("plan", "extract", "transform", "load", "report")


@dataclass(frozen=True)
class Size:
    """How many jobs an account has in the window, and into how large slices they are cut."""

    user_id: int
    jobs: int
    jobs_a_slice: int


@dataclass(frozen=True)
class Run:
    """What a run took: wall seconds in all, and each task's own figures, by step."""

    seconds: float
    tasks: dict[str, list[Measured]]

    @property
    def cpu_seconds(self) -> float:
        return sum(task.cpu_seconds for tasks in self.tasks.values() for task in tasks)

    def peak_bytes(self, step: str) -> int:
        return max(task.peak_bytes for task in self.tasks[step])


def tables(*, quick: bool) -> Iterator[Table]:
    """Measure the small size first and last, so that a drift of the machine is seen; the large one also as one slice."""
    small, large = (10_000, 50_000) if quick else (100_000, 1_000_000)
    few, many, whole = Size(1, small, small), Size(2, large, small), Size(2, large, large)
    with tempfile.TemporaryDirectory() as folder, local_postgres(Path(folder) / "postgres") as server:
        _fill(server, [few, many])
        runs = [(size, run_of(Path(folder), server, size)) for size in (few, many, whole, few)]
    yield Table(
        "One window from PostgreSQL to S3, documents of 1 kB, two slices at a time", [_times(*run) for run in runs]
    )
    yield Table("Peak memory of a task in those runs, MB", _peaks(runs))
    yield Table("What is promised", _promises(runs))


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
    context = {"params": {}, "dag_run": _dag_run(run_id), "ti": _NoTaskFailed()}
    with tempfile.TemporaryDirectory(dir=home) as own, sink(home, delay_ms=0, remember=True) as store:
        environment = {
            **airflow_environment(
                Path(own), job_store=server.airflow_connection(DATABASE), bench_s3=s3_connection(store)
            ),
            "AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS": json.dumps([account(size.user_id).model_dump(exclude_none=True)]),
            "AIRFLOW__JOB_HISTORY__MAX_JOBS_PER_SLICE": str(size.jobs_a_slice),
        }

        def task(prepare: Callable[..., Work], *arguments: Any) -> Measured:
            return measured(prepare, context, *arguments, environment=environment)

        def chain(a_slice: dict[str, Any]) -> list[Measured]:
            extract = task(extracting, a_slice)
            transform = task(transforming, a_slice, extract.result)
            return [extract, transform, task(loading, a_slice, extract.result, transform.result)]

        started = time.perf_counter()
        plan = task(planning)
        with ThreadPoolExecutor(SLICES_AT_A_TIME) as slices:
            chains = list(slices.map(chain, plan.result))
        report = task(reporting)
        seconds = time.perf_counter() - started
        assert report.result == {"windows": 1, "delivered": size.jobs, "already_present": 0}
        counts = store.counts()
        assert (counts["PUT"], counts["create_only"], counts["distinct_keys"]) == (size.jobs,) * 3
    return Run(seconds, dict(zip(STEPS, ([plan], *map(list, zip(*chains, strict=True)), [report]), strict=True)))


def _dag_run(run_id: str) -> SimpleNamespace:
    """As much of Airflow's as the operators look at."""
    return SimpleNamespace(
        dag_id="job_history_replication",
        run_id=run_id,
        data_interval_start=WINDOW.start,
        data_interval_end=WINDOW.end,
        run_after=datetime.fromisoformat("2018-05-21T01:10:00+00:00"),
    )


class _NoTaskFailed:
    """What the report asks its task instance: how the run's other tasks ended."""

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:  # noqa: ARG002
        return {run_id: {} for run_id in run_ids}


def planning(context: dict[str, Any]) -> Work:
    from job_history_airflow.operators import PlanOperator

    return lambda: PlanOperator(task_id="plan", destination="s3").execute(context)


def extracting(context: dict[str, Any], a_slice: dict[str, Any]) -> Work:
    from job_history_airflow.operators import ExtractJobsOperator

    return lambda: ExtractJobsOperator(task_id="extract", slice=a_slice).execute(context)


def transforming(context: dict[str, Any], a_slice: dict[str, Any], extracted: dict[str, Any]) -> Work:
    from job_history_airflow.operators import TransformJobsOperator

    return lambda: TransformJobsOperator(task_id="transform", slice=a_slice, extracted=extracted).execute(context)


def loading(
    context: dict[str, Any], a_slice: dict[str, Any], extracted: dict[str, Any], transformed: dict[str, Any]
) -> Work:
    from job_history_airflow.operators import JobHistoryToS3Operator

    return lambda: JobHistoryToS3Operator(
        task_id="load", slice=a_slice, extracted=extracted, transformed=transformed
    ).execute(context)


def reporting(context: dict[str, Any]) -> Work:
    from job_history_airflow.operators import ReportOperator

    return lambda: ReportOperator(task_id="report", destinations=["s3"]).execute(context)


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
    """Hold a job of the large window against one of the small, which may differ by the small one's two runs."""
    small = [run.seconds / size.jobs for size, run in (runs[0], runs[-1])]
    ratios = [run.seconds / size.jobs / (sum(small) / len(small)) for size, run in runs[1:-1]]
    peak = max(run.peak_bytes(step) for _, run in runs for step in STEPS) / 1e6
    return [
        _promise("time for a job, many against few, sliced", ratios[0], MOST_TIME_RATIO),
        _promise("time for a job, many against few, in one slice", ratios[1], MOST_TIME_RATIO),
        _promise("peak memory of any task, MB", peak, MOST_MEGABYTES),
    ]


def _promise(what: str, figure: float, at_most: float) -> dict[str, Any]:
    return {"what": what, "at most": at_most, "measured": figure, "kept": "yes" if figure <= at_most else "NO"}


def nothing() -> Work:
    return lambda: None
