"""Ledger, staging and destination in buckets, jobs in PostgreSQL, and an Airflow with the executor of the test."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.oracle import expected_documents

from simulators.airflow_stack import AirflowStack, airflow_stack
from simulators.job_store import SampleJob, create, fill, plain_job
from simulators.postgres import PostgresServer, local_postgres
from simulators.project import DAGS, PLUGINS, ROOT
from simulators.s3_endpoint import S3Endpoint, local_s3

DAG_ID = "job_history_replication"
CONTROL, AUDIT = "control", "audit"
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Parts:
    """What the processes of an Airflow share: databases and buckets, and no folder."""

    folder: Path
    postgres: PostgresServer
    s3: S3Endpoint

    @contextmanager
    def airflow(self, environment: Mapping[str, str]) -> Iterator[AirflowStack]:
        keys = {
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        }
        ours = {
            "AIRFLOW__JOB_HISTORY__SETTLE_MINUTES": "0",
            "AIRFLOW__JOB_HISTORY__LEDGER_PATH": f"s3://local_s3@{CONTROL}/ledger",
            "AIRFLOW__JOB_HISTORY__STAGING_PATH": f"s3://local_s3@{CONTROL}/staging",
            "AIRFLOW_CONN_JOB_STORE": self.postgres.airflow_connection("job_store"),
            "AIRFLOW_CONN_LOCAL_S3": self.s3.airflow_connection(),
            # The tasks of a worker that is no more are found soon.
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
            "PYTHONPATH": str(ROOT),
        }
        with airflow_stack(
            self.folder / "airflow",
            dags_folder=DAGS,
            plugins_folder=PLUGINS,
            database_uri=self.postgres.create_database("airflow"),
            environment=keys | ours | environment,
            log_directory=self.folder / "logs",
        ) as stack:
            stack.api.wait_for_dag(DAG_ID)
            yield stack

    def add_jobs(self, jobs: Iterable[SampleJob]) -> None:
        with self.postgres.psycopg_connection("job_store") as connection:
            fill(connection, "postgresql", jobs)

    def objects(self, bucket: str, below: str = "") -> dict[str, bytes]:
        client = self.s3.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=below)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def count_objects(self, bucket: str, below: str) -> int:
        pages = self.s3.client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=below)
        return sum(page["KeyCount"] for page in pages)

    def assert_each_document_once(self, jobs: list[SampleJob]) -> None:
        """The destination has what the source has, byte for byte, in one version each."""
        expected = expected_documents(jobs)
        found = {key: body for key, body in self.objects(AUDIT).items() if "_control/" not in key}
        assert found == expected
        pages = self.s3.client().get_paginator("list_object_versions").paginate(Bucket=AUDIT)
        versions = Counter(version["Key"] for page in pages for version in page["Versions"])
        assert {key: versions[key] for key in expected} == dict.fromkeys(expected, 1)


def account(user_id: int) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": f"Account {user_id}",
        "source": {"type": "sql", "conn_id": "job_store"},
        "destination": {"type": "s3", "conn_id": "local_s3", "bucket": AUDIT},
        "events": {"job_history": True, "line_details": True},
    }


def start_first_run(stack: AirflowStack, user_ids: Iterable[int]) -> str:
    """Have Airflow schedule the DAG's first run, for the hour that just ended. Returns the run's id."""
    value = json.dumps([account(user_id) for user_id in user_ids])
    stack.api.post("/variables", {"key": "job_history_accounts", "value": value})
    stack.api.unpause(DAG_ID)
    wait_until(lambda: bool(stack.api.runs(DAG_ID)), seconds=120, what="the first run")
    return stack.api.runs(DAG_ID)[-1].dag_run_id


def hour_of(stack: AirflowStack, run: str) -> datetime:
    start = stack.api.run(DAG_ID, run).data_interval_start
    assert start is not None
    return start


def jobs_by_hour(user_id: int, count: int) -> dict[datetime, list[SampleJob]]:
    """Return jobs of the hour that just ended, and of this one, because the test may run across a full hour."""
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return {
        hour: [plain_job(user_id, hour, first + number) for number in range(count)]
        for hour, first in ((this_hour - HOUR, 1), (this_hour, 1_000_001))
    }


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not after {seconds} s"
        time.sleep(0.1)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with local_postgres(tmp_path / "pg") as postgres, local_s3(tmp_path / "logs") as s3:
        s3.create_bucket(CONTROL, versioned=False)
        s3.create_bucket(AUDIT)
        postgres.create_database("job_store")
        with postgres.psycopg_connection("job_store") as connection:
            create(connection, "postgresql")
        yield Parts(tmp_path, postgres, s3)
