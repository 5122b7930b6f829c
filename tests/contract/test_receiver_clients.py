"""The local stand-ins of Splunk and Datadog understand the vendors' own clients, and these understand their answers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.receiver_clients import HERE, node_modules, python_environment
from tests.support.receivers import DATADOG_MAX_ENTRY, TOKEN, TRUNCATE, Receivers, local_receivers
from tests.support.sumo_logic_clients import send

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]  # the first run installs the clients


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with local_receivers() as running:
        yield running


def documents(count: int = 3) -> list[dict[str, Any]]:
    now = int(time.time() * 1000)
    return [{"timestamp": now - number, "text": f'Grüße {number} "€" \U0001f600'} for number in range(count)]


@pytest.fixture(scope="module")
def modules() -> str:
    return str(node_modules())


@pytest.fixture(scope="module")
def python() -> str:
    return str(python_environment())


class TestSplunksClient:
    @pytest.fixture
    def answers(self, receivers: Receivers, modules: str) -> Any:
        def answers(given: list[Any], *, batch: int = 1, token: str = TOKEN) -> dict[str, Any]:
            command = ["node", str(HERE / "splunk_logging.cjs")]
            return send(command, receivers.address, token, str(batch), documents=given, NODE_PATH=modules)

        return answers

    @pytest.mark.parametrize("batch", [1, 3])
    def test_its_events_are_stored_and_acknowledged(self, receivers: Receivers, answers: Any, batch: int) -> None:
        given = documents()
        success = {"status": 200, "code": 0}
        assert answers(given, batch=batch) == {"answers": [success] * (3 // batch), "errors": []}
        stored = [json.loads(text)["message"] for text in receivers.stored]
        assert sorted(stored, key=str) == sorted(given, key=str)
        assert {request.headers["Authorization"] for request in receivers.requests} == {f"Splunk {TOKEN}"}

    def test_a_token_it_does_not_know(self, answers: Any) -> None:
        reported = answers(documents(1), token="another-token")
        assert reported == {"answers": [{"status": 403, "code": 4}], "errors": [{"code": 4, "text": "Invalid token"}]}

    @pytest.mark.parametrize(
        ("changes", "code"), [({"acknowledges": True}, 10), ({"disabled": True}, 1), ({"indexes": {"other"}}, 7)]
    )
    def test_it_reads_the_codes_of_errors(
        self, receivers: Receivers, answers: Any, changes: dict[str, Any], code: int
    ) -> None:
        receivers.__dict__.update(changes)
        assert [error["code"] for error in answers(documents(1))["errors"]] == [code]

    def test_a_busy_collector_is_an_error_to_it(self, receivers: Receivers, answers: Any) -> None:
        receivers.faults = [503]
        assert answers(documents(1))["errors"] == [{"code": 9, "text": "Server is busy"}]

    def test_a_long_event_is_cut_without_an_error(self, receivers: Receivers, answers: Any) -> None:
        assert answers([{"timestamp": 1, "text": "€" * TRUNCATE}])["errors"] == []
        [stored] = receivers.stored
        assert len(stored.encode()) <= TRUNCATE + 2


class TestDatadogsClient:
    @pytest.fixture
    def answer(self, receivers: Receivers, python: str) -> Any:
        def answer(given: list[Any], api_key: str = TOKEN) -> dict[str, Any]:
            place = urlsplit(receivers.address).netloc
            return send([python, str(HERE / "datadog_client.py")], place, api_key, documents=given)

        return answer

    def test_its_entries_are_stored_and_accepted(self, receivers: Receivers, answer: Any) -> None:
        entries = [{"ddsource": "job_history", "message": each["text"]} for each in documents()]
        assert answer(entries) == {"status": 202, "answer": {}}
        assert [json.loads(text) for text in receivers.stored] == entries
        [request] = receivers.requests
        assert (request.headers["DD-API-KEY"], request.headers["Content-Encoding"]) == (TOKEN, "gzip")

    @pytest.mark.parametrize("fault", [400, 408, 413, 429, 500, 503])
    def test_errors_are_errors_to_it(self, receivers: Receivers, answer: Any, fault: int) -> None:
        receivers.faults = [fault]
        assert answer([{"message": "x"}])["status"] == fault

    def test_a_key_it_does_not_know(self, answer: Any) -> None:
        assert answer([{"message": "x"}], api_key="another-key")["status"] == 403

    def test_more_entries_or_bytes_than_a_request_takes(self, answer: Any) -> None:
        assert answer([{"message": "x"}] * 1_000)["status"] == 202
        assert answer([{"message": "x"}] * 1_001)["status"] == 413
        assert answer([{"message": "x" * 990_000}] * 6)["status"] == 413

    def test_a_long_entry_is_cut_and_an_old_one_dropped_without_an_error(
        self, receivers: Receivers, answer: Any
    ) -> None:
        old = {"message": "x", "timestamp": int((time.time() - 19 * 3600) * 1000)}
        assert answer([{"message": "x" * (DATADOG_MAX_ENTRY + 1)}, old])["status"] == 202
        [stored] = receivers.stored
        assert len(stored.encode()) <= DATADOG_MAX_ENTRY + 2
