"""Whole runs of the hourly DAG with accounts that go to Sumo Logic, alone and beside others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from job_history.destinations.messages.envelope import is_of_preflight
from job_history.destinations.sumo_logic import join_each
from simulators.sumo_logic import LocalSource, local_source, reset_after_ingest

from .conftest import World, run_dag, show
from .test_replication_run import FINISHED, of_run, run

OK_FOR_THE_PREFLIGHT = 200
START = "2018-05-21T00:00:00Z"


@pytest.fixture
def source(world: World) -> Iterator[LocalSource]:
    with local_source() as running:
        world.connect("sumo", {"conn_type": "sumo_logic", "password": running.url})
        yield running


def to_sumo_logic(world: World, user_id: int, name: str, **changes: object) -> dict:
    destination = {"type": "sumo_logic", "conn_id": "sumo", "source_category": "audit/jobs", **changes}
    return world.account(user_id, name, destination=destination)


def documents(source: LocalSource) -> dict[str, bytes]:
    return dict(join_each(message.text.encode() for message in source.messages()))


def test_each_account_goes_to_its_own_destination(world: World, source: LocalSource) -> None:
    """The same account once to a bucket and once to a source: the same keys, the same bytes."""
    world.accounts(to_sumo_logic(world, 5234, "Acme"), world.account(5236, "Initech"))
    assert run()[0] == "success"
    keys = world.keys()
    assert {key.partition("/")[0] for key in keys} == {"5236"}
    receipts = world.receipts()
    assert {user_id: of_run(receipts[user_id, START]) for user_id in (5234, 5236)} == {
        5234: ("complete", FINISHED[5234], 0),
        5236: ("complete", FINISHED[5236], 0),
    }
    destination = receipts[5234, START]["destination"]
    assert len(destination.pop("target")) == 16
    assert destination == {
        "type": "sumo_logic",
        "endpoint": f"{source.receiver_url}/***",
        "X-Sumo-Category": "audit/jobs",
    }
    sent = documents(source)
    assert len(sent) == FINISHED[5234]
    assert {message.source_category for message in source.messages()} == {"audit/jobs"}

    world.accounts(world.account(5234, "Acme"), world.account(5236, "Initech"))
    assert run()[0] == "success"
    client, keys = world.s3.client(), world.keys()
    stored = {
        key: client.get_object(Bucket=world.bucket, Key=key)["Body"].read() for key in keys if key.startswith("5234/")
    }
    assert stored == sent


@pytest.mark.promise("sumo-logic-url")
@pytest.mark.parametrize(
    ("connection", "detail"),
    [
        (None, "There is no Airflow connection with the id in destination.conn_id of account 5234 Acme."),
        ({"conn_type": "http", "host": "x"}, "is of type 'http', not 'sumo_logic'."),
        ({"conn_type": "sumo_logic"}, "cannot be used: The connection has no password"),
        ({"conn_type": "sumo_logic", "password": "{url}WRONG"}, "answered 401"),
    ],
)
def test_a_source_that_cannot_be_used_fails_its_account_and_no_other(
    world: World, source: LocalSource, monkeypatch: pytest.MonkeyPatch, connection: dict | None, detail: str
) -> None:
    if connection is None:
        monkeypatch.delenv("AIRFLOW_CONN_SUMO")
    else:
        world.connect("sumo", json.loads(json.dumps(connection).replace("{url}", source.url)))
    world.accounts(to_sumo_logic(world, 5234, "Acme"), world.account(5236, "Initech"))

    assert run()[0] == "failed"
    receipts = world.receipts()
    assert of_run(receipts[5236, START]) == ("complete", FINISHED[5236], 0)
    (fault,) = receipts[5234, START]["faults"]
    assert fault.startswith("preflight of account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z): ")
    assert detail in fault
    assert source.token.rstrip("=") not in json.dumps(receipts[5234, START])
    assert source.messages() == []


@pytest.mark.promise("later-runs")
def test_a_later_run_sends_only_what_the_source_does_not_have(world: World, source: LocalSource, store: Path) -> None:
    world.accounts(to_sumo_logic(world, 5235, "Globex"))
    assert run()[0] == "success"
    sent = documents(source)
    messages = len(source.messages())
    marked = [message for message in source.messages() if is_of_preflight(message.text.encode())]
    assert len(marked) == 1

    # The third time, the receipt before knows of one delivery, and of what was there.
    for number, late_job in enumerate((100_000_000, 100_000_001), start=1):
        show(store, 5235, late_job)
        conf = {"window_start": START, "window_end": "2018-05-21T01:00:00Z"}
        assert run_dag("job_history_reconciliation", **conf)[0] == "success"

        assert len(source.messages()) == messages + number
        assert of_run(world.receipts()[5235, START]) == ("complete", 1, FINISHED[5235] + number - 1)
        assert world.receipts()[5235, START]["counts"]["late"] == number
    assert len(documents(source)) == len(sent) + 2

    assert run(mode="repair")[0] == "success"
    assert len(source.messages()) == 2 * (messages + 2) - len(marked)


def test_another_category_is_another_target_and_has_nothing_yet(world: World, source: LocalSource) -> None:
    world.accounts(to_sumo_logic(world, 5236, "Initech"))
    assert run()[0] == "success"

    world.accounts(to_sumo_logic(world, 5236, "Initech", source_category="audit/other"))
    assert run()[0] == "success"

    assert of_run(world.receipts()[5236, START]) == ("complete", FINISHED[5236], 0)
    assert {message.source_category for message in source.messages()} == {"audit/jobs", "audit/other"}


@pytest.mark.promise("possible-repeats")
def test_what_may_be_there_twice_stands_in_the_receipt(world: World, source: LocalSource) -> None:
    source.script([OK_FOR_THE_PREFLIGHT, reset_after_ingest()])
    world.accounts(to_sumo_logic(world, 5236, "Initech"))

    assert run()[0] == "success"
    receipt = world.receipts()[5236, START]
    requests = source.requests()
    assert [request.status for request in requests][:3] == [200, None, 200]
    assert of_run(receipt) == ("complete", FINISHED[5236], 0)
    assert 0 < receipt["counts"]["repeated"] <= FINISHED[5236]
    assert len(documents(source)) == FINISHED[5236]
