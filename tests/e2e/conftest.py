"""One running Airflow for the end-to-end tests of the project: scheduler, PostgreSQL, local buckets, sample jobs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.sinks import UdpSink, http_sink, udp_sink

from simulators.airflow_stack import AirflowStack, airflow_stack
from simulators.airflow_stack.leftovers import members_of_sessions
from simulators.job_store import DEMO_ACCOUNTS, create, fill
from simulators.postgres import PostgresServer, local_postgres
from simulators.project import DAGS, PLUGINS, ROOT
from simulators.s3_endpoint import S3Endpoint, local_s3

DAG_ID = "job_history_replication"
BUCKET = "e2e-audit"
BACKFILL_POOL = "backfills"
PAST_DAY = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Installation:
    """The running project, and how a test looks at what it did."""

    stack: AirflowStack
    s3: S3Endpoint
    postgres: PostgresServer
    posts: list[Any]
    """What was notified so far."""
    metrics: UdpSink

    @property
    def ledger(self) -> Path:
        return self.stack.home / "job_history" / "ledger"

    def set_accounts(self, accounts: list[dict[str, Any]]) -> None:
        # A list that lost half of itself would fail the run, as it should.
        shutil.rmtree(self.ledger / "_control" / "accounts", ignore_errors=True)
        self.stack.api.patch(
            "/variables/job_history_accounts", {"key": "job_history_accounts", "value": json.dumps(accounts)}
        )

    def receipts(self, user_id: int) -> dict[str, dict[str, Any]]:
        """The account's receipts by the start of their windows."""
        folder = self.ledger / "receipts" / str(user_id)
        found = [json.loads(path.read_bytes()) for path in sorted(folder.rglob("r[0-9]*.json"))]
        return {receipt["window"]["start"]: receipt for receipt in found}

    def objects(self, below: str) -> dict[str, bytes]:
        client = self.s3.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=below)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.postgres.psycopg_connection("job_store") as connection:
            return connection.execute(statement).fetchall()


def account(user_id: int, name: str, **changes: Any) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": name,
        "source": {"type": "sql", "conn_id": "job_store"},
        "destination": {"type": "s3", "conn_id": "local_s3", "bucket": BUCKET},
        "events": {"job_history": True, "line_details": True},
        **changes,
    }


WITH_ASSET_EVENTS = 5400
NOTIFIER = {
    "notifier": "airflow.providers.http.notifications.http.HttpNotifier",
    "arguments": {"http_conn_id": "pager", "endpoint": "/hook", "json": {"text": "{{ notice.text }}"}},
}
ACCOUNTS = [account(5234, "Acme"), account(5235, "Globex"), account(5237, "Umbrella")]


@pytest.fixture(scope="package")  # an Airflow that has nothing to do takes a fifth of a core: it ends with these tests
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("e2e")
    with (
        local_postgres(folder / "pg") as postgres,
        local_s3(folder / "logs") as s3,
        http_sink() as (sink_url, posts),
        udp_sink() as metrics,
    ):
        s3.create_bucket(BUCKET)
        _fill(postgres)
        with airflow_stack(
            folder / "airflow",
            dags_folder=_dags(folder / "dags"),
            plugins_folder=PLUGINS,
            database_uri=postgres.create_database("airflow"),
            # The hour that just ended is asked for at once: the sample jobs are all there.
            environment={
                "AIRFLOW__JOB_HISTORY__SETTLE_MINUTES": "0",
                # So that the tasks of a scheduler that is no more are found soon.
                "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
                "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
                "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "2",
                "AIRFLOW__JOB_HISTORY__BACKFILL_POOL": BACKFILL_POOL,
                "AIRFLOW__JOB_HISTORY__ASSET_EVENTS": str(WITH_ASSET_EVENTS),
                "AIRFLOW__JOB_HISTORY__NOTIFIERS": json.dumps([NOTIFIER]),
                "AIRFLOW__METRICS__STATSD_ON": "True",
                "AIRFLOW__METRICS__STATSD_PORT": str(metrics.port),
                "AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True",
                "AIRFLOW__METRICS__METRICS_ALLOW_LIST": "job_history",
                "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
                    {"type": "file", "log_file_path": str(folder / "airflow" / "openlineage.jsonl"), "append": True}
                ),
            },
            log_directory=folder / "logs",
        ) as stack:
            for conn_id, connection in (
                ("job_store", json.loads(postgres.airflow_connection("job_store"))),
                ("local_s3", json.loads(s3.airflow_connection())),
                ("pager", {"conn_type": "http", "host": sink_url}),
            ):
                extra = json.dumps(connection.pop("extra", {}))
                stack.api.post("/connections", {"connection_id": conn_id, **connection, "extra": extra})
            stack.api.post("/pools", {"name": BACKFILL_POOL, "slots": 4})
            stack.api.post("/variables", {"key": "job_history_accounts", "value": json.dumps(ACCOUNTS)})
            stack.api.wait_for_dag(DAG_ID)
            yield Installation(stack, s3, postgres, posts, metrics)
            family = members_of_sessions(set(stack.process_ids.values()))
        assert [process for process in family if process.is_running()] == [], "Airflow left processes"


def _dags(folder: Path) -> Path:
    """Copy the project's DAG files, and the example of the docs, as a user does."""
    shutil.copytree(DAGS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "docs" / "examples" / "after_each_hour.py", folder)
    return folder


def _fill(postgres: PostgresServer) -> None:
    this_hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    postgres.create_database("job_store")
    with postgres.psycopg_connection("job_store") as connection:
        create(connection, "postgresql")
        for demo_account in DEMO_ACCOUNTS:
            fill(connection, "postgresql", demo_account.jobs(1, PAST_DAY, PAST_DAY + 12 * HOUR))
            # An hour before and one after, because the test may run across a full hour.
            fill(connection, "postgresql", demo_account.jobs(1, this_hour - 2 * HOUR, this_hour + 2 * HOUR))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The scheduled run is the first that the DAG has: what others do with the one Airflow comes after it."""
    places = [place for place, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    in_order = sorted((items[place] for place in places), key=lambda item: item.path.name != "test_replication.py")
    for place, item in zip(places, in_order, strict=True):
        items[place] = item
