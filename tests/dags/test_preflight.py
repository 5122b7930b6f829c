"""Preflight at the start of a run, and by hand."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from job_history.accounts.account import Account
from job_history.errors.code import Code
from simulators.processes import free_port
from simulators.sumo_logic import LocalSource, local_source

from .conftest import World
from .test_replication_run import FINISHED, of_run, run

START = "2018-05-21T00:00:00Z"


def passed(world: World) -> dict[int, dict]:
    found = [json.loads(path.read_bytes()) for path in (world.ledger / "_control" / "preflight").glob("*.json")]
    return {each["user_id"]: each for each in found}


@pytest.mark.promise("preflight-blocks")
def test_error_finding_fails_its_account_before_its_source_is_read_and_no_other(world: World) -> None:
    nowhere = {"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}
    world.accounts(world.account(5234, "Acme", destination=nowhere), world.account(5236, "Initech"))

    state, tasks = run()

    assert state == "failed"
    assert {task: outcome for task, outcome in tasks.items() if task[0].startswith("shared.")} == {
        (f"shared.{step}", 0): "success" for step in ("extract", "transform", "load")
    }
    held_back, complete = (world.receipts()[user_id, START] for user_id in (5234, 5236))
    assert of_run(complete) == ("complete", FINISHED[5236], 0)
    assert held_back["state"] == "failed"
    assert held_back["counts"]["counted"] > 0
    assert held_back["faults"] == [
        "preflight of account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z): S3_NO_SUCH_BUCKET: "
        f"Account 5234 Acme, bucket no-such-bucket at {world.s3.url}: there is no such bucket (404 NoSuchBucket: The "
        "specified bucket does not exist). Create the bucket, or correct `destination.bucket` of the account (or the "
        "bucket of its connection)."
    ]
    assert set(passed(world)) == {5236}


@pytest.mark.promise("preflight-blocks")
def test_what_may_pass_holds_nothing_back(world: World) -> None:
    """The first answer is a 503: the preflight warns, the load finds the source well, and the next run looks again."""
    with local_source() as source:
        source.script([503])
        world.connect("sumo", {"conn_type": "sumo_logic", "password": source.url})
        destination = {"type": "sumo_logic", "conn_id": "sumo"}
        world.accounts(world.account(5236, "Initech", destination=destination))

        assert run()[0] == "success"
        assert of_run(world.receipts()[5236, START]) == ("complete", FINISHED[5236], 0)
        assert marked(source) == []
        assert passed(world) == {}

        assert run(mode="repair")[0] == "success"
        assert len(marked(source)) == 1
        assert set(passed(world)) == {5236}


def marked(source: LocalSource) -> list[dict]:
    messages = [json.loads(message.text) for message in source.messages()]
    return [message for message in messages if "preflight" in message["replication"]]


@pytest.mark.promise("preflight-leaves-little")
def test_who_passed_is_looked_at_again_only_after_a_load_that_failed(world: World) -> None:
    world.accounts(world.account(5236, "Initech"))
    client = world.s3.client()
    assert run()[0] == "success"
    (probe,) = client.list_objects_v2(Bucket=world.bucket, Prefix="_control/probe/")["Contents"]
    client.delete_object(Bucket=world.bucket, Key=probe["Key"])

    assert run(mode="repair")[0] == "success"
    assert "Contents" not in client.list_objects_v2(Bucket=world.bucket, Prefix="_control/probe/")

    # An account that passed before fails now: the load reports it, and the next run checks before anything is read.
    empty(world)
    assert [run(mode="repair")[1].get(("shared.load", 0)) for _ in range(2)] == ["success", None]
    assert passed(world) == {}


def empty(world: World) -> None:
    """Take the bucket away, with all that is in it."""
    client = world.s3.client()
    versions = client.list_object_versions(Bucket=world.bucket)
    for version in versions.get("Versions", []) + versions.get("DeleteMarkers", []):
        client.delete_object(Bucket=world.bucket, Key=version["Key"], VersionId=version["VersionId"])
    client.delete_bucket(Bucket=world.bucket)


def test_accounts_of_one_connection_and_bucket_share_its_session_and_clients(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first plan checks every account: a session and its clients take 0.2 seconds and 11 MB each."""
    from job_history.preflight import s3 as preflight
    from job_history.storage.s3 import resolve
    from job_history_airflow.factories import s3

    made: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            # The report opens stores for seals in threads.
            made[name] += threading.current_thread() is threading.main_thread() or name == "clients"
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(s3, "_opened", counted("sessions", s3._opened))
    monkeypatch.setattr(resolve, "resolve", counted("resolved", resolve.resolve))
    monkeypatch.setattr(preflight, "open_bucket", counted("clients", preflight.open_bucket))
    encrypted = {"type": "s3", "conn_id": "s3", "bucket": world.bucket, "server_side_encryption": "AES256"}
    world.accounts(
        *(world.account(user_id, "Acme") for user_id in range(5230, 5240)),
        world.account(7777, "Other", destination=encrypted),
    )

    assert run()[0] == "success"

    assert set(passed(world)) == {*range(5230, 5240), 7777}
    # Two in the plan; and one in the load, because the account with other settings has no jobs.
    assert made == {"sessions": 3, "resolved": 3, "clients": 2}


def test_what_is_shared_ends_with_its_task() -> None:
    from job_history_airflow.factories.sharing import shared, shared_clients

    class Client:
        closed = False

        def close(self) -> None:
            self.closed = True

    with shared_clients():
        first, again = shared("a", Client), shared("a", Client)
        assert first is again
        assert not first.closed
    assert first.closed
    assert shared("a", Client) is not shared("a", Client)


def test_what_fails_is_tried_again_for_the_next_account() -> None:
    from job_history_airflow.factories.sharing import shared, shared_clients

    def refused() -> str:
        raise ValueError

    with shared_clients():
        with pytest.raises(ValueError, match=""):
            shared("a", refused)
        assert shared("a", lambda: "made") == "made"


class TestByHand:
    def findings(self, account: dict) -> list[Code]:
        from job_history_airflow.preflight import preflight_account
        from job_history_airflow.settings import read_settings

        return [finding.code for finding in preflight_account(Account.model_validate(account), read_settings())]

    def test_destination_and_source_are_looked_at(self, world: World, tmp_path: Path) -> None:
        world.connect("empty_store", {"conn_type": "sqlite", "host": str(tmp_path / "empty.db")})
        nowhere = {"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}
        empty_store = {"type": "sql", "conn_id": "empty_store"}

        assert self.findings(world.account(5234, "Acme")) == []
        assert self.findings(world.account(5234, "Acme", source=empty_store, destination=nowhere)) == [
            Code.S3_NO_SUCH_BUCKET,
            Code.SQL_NOT_FOUND,
        ]

    @pytest.mark.parametrize(
        "change",
        [
            {"destination": {"type": "s3", "conn_id": "nowhere", "bucket": "any-bucket"}},
            {"destination": {"type": "sumo_logic", "conn_id": "nowhere"}},
            {"source": {"type": "sql", "conn_id": "nowhere"}},
            {"source": {"type": "workato", "conn_id": "nowhere"}},
        ],
    )
    def test_a_connection_that_is_not_there(self, world: World, change: dict) -> None:
        assert self.findings(world.account(5234, "Acme", **change)) == [Code.CONNECTION_UNUSABLE]

    def test_an_endpoint_that_is_away(self, world: World) -> None:
        endpoint = f"http://127.0.0.1:{free_port()}"
        world.connect("s3", {"conn_type": "aws", "login": "x", "password": "y", "extra": {"endpoint_url": endpoint}})

        assert self.findings(world.account(5234, "Acme")) == [Code.S3_UNREACHABLE]

    def test_a_region_that_is_none(self, world: World) -> None:
        extra = {"region_name": "not a region"}
        world.connect("s3", {"conn_type": "aws", "login": "x", "password": "y", "extra": extra})

        assert self.findings(world.account(5234, "Acme")) == [Code.S3_ENDPOINT_UNUSABLE]
