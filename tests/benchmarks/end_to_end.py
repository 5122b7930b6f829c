"""From PostgreSQL to a store with an answer time of 30 ms: our three tasks, a typical task, and programs of others."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks import peers
from tests.benchmarks.jobs import ACCESS_KEY, BUCKET, SECRET_KEY, WINDOW, account, whole_window
from tests.benchmarks.measuring import Measured, Work, measured, measured_command
from tests.benchmarks.sink import Sink, sink
from tests.benchmarks.table import Table, promise
from tests.benchmarks.tasks import DATABASE, context_of, environment_of, extracting, loading, transforming

from simulators.job_store import create, create_indexes, fill, small_jobs
from simulators.postgres import PostgresServer, local_postgres

USER_ID = 5234
DOCUMENT_BYTES = 4_000
DELAY_MS = 30
THREADS = 64
PROMISED_MULTIPLE = 10


class Setting(NamedTuple):
    """The database of the jobs, the store, and a working folder."""

    home: Path
    server: PostgresServer
    store: Sink

    def query(self, jobs: int) -> str:
        """The query for the jobs with their lines."""
        return peers.QUERY.format(
            user_id=USER_ID, start=WINDOW.start.isoformat(), end=WINDOW.end.isoformat(), limit=jobs
        )

    def environment(self) -> dict[str, str]:
        return environment_of(self.home, self.server, self.store, [account(USER_ID)], jobs_a_slice=10_000_000)


class Way(NamedTuple):
    """A way to do it, and its number of jobs; `differs`: how its layout and its work differ from ours."""

    name: str
    run: Callable[[Setting, int], Measured]
    jobs: int
    differs: str


def tables(*, quick: bool) -> Iterator[Table]:
    """Run each way on as many jobs as it does in half a minute; one that cannot run here gives a row without
    figures.
    """
    jobs = 10_000 if quick else 100_000
    sample = 3 if quick else 1
    ours = Way("job_history: extract, transform, load", run_ours, jobs, "-")
    ways = [
        ours,
        Way(
            f"an Airflow task: get_records, json.dumps, load_string in {THREADS} threads",
            run_plain_task,
            3_000 // sample,
            "all rows in memory; a repeat overwrites; no receipt, nothing quarantined, numbers of JSON columns "
            "re-written",
        ),
        Way(
            "Singer: target-s3-jsonl, file_size 1",
            run_peer(peers.singer),
            1_500 // sample,
            "keys counted up, no dates or ids in them; each record first a file on disk; a repeat overwrites",
        ),
        Way(
            "sling: file_max_rows 1",
            run_peer(peers.sling),
            800 // sample,
            "keys counted up; JSON columns as text inside the JSON; one upload at a time",
        ),
        Way(
            "dlt: filesystem, file_max_items 1",
            run_peer(peers.dlt),
            600 // sample,
            "keys of load id and a hash; its own files and columns beside; names and types normalised; a HEAD for "
            "each PUT",
        ),
        ours._replace(name="job_history, once more"),
    ]
    with tempfile.TemporaryDirectory() as folder, local_postgres(Path(folder) / "postgres") as server:
        _fill(server, jobs)
        rows = [_row(way, Path(folder), server) for way in ways]
    own_rate = rows[0]["jobs/s"]
    for row in rows:
        row["ours is x"] = own_rate / row["jobs/s"] if row["jobs/s"] else "-"
    yield Table(
        f"End to end: jobs of 4 kB in PostgreSQL to a store that answers in {DELAY_MS} ms, one object each", rows
    )
    yield Table("What the others do otherwise", [{"way": way.name, "differs": way.differs} for way in ways[1:-1]])
    yield Table("Promises, end to end", _promises(rows))


def _promises(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first, plain, *others, last = rows
    ours = (first["jobs/s"] + last["jobs/s"]) / 2
    best = max(others, key=lambda row: row["jobs/s"])
    return [
        promise(f"ours, as a multiple of {row['way']}", ours / (row["jobs/s"] or inf), at_least=PROMISED_MULTIPLE)
        for row in (plain, best)
    ]


class CannotRunHereError(RuntimeError):
    """A peer could not be installed, or failed."""


def _fill(server: PostgresServer, jobs: int) -> None:
    server.create_database(DATABASE)
    with closing(server.psycopg_connection(DATABASE)) as connection:
        create(connection, "postgresql", indexes=False)
        window = {"start": WINDOW.start, "end": WINDOW.end}
        fill(connection, "postgresql", small_jobs(jobs, user_id=USER_ID, document_bytes=DOCUMENT_BYTES, **window))
        create_indexes(connection)
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


def _row(way: Way, folder: Path, server: PostgresServer) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(dir=folder) as home,
        sink(folder, delay_ms=DELAY_MS, remember=True) as store,
    ):
        try:
            taken = way.run(Setting(Path(home), server, store), way.jobs)
        except CannotRunHereError as why:
            print(f"{way.name}: {why}", file=sys.stderr)
            return {"way": f"{way.name} (could not run)", "jobs": 0, "jobs/s": 0.0, "CPU s/1,000": 0.0, "peak MB": 0.0}
        put = store.counts()["distinct_keys"]
    # dlt also puts files of its own, and puts one job before the time is taken.
    assert way.jobs <= put <= way.jobs + 20, f"{way.name}: {put} objects for {way.jobs} jobs"
    return {
        "way": way.name,
        "jobs": way.jobs,
        "jobs/s": way.jobs / taken.seconds,
        "CPU s/1,000": taken.cpu_seconds / way.jobs * 1_000,
        "peak MB": taken.peak_bytes / 1e6,
    }


def run_ours(setting: Setting, jobs: int) -> Measured:
    return measured(replicating, jobs, environment=setting.environment())


def replicating(jobs: int) -> Work:
    """The three tasks, one after the other in one process."""
    run = f"end-to-end-{time.monotonic_ns()}"
    context, a_slice = context_of(run), whole_window(USER_ID, run).as_dict()
    steps: list[Any] = [a_slice]
    prepare = (extracting, transforming, loading)
    prepare[0](context, a_slice)  # the import of the operators is left out, as that of the plain task's hooks is

    def work() -> None:
        for step in prepare:
            steps.append(step(context, *steps)())
        assert steps[-1] == {"delivered": jobs, "already_present": 0}

    return work


def run_plain_task(setting: Setting, jobs: int) -> Measured:
    return measured(plain_task, setting.query(jobs), environment=setting.environment())


def plain_task(query: str) -> Work:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from botocore.config import Config

    def work() -> None:
        s3 = S3Hook("bench_s3", config=Config(max_pool_connections=THREADS))
        records = PostgresHook("job_store").get_records(query)

        def put(record: tuple[Any, ...]) -> None:
            job_id, recipe_id, *_ = record
            s3.load_string(
                json.dumps(dict(zip(PLAIN_FIELDS, record, strict=True)), default=str),
                key=f"{USER_ID}/jobs/{recipe_id}/{job_id}.json",
                bucket_name=BUCKET,
                replace=True,
            )

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(put, records))

    return work


PLAIN_FIELDS = (
    "id",
    "flow_id",
    "parent_id",
    "calling_job_id",
    "status",
    "started_at",
    "completed_at",
    "error_type",
    "error",
    "title",
    "is_poll_error",
    "report",
    "lines",
)


def run_peer(command_for: Callable[[peers.Job], peers.Command]) -> Callable[[Setting, int], Measured]:
    """Run a peer's command; subtract the time for a single job, which is its start-up."""

    def run(setting: Setting, jobs: int) -> Measured:
        try:
            start, whole = (_run_command(command_for, setting, number) for number in (1, jobs))
        except (FileNotFoundError, RuntimeError) as why:
            # No network, or another platform: the other rows are still useful.
            raise CannotRunHereError(str(why)) from why
        return whole._replace(seconds=whole.seconds - start.seconds, cpu_seconds=whole.cpu_seconds - start.cpu_seconds)

    return run


def _run_command(command_for: Callable[[peers.Job], peers.Command], setting: Setting, jobs: int) -> Measured:
    with tempfile.TemporaryDirectory(dir=setting.home) as folder:
        command = command_for(
            peers.Job(
                database_uri=setting.server.database_uri(DATABASE),
                query=setting.query(jobs),
                store_url=setting.store.url,
                bucket=BUCKET,
                access_key=ACCESS_KEY,
                secret_key=SECRET_KEY,
                folder=Path(folder),
            )
        )
        return measured_command(command.words, folder=Path(folder), environment=command.environment)
