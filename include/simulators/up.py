"""`python -m simulators.up`: a whole local Airflow with the project in it, until Ctrl-C.

Metadata and job store are in an embedded PostgreSQL, the buckets at a local S3 endpoint; all of it below .state/up.
"""

import json
import shutil
import signal
import sys
from datetime import UTC, datetime, timedelta

from rich.console import Console

from simulators.airflow_stack import AirflowStack, airflow_stack
from simulators.demo.accounts import BUCKETS, JOB_STORE, LOCAL_S3, LOCAL_SUMO_LOGIC, demo_accounts
from simulators.job_store import DEMO_ACCOUNTS, create, fill
from simulators.postgres import PostgresServer, local_postgres
from simulators.processes import free_port, listens_on
from simulators.project import DAGS, PLUGINS, STATE
from simulators.s3_endpoint import S3Endpoint, local_s3
from simulators.sumo_logic import SourceProcess, source_process

HOME = STATE / "up"
USUAL_PORT = 8080
DAG_ID = "job_history_replication"
console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run until Ctrl-C, and return the exit code."""
    # The buckets live in the endpoint's memory; what remembers having filled them must go with them.
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    with local_postgres(HOME / "postgres") as postgres, local_s3(HOME / "logs") as s3, source_process() as sumo_logic:
        for bucket in BUCKETS:
            s3.create_bucket(bucket)
        jobs = _fill_job_store(postgres)
        console.print(
            f"{jobs:,} jobs of the last day are in the job store. Airflow starts; that takes half a minute ..."
        )
        with airflow_stack(
            HOME / "airflow",
            dags_folder=DAGS,
            plugins_folder=PLUGINS,
            database_uri=postgres.create_database("airflow"),
            environment={},
            log_directory=HOME / "logs",
            port=free_port() if listens_on(USUAL_PORT) else USUAL_PORT,
        ) as stack:
            _set_up(stack, postgres, s3, sumo_logic.url)
            _wait_for_ctrl_c(stack, s3, sumo_logic)
    console.print("All of it has ended.")
    return 0


def _fill_job_store(postgres: PostgresServer) -> int:
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    postgres.create_database(JOB_STORE)
    with postgres.psycopg_connection(JOB_STORE) as connection:
        create(connection, "postgresql")
        return sum(
            fill(connection, "postgresql", account.jobs(1, this_hour - timedelta(days=1), this_hour))
            for account in DEMO_ACCOUNTS
        )


def _set_up(stack: AirflowStack, postgres: PostgresServer, s3: S3Endpoint, sumo_logic_url: str) -> None:
    """Write connections and accounts where a person would: they show in the UI, and can be changed there."""
    for conn_id, connection in (
        (JOB_STORE, json.loads(postgres.airflow_connection(JOB_STORE))),
        (LOCAL_S3, json.loads(s3.airflow_connection())),
        (LOCAL_SUMO_LOGIC, {"conn_type": "sumo_logic", "password": sumo_logic_url}),
    ):
        extra = json.dumps(connection.pop("extra", {}))
        stack.api.post("/connections", {"connection_id": conn_id, **connection, "extra": extra})
    accounts = json.dumps(demo_accounts(), indent=1)
    stack.api.post("/variables", {"key": "job_history_accounts", "value": accounts})
    stack.api.wait_for_dag(DAG_ID)
    stack.api.unpause(DAG_ID)


def _wait_for_ctrl_c(stack: AirflowStack, s3: S3Endpoint, sumo_logic: SourceProcess) -> None:
    console.print(f"\n[bold]Airflow   {stack.url}/dags/{DAG_ID}[/bold]   (no password)")
    console.print(f"S3        {s3.url}/moto-api/   buckets {', '.join(BUCKETS)}")
    console.print(f"Sumo Logic {sumo_logic.address}   what arrived at the local HTTP source")
    console.print(f"Receipts  {HOME / 'airflow' / 'job_history' / 'ledger' / 'receipts'}")
    console.print("\nThe last full hour is replicated now. For the hours before it, start a backfill: see README.md.")
    console.print("Ctrl-C ends all of it.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print("\nEnding ...")


if __name__ == "__main__":
    sys.exit(main())
