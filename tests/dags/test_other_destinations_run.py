"""Whole runs of the hourly DAG with accounts that go to Google Cloud Storage, Splunk, Datadog and a plain receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from tests.support.google_storage import TOKEN as GOOGLE_TOKEN
from tests.support.google_storage import GoogleStorage, google_storage
from tests.support.receivers import HTTP_PATH, TOKEN, Receivers, local_receivers

from job_history.destinations.messages.joining import join_each

from .conftest import World
from .test_object_store_connections import service_account_key
from .test_replication_run import FINISHED, of_run, run

START = "2018-05-21T00:00:00Z"
DESTINATIONS = {
    "splunk_hec": {"type": "splunk_hec", "conn_id": "splunk", "index": "main"},
    "datadog": {"type": "datadog", "conn_id": "datadog"},
    "http": {"type": "http", "conn_id": "hook", "path": HTTP_PATH},
}


@pytest.fixture
def receivers(world: World) -> Iterator[Receivers]:
    with local_receivers() as running:
        world.connect("splunk", {"conn_type": "splunk_hec", "host": running.address, "password": TOKEN})
        extra = {"api_key": TOKEN, "intake_url": running.address}
        world.connect("datadog", {"conn_type": "datadog", "extra": extra})
        hook = {"headers": {"Authorization": f"Bearer {TOKEN}"}}
        world.connect("hook", {"conn_type": "http", "host": running.address, "extra": hook})
        yield running


class TokenEndpoint(BaseHTTPRequestHandler):
    """Google's token endpoint, as far as a service account asks it."""

    def do_POST(self) -> None:
        body = json.dumps({"access_token": GOOGLE_TOKEN, "expires_in": 3600, "token_type": "Bearer"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def token_uri() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), TokenEndpoint) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()


@pytest.fixture
def google(world: World, token_uri: str) -> Iterator[GoogleStorage]:
    with google_storage() as running:
        running.create_bucket("acme-audit")
        extra = {"keyfile_dict": service_account_key(token_uri), "endpoint_url": running.address}
        world.connect("google", {"conn_type": "google_cloud_platform", "extra": extra})
        yield running


def documents(receivers: Receivers, kind: str) -> dict[str, bytes]:
    texts = [json.loads(text) for text in receivers.stored]
    messages = [text["job_history"] for text in texts if "job_history" in text] if kind == "datadog" else texts
    lines = [json.dumps(each, ensure_ascii=False, separators=(",", ":")).encode() for each in messages]
    return dict(join_each([line for line in lines if b'"delivery_id"' in line]))


@pytest.mark.promise("at-least-once")
@pytest.mark.parametrize("kind", DESTINATIONS)
def test_an_account_goes_to_its_receiver_once(world: World, receivers: Receivers, kind: str) -> None:
    world.accounts(world.account(5235, "Globex", destination=DESTINATIONS[kind]))

    assert run()[0] == "success"
    sent = documents(receivers, kind)
    requests = len(receivers.requests)
    assert run()[0] == "success"

    receipt = world.receipts()[5235, START]
    assert of_run(receipt) == ("complete", FINISHED[5235], 0)
    assert receipt["destination"]["type"] == kind
    assert TOKEN not in json.dumps(receipt)
    assert len(sent) == FINISHED[5235]
    assert len(receivers.requests) == requests


@pytest.mark.promise("missing-only")
def test_an_account_that_moved_from_s3_is_not_complete_at_google_storage(world: World, google: GoogleStorage) -> None:
    world.accounts(world.account(5235, "Globex"))
    assert run()[0] == "success"
    assert of_run(world.receipts()[5235, START]) == ("complete", FINISHED[5235], 0)

    there = {"type": "google_storage", "conn_id": "google", "bucket": "acme-audit"}
    world.accounts(world.account(5235, "Globex", destination=there))
    assert run()[0] == "success"

    receipt = world.receipts()[5235, START]
    assert of_run(receipt) == ("complete", FINISHED[5235], 0)
    assert receipt["destination"]["type"] == "google_storage"
    keys = {key for key in google.buckets["acme-audit"] if "_control/" not in key}
    assert keys == world.keys()
    assert len(keys) == FINISHED[5235]
