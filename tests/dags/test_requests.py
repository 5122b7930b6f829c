"""What a run asks of the bucket that has ledger and staging: each request costs money and 30 ms.

Counted at the server, in the second of two hours over 40 accounts of which 4 have jobs. Commit 18d1c2e, after which
receipts became revisions, needed 276 requests for that run, 48 of them listings, which cost twelve times as much: 4 for
each account, 27 for each slice, and 8. By that, 5,358 for 1,000 accounts of which 50 have jobs; this release needs
about 4,200. Seals, which that commit did not have, are counted apart: 4 for a window, and 2 more if it has documents.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.scripted_s3 import Request, ScriptedS3, scripted_s3

from job_history_airflow.operators import CloseOperator, ConvoyOperator, PlanOperator, ReportOperator
from simulators.job_store import create, fill, small_jobs

# Windows that ended longer ago cost a request more: the runs of the hour before are then looked for more thoroughly.
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
ACCOUNTS, WITH_JOBS = 40, 4
BEFORE = 276
# Four of them, for any number of accounts: what `close` leaves for `report` is a stream and the file that names it, and
# the plan leaves a note in the ledger.
# Three more see, at a task's first empty listing, whether a store answers.
MAX_REQUESTS = 262
MAX_LISTINGS = 12
MAX_REQUESTS_OF_SEALS = 4 * ACCOUNTS + 2 * WITH_JOBS


class _TaskInstance:
    try_number = 1
    max_tries = 1

    def __init__(self) -> None:
        self._xcoms: dict[str, Any] = {}

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:  # noqa: ARG002
        return {run_id: {} for run_id in run_ids}

    def xcom_push(self, key: str, value: Any) -> None:
        self._xcoms[key] = value

    def xcom_pull(self, *, task_ids: str, key: str) -> Any:  # noqa: ARG002
        return self._xcoms.get(key)


def _run(hour: int) -> None:
    start = HOUR + timedelta(hours=hour)
    dag_run = SimpleNamespace(
        dag_id="job_history_replication",
        run_id=f"scheduled__{start:%Y%m%dT%H}",
        data_interval_start=start,
        data_interval_end=start + timedelta(hours=1),
        run_after=start + timedelta(minutes=70),
        run_type="manual",
        logical_date=start,
    )
    context: Any = {"params": {"mode": "missing_only"}, "dag_run": dag_run, "ti": _TaskInstance()}
    convoys = PlanOperator(task_id="plan").execute(context)
    for step in ("extract", "transform", "load"):
        for convoy in convoys:
            ConvoyOperator(task_id=step, step=step, convoy=convoy).execute(context)
    assert CloseOperator(task_id="close").execute(context) == []
    ReportOperator(task_id="report").execute(context)


def _jobs(path: Path, user_ids: list[int]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        create(connection, "sqlite")
        for hour in range(2):
            start = HOUR + timedelta(hours=hour)
            for user_id in user_ids:
                first = user_id * 1_000 + hour * 100
                end = start + timedelta(hours=1)
                fill(connection, "sqlite", small_jobs(20, user_id=user_id, first_job_id=first, start=start, end=end))
        connection.commit()


def _connection(endpoint: ScriptedS3) -> str:
    extra = {"endpoint_url": endpoint.url, "region_name": "us-east-1"}
    return json.dumps({"conn_type": "aws", "login": "a", "password": "b", "extra": extra})


@pytest.fixture
def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Request]]:
    """Do two runs; returns the requests of the second to ledger and staging."""
    user_ids = list(range(10_000, 10_000 + ACCOUNTS))
    _jobs(tmp_path / "jobs.db", user_ids[:: ACCOUNTS // WITH_JOBS])
    account = {
        "name": "Acme",
        "source": {"type": "sql", "conn_id": "job_store"},
        "destination": {"type": "s3", "conn_id": "audit", "bucket": "audit"},
        "events": {"job_history": True, "line_details": True},
    }

    def do() -> list[Request]:
        with scripted_s3("control") as control, scripted_s3("audit") as audit:
            for name, value in {
                "AIRFLOW__JOB_HISTORY__LEDGER_PATH": "s3://control@control/ledger",
                "AIRFLOW__JOB_HISTORY__STAGING_PATH": "s3://control@control/staging",
                "AIRFLOW_CONN_CONTROL": _connection(control),
                "AIRFLOW_CONN_AUDIT": _connection(audit),
                "AIRFLOW_CONN_JOB_STORE": json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "jobs.db")}),
                "AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS": json.dumps([{"user_id": each, **account} for each in user_ids]),
            }.items():
                monkeypatch.setenv(name, value)
            _run(0)
            control.requests.clear()
            _run(1)
            assert sum("/jobs/" in key and key.endswith(".json") for key in audit.objects) >= 2 * 20 * WITH_JOBS
            return list(control.requests)

    return do


@pytest.mark.promise("few-requests")
@pytest.mark.usefixtures("airflow_home")
def test_a_run_needs_no_more_requests_than_before_receipts_were_revisions(
    requests: Callable[[], list[Request]],
) -> None:
    of_seals, of_the_ledger = [], []
    for request in requests():
        is_of_seals = "/_control/seals" in request.key or request.key.endswith(".sealed")
        (of_seals if is_of_seals else of_the_ledger).append(request)
    methods = Counter("LIST" if each == ("GET", "") else each.method for each in of_the_ledger)

    assert len(of_the_ledger) <= MAX_REQUESTS < BEFORE, methods
    assert methods["LIST"] <= MAX_LISTINGS
    assert len(of_seals) <= MAX_REQUESTS_OF_SEALS
