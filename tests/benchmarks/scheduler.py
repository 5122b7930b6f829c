"""An hourly run over very many accounts under a real scheduler: task instances, and the time from its start to its end.

LocalExecutor with two tasks at a time; ledger and staging are folders, the bucket answers at once.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.accounts import BUSY, FIRST_USER_ID, MAX_TASK_INSTANCES
from tests.benchmarks.jobs import WINDOW, account, s3_connection
from tests.benchmarks.many_accounts import fill_job_store
from tests.benchmarks.sink import sink
from tests.benchmarks.table import Table, promise
from tests.benchmarks.tasks import DATABASE

from job_history_airflow.dag_ids import REPLICATION_DAG
from simulators.airflow_stack import airflow_stack
from simulators.postgres import local_postgres
from simulators.project import DAGS, PLUGINS

PAGE = 100
MAX_MINUTES = 30


def tables(*, quick: bool) -> Iterator[Table]:
    accounts = 100 if quick else 1_000
    user_ids = range(FIRST_USER_ID, FIRST_USER_ID + accounts)
    with tempfile.TemporaryDirectory() as folder:
        states, seconds = _run(Path(folder), user_ids)
    instances = states.total()
    yield Table(
        f"An hourly run of {accounts:,} accounts under a scheduler; {accounts // BUSY} have jobs",
        [
            {
                "accounts": accounts,
                "task instances": instances,
                **{f"of which {state}": number for state, number in sorted(states.items())},
                "wall s": seconds,
            }
        ],
    )
    yield Table(
        "Promises under a scheduler",
        [
            promise("task instances", instances, at_most=MAX_TASK_INSTANCES),
            promise("tasks that failed", instances - states["success"] - states["skipped"], at_most=0),
        ],
    )


def _run(home: Path, user_ids: range) -> tuple[Counter[str], float]:
    """Do one run by hand. Returns its task instances by state, and its seconds."""
    with (
        local_postgres(home / "postgres") as server,
        sink(home, delay_ms=0, remember=True) as store,
    ):
        fill_job_store(server, user_ids[::BUSY])
        with airflow_stack(
            home / "airflow",
            dags_folder=DAGS,
            plugins_folder=PLUGINS,
            database_uri=server.create_database("airflow"),
            environment={"AIRFLOW__CORE__PARALLELISM": "2"},
            log_directory=home / "logs",
        ) as stack:
            api = stack.api
            for conn_id, connection in (
                ("job_store", json.loads(server.airflow_connection(DATABASE))),
                ("bench_s3", json.loads(s3_connection(store))),
            ):
                extra = json.dumps(connection.pop("extra", {}))
                api.post("/connections", {"connection_id": conn_id, **connection, "extra": extra})
            settings = [account(user_id).model_dump(exclude_none=True) for user_id in user_ids]
            api.post("/variables", {"key": "job_history_accounts", "value": json.dumps(settings)})
            api.wait_for_dag(REPLICATION_DAG)
            api.unpause(REPLICATION_DAG)
            asked = {"window_start": WINDOW.start_text, "window_end": WINDOW.end_text}
            run = api.trigger(REPLICATION_DAG, conf=asked)
            ended = api.wait_run(REPLICATION_DAG, run.dag_run_id, timeout=MAX_MINUTES * 60)
            path = f"/dags/{REPLICATION_DAG}/dagRuns/{run.dag_run_id}"
            if ended.state != "success":
                raise AssertionError(f"the run ended as {ended.state}")
            return _states(api, path), _seconds(api.get(path))


def _states(api: Any, path: str) -> Counter[str]:
    states: Counter[str] = Counter()
    while True:
        page = api.get(f"{path}/taskInstances?limit={PAGE}&offset={states.total()}")
        states.update(str(each["state"]) for each in page["task_instances"])
        if states.total() >= page["total_entries"]:
            return states


def _seconds(run: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(run[name]) for name in ("start_date", "end_date"))
    return (ended - began).total_seconds()
