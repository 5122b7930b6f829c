"""`python -m simulators.up`: a whole local Airflow with the project in it, until Ctrl-C.

Metadata and job store are in an embedded PostgreSQL; S3, Sumo Logic and the Workato API are local stand-ins. All of it
is below .state/up.
"""

import json
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from job_history.model.window import Window, last_full_hour
from job_history_airflow.dag_ids import REPLICATION_DAG
from simulators.airflow_stack import AirflowStack, airflow_stack
from simulators.demo.accounts import (
    BUCKETS,
    JOB_STORE,
    LOCAL_S3,
    LOCAL_SUMO_LOGIC,
    LOCAL_WORKATO,
    UNLIMITED_REQUESTS_A_MINUTE,
    WORKATO_USER_ID,
    demo_accounts,
    workato_connection,
)
from simulators.end_signals import in_order_at_end_signals
from simulators.job_store import DEMO_ACCOUNTS, broken_jobs, create, fill, fill_events, plain_job
from simulators.one_at_a_time import AlreadyRunningError, one_at_a_time
from simulators.past_hours import replicate_past_hours
from simulators.postgres import PostgresServer, local_postgres
from simulators.processes import free_port, listens_on
from simulators.project import DAGS, PLUGINS, STATE
from simulators.s3_endpoint import S3Endpoint, local_s3
from simulators.sumo_logic import SourceProcess, source_process
from simulators.workato import WorkatoProcess, workato_process

HOME = STATE / "up"
BACKFILL_POOL = "job_history_backfills"
USUAL_PORT = 8080
SAMPLE_HOURS = 22
PAUSED_USER_ID = 5239
HOUR = timedelta(hours=1)
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Parts:
    """What stands in for the outside world, all of it running."""

    postgres: PostgresServer
    s3: S3Endpoint
    sumo_logic: SourceProcess
    workato: WorkatoProcess

    def connections(self) -> dict[str, dict[str, Any]]:
        """The Airflow connections to the parts, by id. Holds their secrets."""
        return {
            JOB_STORE: json.loads(self.postgres.airflow_connection(JOB_STORE)),
            LOCAL_WORKATO: workato_connection(self.workato.url, self.workato.tokens[WORKATO_USER_ID]),
            LOCAL_S3: json.loads(self.s3.airflow_connection()),
            LOCAL_SUMO_LOGIC: {"conn_type": "sumo_logic", "password": self.sumo_logic.url},
        }


def main() -> int:
    """Run until Ctrl-C or SIGTERM; return the exit code."""
    try:
        with in_order_at_end_signals(), one_at_a_time(HOME, "make up"):
            _run()
    except AlreadyRunningError as refused:
        print(refused, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        console.print("All of it has ended.")
    return 0


def _run() -> None:
    # The buckets live in the endpoint's memory; what remembers having filled them must go with them.
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    with _running_parts() as parts:
        console.print("Airflow starts; that takes half a minute ...")
        with airflow_stack(
            HOME / "airflow",
            dags_folder=DAGS,
            plugins_folder=PLUGINS,
            database_uri=parts.postgres.create_database("airflow"),
            # The sample jobs are all there: no need to wait for late ones.
            environment={
                "AIRFLOW__JOB_HISTORY__SETTLE_MINUTES": "0",
                "AIRFLOW__JOB_HISTORY__BACKFILL_POOL": BACKFILL_POOL,
            },
            log_directory=HOME / "logs",
            port=free_port() if listens_on(USUAL_PORT) else USUAL_PORT,
        ) as stack:
            _set_up(stack, parts)
            _wait_for_ctrl_c(stack, parts)


@contextmanager
def _running_parts() -> Iterator[Parts]:
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(days=1)
    with (
        local_postgres(HOME / "postgres") as postgres,
        local_s3(HOME / "logs") as s3,
        source_process() as sumo_logic,
    ):
        for bucket in BUCKETS:
            s3.create_bucket(bucket)
        jobs = _fill_job_store(postgres, start, end)
        console.print(f"{jobs:,} jobs of the last day are in the job store.")
        store = _workato_store(start, end)
        with workato_process(store, direct_limit=UNLIMITED_REQUESTS_A_MINUTE) as workato:
            yield Parts(postgres, s3, sumo_logic, workato)


def _fill_job_store(postgres: PostgresServer, start: datetime, end: datetime) -> int:
    postgres.create_database(JOB_STORE)
    with postgres.psycopg_connection(JOB_STORE) as connection:
        create(connection, "postgresql")
        fill(connection, "postgresql", broken_jobs("id_with_slash", 5238, end - 3 * HOUR))
        for account in DEMO_ACCOUNTS:
            fill_events(connection, "postgresql", account.events(1, start, end))
        return sum(fill(connection, "postgresql", account.jobs(1, start, end)) for account in DEMO_ACCOUNTS)


def _workato_store(start: datetime, end: datetime) -> Path:
    path = HOME / "workato.db"
    (account,) = (account for account in DEMO_ACCOUNTS if account.user_id == WORKATO_USER_ID)
    with closing(sqlite3.connect(path)) as connection:
        create(connection, "sqlite")
        fill(connection, "sqlite", account.jobs(1, start, end))
    return path


def _set_up(stack: AirflowStack, parts: Parts) -> None:
    """Write connections and accounts where a person would: they show in the UI, and can be changed there."""
    for conn_id, connection in parts.connections().items():
        extra = json.dumps(connection.pop("extra", {}))
        stack.api.post("/connections", {"connection_id": conn_id, **connection, "extra": extra})
    stack.api.post("/pools", {"name": BACKFILL_POOL, "slots": 4, "description": "Backfills of the job history"})
    stack.api.post("/variables", {"key": "job_history_accounts", "value": json.dumps(_accounts(), indent=1)})
    stack.api.wait_for_dag(REPLICATION_DAG)
    stack.api.unpause(REPLICATION_DAG)


def _accounts() -> list[dict[str, Any]]:
    paused = {**demo_accounts()[0], "user_id": PAUSED_USER_ID, "name": "Vandelay", "enabled": False}
    return [*demo_accounts(), paused]


def _show_every_state(stack: AirflowStack, parts: Parts) -> None:
    """Give the status page something of all that may happen; by the DAG's own operators, on the hours before the
    last.
    """
    last = last_full_hour(datetime.now(UTC))
    two, three, *earlier = [
        Window(last.start - ago * HOUR, last.end - ago * HOUR) for ago in range(1, SAMPLE_HOURS + 1)
    ]
    environment = stack.environment
    replicate_past_hours(environment, [two])
    # Jobs that the source shows only after their hour was replicated.
    with parts.postgres.psycopg_connection(JOB_STORE) as connection:
        fill(connection, "postgresql", [plain_job(5236, two.start, 900_100 + number) for number in range(3)])
    replicate_past_hours(environment, [two], [5236])
    # A bucket that was mistyped, and corrected since; and jobs whose data the platform erased before they were read.
    mistyped = [
        {**account, "destination": {**account["destination"], "bucket": "shared-audlt"}}
        for account in demo_accounts()
        if account["user_id"] == 5236
    ]
    replicate_past_hours(environment, [three], [5236], AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS=json.dumps(mistyped))
    parts.workato.change(sweep_days=0)
    try:
        replicate_past_hours(environment, [three], [WORKATO_USER_ID])
    finally:
        parts.workato.change(sweep_days=None)
    replicate_past_hours(environment, [three], [5234, 5238, PAUSED_USER_ID])
    replicate_past_hours(environment, earlier)


def _wait_for_ctrl_c(stack: AirflowStack, parts: Parts) -> None:
    console.print(f"\n[bold]Airflow      {stack.url}/dags/{REPLICATION_DAG}[/bold]   (no password)")
    console.print(f"S3           {parts.s3.url}/moto-api/   buckets {', '.join(BUCKETS)}")
    console.print(f"Sumo Logic   {parts.sumo_logic.address}/   what arrived at the local HTTP source")
    console.print(f"Workato API  {parts.workato.url}/api   the jobs of Globex come through it")
    console.print(f"Receipts     {HOME / 'airflow' / 'job_history' / 'ledger' / 'receipts'}")
    console.print(f"Status page  {stack.url}/plugin/job-history-status   set-up {stack.url}/plugin/job-history-setup")
    console.print("\nThe last full hour is replicated now. For the hours before it, start a backfill: see README.md.")
    console.print("Ctrl-C ends all of it.")
    try:
        _show_every_state(stack, parts)
        console.print(f"\nThe status page has {SAMPLE_HOURS} more hours now, with an example of each state.")
        signal.pause()
    except KeyboardInterrupt:
        console.print("\nEnding ...")
        raise


if __name__ == "__main__":
    sys.exit(main())
