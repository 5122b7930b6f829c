"""Each task in a process of its own, with a home that is deleted afterwards: as the pods of Kubernetes."""

from __future__ import annotations

import json

import pytest
from tests.support.pod_like_executor import PODS

from .conftest import DAG_ID, Parts, hour_of, jobs_by_hour, start_first_run

pytestmark = [pytest.mark.celery, pytest.mark.timeout(900)]

EXECUTOR = "tests.support.pod_like_executor.PodLikeExecutor"


def test_a_run_needs_nothing_of_an_earlier_tasks_home(parts: Parts) -> None:
    jobs = jobs_by_hour(5234, 30)
    parts.add_jobs([job for of_hour in jobs.values() for job in of_hour])
    pods = parts.folder / "pods"
    pods.mkdir()
    with parts.airflow({"AIRFLOW__CORE__EXECUTOR": EXECUTOR, PODS: str(pods)}) as stack:
        run = start_first_run(stack, [5234])

        assert stack.api.wait_run(DAG_ID, run, timeout=600).state == "success"
        parts.assert_each_document_once(jobs[hour_of(stack, run)])

    ended = [json.loads(line) for line in (pods / "left.jsonl").read_text().splitlines()]
    assert {name for pod in ended for name in pod["left"]} <= {"airflow.cfg", "logs"}
    assert {"plan", "shared.extract", "shared.transform"} <= {pod["task"] for pod in ended}
    assert not (stack.home / "job_history").exists()
