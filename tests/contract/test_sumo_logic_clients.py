"""The local Sumo Logic source understands clients that others wrote for the real one, and they understand it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.sumo_logic_clients import HERE, node_modules, python_environment, send

from simulators.sumo_logic import LocalSource, Slice, local_source, reset_after_ingest, warning

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]  # the first run installs the clients


@pytest.fixture
def source() -> Iterator[LocalSource]:
    with local_source() as running:
        yield running


@pytest.fixture
def documents() -> list[dict[str, Any]]:
    now = int(time.time() * 1000)
    return [{"timestamp": now - age, "text": f'Grüße \u2028 {age} "€" \U0001f600\n'} for age in (30, 20, 10)]


@pytest.fixture(scope="module")
def python() -> str:
    return str(python_environment())


@pytest.fixture(scope="module")
def modules() -> str:
    return str(node_modules())


def received(source: LocalSource) -> list[Any]:
    return [json.loads(message.text) for message in source.messages()]


class TestVendorsPythonSdk:
    @pytest.fixture
    def command(self, python: str) -> list[str]:
        return [python, str(HERE / "appclient.py")]

    def test_one_request(self, source: LocalSource, command: list[str], documents: list[dict[str, Any]]) -> None:
        assert send(command, source.url, "500000", documents=documents) == {"accepted": True}
        assert received(source) == documents
        assert [message.message_time for message in source.messages()] == [d["timestamp"] for d in documents]
        [request] = source.requests()
        assert (request.status, request.messages, request.stored) == (200, 3, 3)
        assert request.headers["content-type"] == "application/json"
        assert request.headers["content-encoding"] == "deflate"
        assert request.headers["x-sumo-client"] == "contract-test"

    def test_many_requests_of_which_some_are_empty(
        self, source: LocalSource, command: list[str], documents: list[dict[str, Any]]
    ) -> None:
        documents[0]["text"] = "x" * 70_000  # above the SDK's limit: it posts an empty body, then this one alone
        assert send(command, source.url, "60000", documents=documents) == {"accepted": True}
        assert [(request.status, request.messages) for request in source.requests()] == [(200, 0), (200, 1), (200, 2)]
        first, second, *others = source.messages()
        assert (first.slice, second.slice) == (Slice(message=0, number=1, of=2), Slice(message=0, number=2, of=2))
        assert json.loads(first.text + second.text) == documents[0]
        assert [json.loads(message.text) for message in others] == documents[1:]

    def test_it_repeats_what_it_may_repeat(
        self, source: LocalSource, command: list[str], documents: list[dict[str, Any]]
    ) -> None:
        source.script([429, 503, 504])
        assert send(command, source.url, "500000", documents=documents) == {"accepted": True}
        assert [request.status for request in source.requests()] == [429, 503, 504, 200]
        assert received(source) == documents

    def test_a_reset_after_ingest_leaves_it_with_repeats(
        self, source: LocalSource, command: list[str], documents: list[dict[str, Any]]
    ) -> None:
        source.script([reset_after_ingest()])
        assert send(command, source.url, "500000", documents=documents) == {"accepted": True}
        assert [request.status for request in source.requests()] == [None, 200]
        assert received(source) == documents * 2

    def test_a_warning_is_a_success_to_it(
        self, source: LocalSource, command: list[str], documents: list[dict[str, Any]]
    ) -> None:
        source.script([warning()])
        assert send(command, source.url, "500000", documents=documents) == {"accepted": True}

    @pytest.mark.parametrize("status", [400, 401, 408])
    def test_it_gives_up_on_the_rest(
        self, source: LocalSource, command: list[str], documents: list[dict[str, Any]], status: int
    ) -> None:
        url = source.url
        if status == 401:
            source.change(token="changed")
        else:
            source.script([status])
        assert send(command, url, "500000", documents=documents) == {"accepted": False}
        assert [request.status for request in source.requests()] == [status]
        assert source.messages() == []


class TestSumopy:
    @pytest.fixture
    def command(self, python: str) -> list[str]:
        return [python, str(HERE / "sumopy_handler.py")]

    def test_a_request_for_each_line(
        self, source: LocalSource, command: list[str], documents: list[dict[str, Any]]
    ) -> None:
        send(command, source.url, "plain", documents=documents)
        assert received(source) == documents
        assert {message.source_name for message in source.messages()} == {"sumopy"}
        assert [(request.status, request.messages) for request in source.requests()] == [(200, 1)] * 3

    def test_its_compression_is_none_and_is_found_out(
        self, source: LocalSource, command: list[str], documents: list[dict[str, Any]]
    ) -> None:
        send(command, source.url, "compressed", documents=documents[:1])
        [request] = source.requests()
        assert request.headers["content-encoding"] == "gzip"
        assert (request.status, request.note.partition(":")[0]) == (
            400,
            "Content-Encoding is gzip, the body is something else",
        )
        assert source.messages() == []


class TestNpm:
    @pytest.mark.parametrize("statuses", [[], [503, 429]])
    def test_winston_transport(
        self, source: LocalSource, modules: str, documents: list[dict[str, Any]], statuses: list[int]
    ) -> None:
        source.script(statuses)
        command = ["node", str(HERE / "winston.cjs")]
        outcome = send(command, source.url, documents=documents, NODE_PATH=modules)
        assert outcome == {"errors": len(statuses)}
        assert [document["meta"] for document in received(source)] == documents
        assert {message.source_category for message in source.messages()} == {"winston"}
        assert [request.status for request in source.requests()] == [*statuses, 200]
        assert source.requests()[-1].headers["content-type"] == "text/plain"

    @pytest.mark.parametrize("statuses", [[], [503, 429]])
    def test_vendors_javascript_sdk(
        self, source: LocalSource, modules: str, documents: list[dict[str, Any]], statuses: list[int]
    ) -> None:
        source.script(statuses)
        command = ["node", str(HERE / "sumo_logger.cjs")]
        outcome = send(command, source.url, documents=documents, NODE_PATH=modules)
        assert outcome == {"errors": len(statuses)}
        sent = [{name: value for name, value in d.items() if name in documents[0]} for d in received(source)]
        assert sent == documents
        assert {(m.source_name, m.source_host, m.source_category) for m in source.messages()} == {
            ("javascript", "node", "sdk")
        }
        assert [request.status for request in source.requests()] == [*statuses, 200]
        assert source.requests()[-1].headers["x-sumo-client"] == "sumo-javascript-sdk"
