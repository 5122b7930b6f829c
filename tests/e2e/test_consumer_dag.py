"""The example of the docs: another DAG runs once for each complete hour of an account."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import pytest

from simulators.job_store import fill, plain_job

from .conftest import DAG_ID, HOUR, PAST_DAY, WITH_ASSET_EVENTS, Installation, account

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

CONSUMER = "after_each_hour"
START = PAST_DAY - 6 * HOUR


@pytest.mark.promise("asset-events")
def test_a_consumer_runs_once_for_each_completed_window_and_not_again_for_a_complete_one(
    installation: Installation,
) -> None:
    api = installation.stack.api
    with installation.postgres.psycopg_connection("job_store") as connection:
        fill(connection, "postgresql", [plain_job(WITH_ASSET_EVENTS, START, number) for number in range(1, 4)])
    installation.set_accounts(
        [account(WITH_ASSET_EVENTS, "Announced"), account(5401, "Silent"), account(5402, "Lost", **_no_bucket())]
    )
    api.wait_for_dag(CONSUMER)
    for dag in (DAG_ID, CONSUMER):
        api.unpause(dag)
    hours = {"window_start": f"{START:%Y-%m-%dT%H:%M:%SZ}", "window_end": f"{START + 2 * HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    accounts = {"accounts": [WITH_ASSET_EVENTS, 5401, 5402]}

    run = api.trigger(DAG_ID, conf={**hours, **accounts}).dag_run_id
    api.wait_run(DAG_ID, run)

    expected = sorted(f"{WITH_ASSET_EVENTS}/jobs/{START + number * HOUR:%Y-%m-%dT%H}" for number in range(2))
    assert _keys(api, of_day=START) == expected
    again = api.trigger(DAG_ID, conf={**hours, **accounts}).dag_run_id
    api.wait_run(DAG_ID, again)
    time.sleep(5)
    assert _keys(api, of_day=START) == expected


def _no_bucket() -> dict[str, Any]:
    return {"destination": {"type": "s3", "conn_id": "local_s3", "bucket": "no-such-bucket"}}


def _keys(api: Any, *, of_day: datetime) -> list[str]:
    """Wait for two successful runs of the consumer, and return the partition keys of that day.

    The first unpause runs the last full hour, too, which is an event of its own.
    """
    deadline = time.monotonic() + 120
    while True:
        runs = api.get(f"/dags/{CONSUMER}/dagRuns")["dag_runs"]
        day = f"{of_day:%Y-%m-%d}"
        done = [run["partition_key"] for run in runs if run["state"] == "success" and day in run["partition_key"]]
        if len(done) >= 2 or time.monotonic() > deadline:
            return sorted(done)
        time.sleep(1)
