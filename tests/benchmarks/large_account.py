"""One account with very many jobs beside fifty with few: how long the small ones wait for their receipts.

The tasks are the operators of the DAG, from the plan to `close`, which writes the receipts of the small accounts; each
in a process of its own. The same hour is run without the large account and with it, in turn.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.jobs import WINDOW, account
from tests.benchmarks.measuring import measured
from tests.benchmarks.sink import sink
from tests.benchmarks.table import Table, promise
from tests.benchmarks.tasks import DATABASE, context_of, convoying, environment_of, planning
from tests.benchmarks.tasks import closing as closing_windows

from job_history.ledger.receipt_files import receipt_files
from job_history.storage import local_storage
from simulators.job_store import create, create_indexes, fill, small_jobs
from simulators.postgres import PostgresServer, local_postgres

SMALL = range(1, 51)
LARGE = 100
JOBS_EACH = 20
TIMES = 3
MAX_RATIO = 1.5


def tables(*, quick: bool) -> Iterator[Table]:
    jobs = 60_000 if quick else 100_000
    with tempfile.TemporaryDirectory() as folder, local_postgres(Path(folder) / "postgres") as server:
        _fill(server, jobs)
        taken = [
            {name: _seconds(Path(folder), server, user_ids) for name, user_ids in _RUNS.items()} for _ in range(TIMES)
        ]
    seconds = {name: median(each[name] for each in taken) for name in _RUNS}
    yield Table(
        f"{len(SMALL)} accounts of {JOBS_EACH} jobs, beside one of {jobs:,}",
        [
            {"run": name, "seconds until the small accounts have their receipts": of_run}
            for name, of_run in seconds.items()
        ],
    )
    yield Table(
        "Promises beside a large account",
        [
            promise(
                "time until the small accounts have their receipts, as a multiple of that without the large one",
                seconds["with the large account"] / seconds["without it"],
                at_most=MAX_RATIO,
            )
        ],
    )


_RUNS: dict[str, list[int]] = {"without it": [*SMALL], "with the large account": [LARGE, *SMALL]}


def _fill(server: PostgresServer, jobs: int) -> None:
    server.create_database(DATABASE)
    window: dict[str, Any] = {"start": WINDOW.start, "end": WINDOW.end}
    with closing(server.psycopg_connection(DATABASE)) as connection:
        create(connection, "postgresql", indexes=False)
        small = (small_jobs(JOBS_EACH, user_id=each, first_job_id=each * 1_000, **window) for each in SMALL)
        fill(connection, "postgresql", chain.from_iterable([*small, small_jobs(jobs, user_id=LARGE, **window)]))
        create_indexes(connection)
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


def _seconds(folder: Path, server: PostgresServer, user_ids: list[int]) -> float:
    """Run the hour until `close`; return the seconds of all tasks, after checking what it closed and what it left."""
    run = f"run-{time.monotonic_ns()}"
    home = folder / run
    home.mkdir()
    with sink(home, delay_ms=0, remember=True) as store:
        environment = environment_of(home, server, store, [account(each) for each in user_ids], jobs_a_slice=100_000)
        context = context_of(run)
        plan = measured(planning, context, environment=environment)
        steps = [
            measured(convoying, context, step, convoy, environment=environment)
            for step in ("extract", "transform", "load")
            for convoy in plan.result
        ]
        close = measured(closing_windows, context, environment=environment)
    ledger = local_storage(home / "ledger")
    receipts = [
        json.loads(ledger.read(files.paths[0]) or b"") for files in receipt_files(ledger.paths("receipts")).values()
    ]
    assert {(each["user_id"], each["state"]) for each in receipts} == {(each, "complete") for each in SMALL}
    assert [each["user_id"] for each in close.result] == [each for each in user_ids if each == LARGE]
    return sum(task.seconds for task in (plan, *steps, close))
