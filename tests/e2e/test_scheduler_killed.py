"""The scheduler is killed in the middle of a run, with its tasks, and started again."""

from __future__ import annotations

import time

import msgspec
import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.oracle import expected_documents
from tests.support.world import keys_of

from job_history.ledger.receipt import Receipt
from job_history.storage import local_storage
from simulators.job_store import fill, plain_job

from .conftest import BUCKET, DAG_ID, HOUR, PAST_DAY, Installation, account

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

USER_ID = 5300
START = PAST_DAY - 2 * HOUR
JOBS = [plain_job(USER_ID, START, number) for number in range(1, 301)]


@pytest.mark.promise("outages")
@crash_cell("around", "the scheduler is killed with its tasks", "while a slice is under way, to S3", "started again")
def test_a_run_goes_on_under_the_next_scheduler(installation: Installation) -> None:
    api = installation.stack.api
    with installation.postgres.psycopg_connection("job_store") as connection:
        fill(connection, "postgresql", JOBS)
    installation.set_accounts([account(USER_ID, "Initech")])
    api.unpause(DAG_ID)
    hour = {"window_start": f"{START:%Y-%m-%dT%H:%M:%SZ}", "window_end": f"{START + HOUR:%Y-%m-%dT%H:%M:%SZ}"}
    run = api.trigger(DAG_ID, conf=hour).dag_run_id
    until_a_slice_is_under_way(installation, run)

    installation.stack.crash_and_restart_scheduler()

    assert api.wait_run(DAG_ID, run).state == "success"
    assert installation.objects(f"{USER_ID}/") == expected_documents(JOBS)
    versions = (
        installation.s3.client().get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=f"{USER_ID}/")
    )
    assert sum(len(page["Versions"]) for page in versions) == len(JOBS)
    receipt = msgspec.convert(installation.receipts(USER_ID)[hour["window_start"]], Receipt)
    assert keys_of(receipt, local_storage(installation.ledger)) == list(expected_documents(JOBS))


def until_a_slice_is_under_way(installation: Installation, run: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        tasks = installation.stack.api.task_instances(DAG_ID, run)
        if any(task.task_id.startswith("shared.") and task.state == "running" for task in tasks):
            return
        time.sleep(0.05)
    raise AssertionError("no task of a slice was started within a minute")
