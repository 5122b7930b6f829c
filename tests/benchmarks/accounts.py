"""A run over very many accounts, few of which have jobs: its plan, its task instances, and its receipts.

Once all accounts in one run, once some accounts each in a run of its own: those with jobs, and as many without. The
receipts must be the same.
"""

from __future__ import annotations

import json
import runpy
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.jobs import WINDOW, account
from tests.benchmarks.measuring import Measured, Work, measured
from tests.benchmarks.sink import sink
from tests.benchmarks.table import Table, promise
from tests.benchmarks.tasks import (
    DATABASE,
    context_of,
    convoying,
    environment_of,
    planning,
    reporting,
)
from tests.benchmarks.tasks import closing as closing_windows

from job_history.ledger.item import Item
from job_history.ledger.items import items_at
from job_history.ledger.receipt_store import receipt_files
from job_history.storage import local_storage
from simulators.job_store import create, create_indexes, fill, small_jobs
from simulators.postgres import PostgresServer, local_postgres
from simulators.project import DAGS

FIRST_USER_ID = 10_000
JOBS_EACH = 20
MAX_TASK_INSTANCES = 30
MAX_PLAN_SECONDS = 10
# Fields that depend on the time and the run, not on the jobs.
OF_THE_RUN = {"runs", "read_at", "seconds", "items"}
# Each run has a store of its own, on another port.
OF_THE_STORE = {"host"}


class Run(NamedTuple):
    """What a run wrote: each account's receipt and items, by user_id."""

    convoys: int
    receipts: dict[int, dict[str, Any]]
    items: dict[int, list[Item]]


def tables(*, quick: bool) -> Iterator[Table]:
    """Compare the run of all accounts with runs of one."""
    accounts, with_jobs = (100, 5) if quick else (1_000, 50)
    user_ids = range(FIRST_USER_ID, FIRST_USER_ID + accounts)
    one_by_one = user_ids[:: accounts // with_jobs // 2]
    with tempfile.TemporaryDirectory() as folder, local_postgres(Path(folder) / "postgres") as server:
        _fill(server, list(user_ids)[:: accounts // with_jobs])
        (first, later), together, at_once = _run(Path(folder) / "together", server, user_ids, [[]])
        _, alone, in_turn = _run(Path(folder) / "alone", server, user_ids, [[user_id] for user_id in one_by_one])
    instances = _task_instances(together.convoys)
    yield Table(
        f"A run over {accounts:,} accounts, of which {with_jobs} have jobs",
        [
            {
                "runs": runs,
                "convoys": run.convoys,
                "task instances": count,
                "first plan s": plans[0],
                "later plan s": plans[1],
                "wall s": taken.seconds,
                "CPU s": taken.cpu_seconds,
                "peak MB": taken.peak_bytes / 1e6,
            }
            for runs, run, count, plans, taken in (
                ("all accounts in one", together, instances, (first.seconds, later.seconds), at_once),
                (
                    f"{len(one_by_one)} of them, each in one of its own",
                    alone,
                    len(one_by_one) * _task_instances(1),
                    ("-", "-"),
                    in_turn,
                ),
            )
        ],
    )
    differing = [user_id for user_id in one_by_one if not _same(together, alone, user_id)]
    yield Table(
        "Promises for many accounts",
        [
            promise("task instances", instances, at_most=MAX_TASK_INSTANCES),
            promise(
                f"seconds of the first plan, which checks {with_jobs} destinations",
                first.seconds,
                at_most=MAX_PLAN_SECONDS,
            ),
            promise("seconds of a later plan", later.seconds, at_most=MAX_PLAN_SECONDS),
            promise("accounts whose receipts differ from those one by one", len(differing), at_most=0),
            promise("receipts", len(together.receipts), at_least=accounts),
        ],
    )


def _fill(server: PostgresServer, user_ids: list[int]) -> None:
    server.create_database(DATABASE)
    with closing(server.psycopg_connection(DATABASE)) as connection:
        create(connection, "postgresql", indexes=False)
        window = {"start": WINDOW.start, "end": WINDOW.end}
        jobs = (small_jobs(JOBS_EACH, user_id=user_id, first_job_id=user_id * 1_000, **window) for user_id in user_ids)
        fill(connection, "postgresql", chain.from_iterable(jobs))
        create_indexes(connection)
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")


def _run(
    home: Path, server: PostgresServer, user_ids: range, chosen: list[list[int]]
) -> tuple[list[Measured], Run, Measured]:
    """Time two plans of all accounts (the first also checks destinations); then do whole runs, each of the chosen
    accounts.

    An empty choice means all accounts. Everything runs in one process.
    """
    home.mkdir()
    with sink(home, delay_ms=0, remember=True) as store:
        accounts = [account(user_id) for user_id in user_ids]
        environment = environment_of(home, server, store, accounts, jobs_a_slice=100_000)
        plans = [measured(planning, context_of(run), environment=environment) for run in ("first-plan", "later-plan")]
        taken = measured(running, chosen, environment=environment)
    ledger = local_storage(home / "ledger")
    receipts = {
        receipt["user_id"]: receipt
        for files in receipt_files(ledger.paths("receipts")).values()
        for receipt in [json.loads(ledger.read(files.paths[0]) or b"")]
    }
    items = {
        user_id: sorted(item for path in receipt["items"] for item in items_at(ledger, path))
        for user_id, receipt in receipts.items()
        if receipt["items"]
    }
    return plans, Run(taken.result, receipts, items), taken


def running(chosen: list[list[int]]) -> Work:
    """Do all tasks of each run, one after the other; return the number of convoys."""

    def work() -> int:
        convoys = 0
        for accounts in chosen:
            context = context_of(f"run-{time.monotonic_ns()}", accounts=accounts)
            made = planning(context)()
            for step in ("extract", "transform", "load"):
                for convoy in made:
                    convoying(context, step, convoy)()
            if left := closing_windows(context)():
                raise AssertionError(f"{len(left)} slices are left to tasks of their own")
            convoys += len(made)
            reporting(context)()
        return convoys

    return work


def _task_instances(convoys: int) -> int:
    """Count the task instances of a run of the DAG; a mapped task with nothing to map is one skipped instance."""
    dag = runpy.run_path(str(DAGS / "job_history_replication.py"))["dag"]
    shared = [task for task in dag.tasks if task.task_id.startswith("shared.")]
    return len(dag.tasks) + len(shared) * (max(convoys, 1) - 1)


def _same(together: Run, alone: Run, user_id: int) -> bool:
    reported = [
        {
            **{name: value for name, value in run.receipts[user_id].items() if name not in OF_THE_RUN},
            "destination": {
                name: value for name, value in run.receipts[user_id]["destination"].items() if name not in OF_THE_STORE
            },
        }
        for run in (together, alone)
    ]
    return reported[0] == reported[1] and together.items.get(user_id) == alone.items.get(user_id)
