"""CeleryExecutor with Redis and two workers that share no folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from tests.support.celery_workers import Worker, celery_workers
from tests.support.redis import redis

from job_history.errors.code import Code
from simulators.airflow_stack import AirflowStack

from .conftest import AUDIT, CONTROL, DAG_ID, Parts, hour_of, jobs_by_hour, start_first_run, wait_until

pytestmark = [pytest.mark.celery, pytest.mark.timeout(900)]

USER_IDS = [5234, 5235, 5236]


@contextmanager
def celery(parts: Parts, **environment: str) -> Iterator[tuple[AirflowStack, list[Worker]]]:
    with redis(parts.folder / "redis") as url:
        settings = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CELERY__BROKER_URL": url,
            "AIRFLOW__CELERY__RESULT_BACKEND": "db+" + parts.postgres.database_uri("airflow", driver="psycopg2"),
            **environment,
        }
        with (
            parts.airflow(settings) as stack,
            celery_workers(stack, parts.folder / "workers", ["one", "two"]) as workers,
        ):
            yield stack, workers


def homes(stack: AirflowStack, workers: list[Worker]) -> list[Path]:
    return [stack.home, *(worker.home for worker in workers)]


def test_two_workers_deliver_an_hour_and_keep_nothing_in_their_homes(parts: Parts) -> None:
    jobs = {user_id: jobs_by_hour(user_id, 20) for user_id in USER_IDS}
    parts.add_jobs([job for hours in jobs.values() for of_hour in hours.values() for job in of_hour])
    with celery(parts) as (stack, workers):
        run = start_first_run(stack, USER_IDS)

        assert stack.api.wait_run(DAG_ID, run, timeout=600).state == "success"
        hour = hour_of(stack, run)
        parts.assert_each_document_once([job for hours in jobs.values() for job in hours[hour]])
        assert ["succeeded" in worker.log for worker in workers] == [True, True]
        assert [home for home in homes(stack, workers) if (home / "job_history").exists()] == []
    assert parts.count_objects(CONTROL, "ledger/receipts/") >= len(USER_IDS)


def test_a_load_goes_on_after_its_worker_was_killed(parts: Parts) -> None:
    count = 4_000
    jobs = jobs_by_hour(5234, count)
    parts.add_jobs([job for of_hour in jobs.values() for job in of_hour])
    with celery(parts, AIRFLOW__JOB_HISTORY__UPLOAD_CONCURRENCY="2") as (stack, workers):
        run = start_first_run(stack, [5234])
        wait_until(lambda: parts.count_objects(AUDIT, "5234/") > 100, seconds=400, what="the first documents")
        [load] = [task for task in stack.api.task_instances(DAG_ID, run) if task.task_id == "shared.load"]
        [killed] = [worker for worker in workers if load.pid and worker.runs(load.pid)]
        killed.kill()
        there = parts.count_objects(AUDIT, "5234/")
        assert there < count, "the load had ended before its worker was killed"

        assert stack.api.wait_run(DAG_ID, run, timeout=800).state == "success"
        hour = hour_of(stack, run)
        tries = {task.task_id: task.try_number for task in stack.api.task_instances(DAG_ID, run)}
        logs = [
            path.read_text()
            for home in homes(stack, workers)
            for path in (home / "logs").rglob("task_id=single.extract/**/attempt=*.log")
        ]

    # The second try leaves the slice that was under way to tasks of its own, which go on with what was extracted.
    assert (tries["shared.extract"], tries["shared.load"], tries["single.load"]) == (1, 2, 1)
    assert "The extract of its convoy is used: account 5234" in "".join(logs)
    parts.assert_each_document_once(jobs[hour])
    counts = counts_of(parts, 5234)
    assert (counts["delivered"] + counts["already_present"], counts["already_present"] >= 100) == (count, True)


def counts_of(parts: Parts, user_id: int) -> dict[str, int]:
    """Return the counts of the newest revision of the account's one receipt."""
    receipts = [
        content
        for key, content in sorted(parts.objects(CONTROL, f"ledger/receipts/{user_id}/jobs/").items())
        if key.endswith(".json")
    ]
    counts: dict[str, int] = msgspec.json.decode(receipts[-1])["counts"]
    return counts


def test_workers_without_a_shared_staging_area_fail_with_the_code(parts: Parts) -> None:
    jobs = {user_id: jobs_by_hour(user_id, 5) for user_id in USER_IDS}
    parts.add_jobs([job for hours in jobs.values() for of_hour in hours.values() for job in of_hour])
    with celery(parts, AIRFLOW__JOB_HISTORY__STAGING_PATH="$AIRFLOW_HOME/staging") as (stack, workers):
        run = start_first_run(stack, USER_IDS)

        assert stack.api.wait_run(DAG_ID, run, timeout=600).state == "failed"
        logs = [path.read_text() for home in homes(stack, workers) for path in (home / "logs").rglob("attempt=*.log")]

    assert any(Code.STAGING_NOT_SHARED in log for log in logs)
