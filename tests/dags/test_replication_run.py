"""Whole runs of the hourly DAG by `dag.test()`: what it delivers, and how it fails."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from .conftest import World, run_dag

FINISHED = {5234: 108, 5235: 52, 5236: 35, 5237: 0, 5238: 26}


def run(**conf: object) -> tuple[str, dict[tuple[str, int], str]]:
    return run_dag("job_history_replication", **conf)


def of_run(receipt: dict) -> tuple[str, int, int]:
    return receipt["state"], receipt["counts"]["delivered"], receipt["counts"]["already_present"]


@pytest.mark.promise("missing-only")
def test_an_hour_is_delivered_once_and_complete_the_second_time(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.accounts(*(world.account(user_id, f"No {user_id}") for user_id in FINISHED))

    state, tasks = run()
    keys = world.keys()

    assert state == "success"
    assert {task for (task, _), task_state in tasks.items() if task_state != "success"} == {
        "single.extract",
        "single.transform",
        "single.load",
    }
    assert {user_id: of_run(receipt) for (user_id, _), receipt in world.receipts().items()} == {
        user_id: ("complete", finished, 0) for user_id, finished in FINISHED.items()
    }
    assert len(keys) == sum(FINISHED.values())

    receipts = world.receipts()
    state, tasks = run()
    assert (state, tasks["shared.extract", -1]) == ("success", "skipped")
    assert (world.keys(), world.receipts()) == (keys, receipts)


@pytest.mark.promise("no-cursor")
def test_read_again_by_repair_an_hour_is_found_there_as_it_is(world: World) -> None:
    world.accounts(world.account(5234, "Acme"))
    run()
    keys = world.keys()

    assert run(mode="repair")[0] == "success"

    assert of_run(world.receipts()[5234, "2018-05-21T00:00:00Z"]) == ("complete", 0, FINISHED[5234])
    assert world.keys() == keys


@pytest.mark.promise("missing-only", "changed-settings")
def test_a_complete_window_is_not_complete_at_another_destination(world: World) -> None:
    world.accounts(world.account(5234, "Acme"))
    run()
    world.accounts(
        world.account(
            5234, "Acme", destination={"type": "s3", "conn_id": "s3", "bucket": world.bucket, "prefix": "new"}
        )
    )

    assert run()[0] == "success"

    receipt = world.receipts()[5234, "2018-05-21T00:00:00Z"]
    assert of_run(receipt) == ("complete", FINISHED[5234], 0)
    assert receipt["settings_changes"] == ['destination.prefix: "" became "new"']
    assert len({key for key in list(world.keys()) if key.startswith("new/")}) == FINISHED[5234]


@pytest.mark.promise("receipt-always")
def test_no_jobs_anywhere_gives_receipts_and_no_slices(world: World) -> None:
    world.accounts(world.account(5237, "Umbrella"))

    state, tasks = run()

    assert state == "success"
    assert tasks[("shared.extract", -1)] == "skipped"
    assert of_run(world.receipts()[5237, "2018-05-21T00:00:00Z"]) == ("complete", 0, 0)


@pytest.mark.promise("paused-accounts")
def test_a_paused_account_is_reported_as_disabled(world: World) -> None:
    world.accounts(world.account(5234, "Acme", enabled=False), world.account(5236, "Initech"))

    assert run()[0] == "success"
    assert {user_id: receipt["state"] for (user_id, _), receipt in world.receipts().items()} == {
        5234: "disabled",
        5236: "complete",
    }


@pytest.mark.promise("receipt-always", "destination-errors")
@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"destination": {"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}}, "NoSuchBucket"),
        (
            {"destination": {"type": "s3", "conn_id": "nowhere", "bucket": "any-bucket"}},
            "no Airflow connection with the id in ",
        ),
        ({"source": {"type": "sql", "conn_id": "nowhere"}}, "no Airflow connection with the id in "),
        ({"source": {"type": "sql", "conn_id": "s3"}}, "which is no SQL database"),
        ({"source": {"type": "sql", "conn_id": "empty_store"}}, "no such table: job_history_jobs"),
    ],
)
def test_one_accounts_fault_fails_the_run_by_name_and_stops_no_other(
    world: World, change: dict, detail: str, tmp_path: Path
) -> None:
    world.connect("empty_store", {"conn_type": "sqlite", "host": str(tmp_path / "empty.db")})
    world.accounts(world.account(5234, "Acme", **change), world.account(5236, "Initech"))

    state, tasks = run()

    assert state == "failed"
    assert tasks[("report", -1)] == "failed"
    failed, complete = (world.receipts()[user_id, "2018-05-21T00:00:00Z"] for user_id in (5234, 5236))
    assert of_run(complete) == ("complete", FINISHED[5236], 0)
    assert failed["state"] == "failed"
    (fault,) = failed["faults"]
    assert detail in fault
    assert "account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z)" in fault


@pytest.mark.promise("destination-errors")
def test_corrected_account_is_complete_after_the_next_run_of_the_hour(world: World) -> None:
    broken = {"destination": {"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}}
    world.accounts(world.account(5234, "Acme", **broken))
    assert run()[0] == "failed"

    world.accounts(world.account(5234, "Acme"))

    assert run()[0] == "success"
    receipt = world.receipts()[5234, "2018-05-21T00:00:00Z"]
    assert of_run(receipt) == ("complete", FINISHED[5234], 0)
    assert [entry["state"] for entry in receipt["runs"]] == ["failed", "complete"]


@pytest.mark.promise("never-green-and-empty")
@pytest.mark.parametrize(
    ("variable", "detail"),
    [
        ("", "is not valid JSON"),
        ("[]", "lists no accounts"),
        ('{"user_id": 1}', "is JSON, but not a list"),
        ('[{"user_id": 5234, "name": "Acme", "colour": "red"}]', "unknown key 'colour'"),
    ],
)
def test_unreadable_settings_fail_the_run_and_the_report_gives_the_reason(
    world: World, monkeypatch: pytest.MonkeyPatch, task_logs: Callable[[], str], variable: str, detail: str
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS", variable)

    state, tasks = run()

    assert state == "failed"
    assert tasks[("plan", -1)] == "failed"
    assert tasks[("report", -1)] == "failed"
    printed = task_logs()
    assert "Nothing was replicated, because `plan` failed: " in printed
    assert detail in printed.partition("because `plan` failed: ")[2]
    assert "what is not named here was replicated" not in printed
    assert not world.receipts()


@pytest.mark.promise("unplaceable-records")
def test_an_account_without_a_readable_time_fails_the_run_and_stops_no_other(
    world: World, store: Path, task_logs: Callable[[], str]
) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE job_history_jobs SET completed_at = 'never' WHERE user_id = 5236")
    world.accounts(world.account(5234, "Acme"), world.account(5236, "Initech"))

    state, _ = run()

    assert state == "failed"
    assert "FAILED 5236 Initech jobs that are finished and in no window" in task_logs()
    acme, initech = (world.receipts()[user_id, "2018-05-21T00:00:00Z"] for user_id in (5234, 5236))
    assert (of_run(acme), acme["unplaceable"]) == (("complete", FINISHED[5234], 0), None)
    assert (of_run(initech), initech["unplaceable"]["count"]) == (("complete_with_quarantine", 0, 0), FINISHED[5236])


@pytest.mark.promise("unknown-parameters")
@pytest.mark.parametrize("dag_id", ["job_history_replication", "job_history_reconciliation"])
@pytest.mark.parametrize(
    ("conf", "named"),
    [({"account": [5234]}, "'account'"), ({"acounts": [5234], "Mode": "repair"}, "'Mode', 'acounts'")],
)
def test_an_unknown_parameter_fails_the_run_and_nothing_is_replicated(
    world: World, task_logs: Callable[[], str], dag_id: str, conf: dict[str, object], named: str
) -> None:
    world.accounts(world.account(5234, "Acme"))

    state, _ = run_dag(dag_id, **conf)

    assert state == "failed"
    printed = task_logs()
    assert "Nothing was replicated, because `" in printed
    assert f"The run has unknown parameters: {named}. Its DAG knows accept_fewer, accounts, " in printed
    assert not world.receipts()


@pytest.mark.promise("unknown-parameters")
def test_parameters_that_begin_with_an_underscore_are_ignored(world: World) -> None:
    world.accounts(world.account(5236, "Initech"))
    assert run(_ticket="OPS-17")[0] == "success"
    assert len(world.receipts()) == 1


@pytest.mark.promise("no-cursor")
def test_parameters_choose_accounts_and_hours(world: World) -> None:
    world.accounts(world.account(5234, "Acme"), world.account(5236, "Initech"))

    # Half an hour is extended to a whole one: its own receipt would not know the receipt of the hour.
    state, _ = run(accounts=[5236], window_start="2018-05-20T23:30:00Z", window_end="2018-05-21T00:30:00Z")

    assert state == "success"
    assert {key: of_run(receipt) for key, receipt in world.receipts().items()} == {
        (5236, "2018-05-20T23:00:00Z"): ("complete", 0, 0),
        (5236, "2018-05-21T00:00:00Z"): ("complete", FINISHED[5236], 0),
    }


@pytest.mark.promise("never-green-and-empty")
def test_an_account_that_was_asked_for_and_is_not_there_fails_the_run(world: World) -> None:
    world.accounts(world.account(5236, "Initech"))

    state, _ = run(accounts=[5236, 77])

    assert state == "failed"
    assert of_run(world.receipts()[5236, "2018-05-21T00:00:00Z"]) == ("complete", FINISHED[5236], 0)


@pytest.mark.promise("create-only")
def test_an_object_with_other_bytes_fails_the_run_until_it_is_repaired(world: World) -> None:
    world.accounts(world.account(5234, "Acme"))
    key = "5234/jobs/234/20180521/000/000/000/000/000/000/100/5234-234-100-20180521000000-succeeded.json"
    client = world.s3.client()
    client.put_object(Bucket=world.bucket, Key=key, Body=b"not what the source has")

    assert run()[0] == "failed"
    receipt = world.receipts()[5234, "2018-05-21T00:00:00Z"]
    assert receipt["state"] == "complete_with_quarantine"
    assert receipt["counts"]["quarantined"] == {"conflict": 1}
    assert client.get_object(Bucket=world.bucket, Key=key)["Body"].read() == b"not what the source has"

    assert run(mode="repair")[0] == "success"
    assert client.get_object(Bucket=world.bucket, Key=key)["Body"].read().startswith(b'{"id":100,')
    assert world.receipts()[5234, "2018-05-21T00:00:00Z"]["state"] == "complete"


def test_the_window_of_a_run_without_anything_is_the_last_full_hour(world: World) -> None:
    from job_history_airflow.run_window import window_of

    class ByHand:
        data_interval_start = None
        data_interval_end = None
        run_after = datetime.fromisoformat("2018-05-21T01:23:45+00:00")

    assert str(window_of(ByHand(), {})) == "[2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z)"


@pytest.mark.promise("missing-only")
def test_a_complete_window_is_not_complete_where_its_connection_leads_now(world: World) -> None:
    connection = json.loads(world.s3.airflow_connection())
    world.accounts(world.account(5236, "Initech", destination={"type": "s3", "conn_id": "s3"}))

    def point_to(bucket: str) -> None:
        service = {"s3": {"bucket_name": bucket}}
        world.connect("s3", {**connection, "extra": {**connection["extra"], "service_config": service}})

    point_to(world.bucket)
    assert run()[0] == "success"
    delivered = world.keys()
    assert len(delivered) == FINISHED[5236]

    world.bucket = f"{world.bucket[:50]}-elsewhere"
    world.s3.create_bucket(world.bucket)
    point_to(world.bucket)
    assert run()[0] == "success"
    assert world.keys() == delivered
