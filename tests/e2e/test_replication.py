"""The hourly DAG under a real scheduler: scheduled, by backfill, by hand, failing; and what its logs say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from job_history.accounts.account import Account
from job_history.preflight.notes import PreflightNotes
from job_history.storage import local_storage
from simulators.airflow_stack import AirflowApi

from .conftest import ACCOUNTS, BACKFILL_POOL, DAG_ID, HOUR, PAST_DAY, Installation, account

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@pytest.fixture
def accounts(installation: Installation) -> None:
    installation.set_accounts(ACCOUNTS)


def hours(start: datetime, count: int) -> list[str]:
    return [(start + number * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ") for number in range(count)]


def finished_jobs(installation: Installation, user_id: int, start: str) -> int:
    """Count an account's finished jobs of an hour by a query that is not the project's own."""
    ((count,),) = installation.query(
        "SELECT count(*) FROM job_history_jobs WHERE status IN ('completed', 'succeeded', 'failed')"
        f" AND user_id = {user_id} AND completed_at >= '{start}' AND completed_at < timestamptz '{start}' + interval "
        "'1 hour'"
    )
    return count


@pytest.mark.promise("scheduled-windows")
def test_the_scheduled_run_is_the_hour_that_just_ended(installation: Installation, accounts: None) -> None:
    before = datetime.now(UTC)
    installation.stack.api.unpause(DAG_ID)
    deadline = before + timedelta(seconds=60)
    while not (runs := installation.stack.api.runs(DAG_ID)):
        assert datetime.now(UTC) < deadline, "no run was scheduled within a minute"

    run = installation.stack.api.wait_run(DAG_ID, runs[0].dag_run_id)

    assert (run.run_type, run.state) == ("scheduled", "success")
    last_hour = before.replace(minute=0, second=0, microsecond=0) - HOUR
    assert (run.data_interval_start, run.data_interval_end) in {
        (last_hour, last_hour + HOUR),
        (last_hour + HOUR, last_hour + 2 * HOUR),
    }
    start = run.data_interval_start.strftime("%Y-%m-%dT%H:%M:%SZ")
    for user_id in (5234, 5235):
        receipt = installation.receipts(user_id)[start]
        assert (receipt["state"], receipt["counts"]["delivered"]) == (
            "complete",
            finished_jobs(installation, user_id, start),
        )


def pools_and_priorities(api: AirflowApi, run_id: str) -> set[tuple[str, int]]:
    tasks = api.get(f"/dags/{DAG_ID}/dagRuns/{run_id}/taskInstances")["task_instances"]
    return {(task["pool"], task["priority_weight"]) for task in tasks}


@pytest.mark.promise("scheduled-windows", "backfill-priority")
def test_a_backfill_of_five_hours_is_five_windows_and_no_more(installation: Installation, accounts: None) -> None:
    api = installation.stack.api
    api.unpause(DAG_ID)

    runs = api.wait_backfill(
        api.backfill(DAG_ID, from_date=PAST_DAY, to_date=PAST_DAY + 4 * HOUR, max_active_runs=2), timeout=240
    )

    assert [(run.run_type, run.state) for run in runs] == [("backfill", "success")] * 5
    assert {placed for run in runs for placed in pools_and_priorities(api, run.dag_run_id)} == {(BACKFILL_POOL, 1)}
    expected = hours(PAST_DAY, 5)
    for user_id in (5234, 5235, 5237):
        receipts = {start: receipt for start, receipt in installation.receipts(user_id).items() if start < "2019"}
        assert sorted(receipts) == expected
        assert {
            start: (receipt["state"], receipt["counts"]["delivered"], receipt["gap"])
            for start, receipt in receipts.items()
        } == {start: ("complete", finished_jobs(installation, user_id, start), 0) for start in expected}
    document = installation.objects("5234/jobs/234/20180521/000/000/000/000/000/000/100/")
    assert [key.rsplit("/", 1)[1] for key in document] == ["5234-234-100-20180521000000-succeeded.json"]


def test_a_run_by_hand_does_what_its_parameters_say(installation: Installation, accounts: None) -> None:
    api = installation.stack.api
    api.unpause(DAG_ID)
    run = api.trigger(
        DAG_ID,
        conf={"accounts": [5235], "window_start": "2018-05-21T08:00:00Z", "window_end": "2018-05-21T10:00:00Z"},
    )

    assert api.wait_run(DAG_ID, run.dag_run_id).state == "success"

    placed = pools_and_priorities(api, run.dag_run_id)
    assert ({pool for pool, _ in placed}, min(priority for _, priority in placed)) == ({"default_pool"}, 10)
    eight, nine = hours(PAST_DAY + 8 * HOUR, 2)
    receipts = installation.receipts(5235)
    assert {start: receipts[start]["counts"]["delivered"] for start in (eight, nine)} == {
        start: finished_jobs(installation, 5235, start) for start in (eight, nine)
    }
    assert eight not in installation.receipts(5234)


@pytest.mark.promise("killed-steps")
def test_failed_account_is_named_and_completed_by_a_cleared_task(installation: Installation) -> None:
    api = installation.stack.api
    api.unpause(DAG_ID)
    wrong = account(5234, "Acme", destination={"type": "s3", "conn_id": "local_s3", "bucket": "vanished-bucket"})
    passed, acme = PreflightNotes(local_storage(installation.ledger)), Account.model_validate(wrong)
    # It passed while it had its bucket; so the run looks no more, and its load finds out.
    passed.note_passed(acme, [], datetime(2018, 5, 21, 5, tzinfo=UTC))
    installation.set_accounts([wrong, account(5235, "Globex")])
    conf = {"window_start": "2018-05-21T06:00:00Z", "window_end": "2018-05-21T07:00:00Z"}
    run = api.trigger(DAG_ID, conf=conf)

    assert api.wait_run(DAG_ID, run.dag_run_id).state == "failed"
    tasks = api.task_instances(DAG_ID, run.dag_run_id)
    assert [task.state for task in tasks if task.task_id == "shared.load"] == ["success"]
    assert {task.state for task in tasks if task.task_id.startswith("single.")} == {"skipped"}
    report = api.task_log(DAG_ID, run.dag_run_id, "report")
    assert "FAILED 5234 Acme 06:00" in report
    assert "Bucket vanished-bucket" in report
    assert "Create the bucket, or correct `destination.bucket` of the account" in report
    start = "2018-05-21T06:00:00Z"
    assert installation.receipts(5234)[start]["state"] == "failed"
    assert installation.receipts(5235)[start]["state"] == "complete"
    assert PreflightNotes(local_storage(installation.ledger)).not_passed([acme]) == [acme]

    # The user corrects the Variable and clears the load of the convoy: the source is not asked again.
    installation.set_accounts(ACCOUNTS)
    api.clear(DAG_ID, run.dag_run_id, tasks=[("shared.load", 0)], include_downstream=True)

    assert api.wait_run(DAG_ID, run.dag_run_id).state == "success"
    receipt = installation.receipts(5234)[start]
    assert (receipt["state"], receipt["counts"]["delivered"]) == ("complete", finished_jobs(installation, 5234, start))
    extract = [task for task in api.task_instances(DAG_ID, run.dag_run_id) if task.task_id == "shared.extract"]
    assert [task.try_number for task in extract] == [1]


@pytest.mark.promise("connection-keys")
def test_logs_show_each_step_and_no_secret(installation: Installation, accounts: None) -> None:
    api = installation.stack.api
    api.unpause(DAG_ID)
    run = api.trigger(
        DAG_ID, conf={"window_start": "2018-05-21T10:00:00Z", "window_end": "2018-05-21T11:00:00Z", "accounts": [5234]}
    )
    assert api.wait_run(DAG_ID, run.dag_run_id).state == "success"

    listed = finished_jobs(installation, 5234, "2018-05-21T10:00:00Z")
    log = {
        task: api.task_log(DAG_ID, run.dag_run_id, task, map_index=0 if "shared" in task else -1)
        for task in ("plan", "shared.extract", "shared.transform", "shared.load", "report")
    }
    window = "window [2018-05-21T10:00:00Z, 2018-05-21T11:00:00Z)"
    assert f"Asked for: accounts 5234, {window}, destination s3." in log["plan"]
    assert f"Asked for: account 5234 Acme, {window}; with lines." in log["shared.extract"]
    assert f"{listed:,} documents (" in log["shared.transform"]
    assert f"Asked for: {listed:,} documents (" in log["shared.load"]
    assert "Windows 2018-05-21T10:00:00Z (UTC): 1;" in log["report"]
    everything = "\n".join(log.values()) + json.dumps(
        [api.xcom(DAG_ID, run.dag_run_id, task, map_index=0) for task in ("shared.extract", "shared.load")]
    )
    assert installation.s3.secret_key not in everything
