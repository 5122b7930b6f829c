"""What a destination of messages promises: Splunk, Datadog, a plain receiver. Sumo Logic has suites of its own."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.certificates import self_signed_server
from tests.support.deliveries import deliver, document
from tests.support.receivers import DATADOG_PATH, HTTP_PATH, SPLUNK_PATH, TOKEN, Receivers, local_receivers
from tests.support.sockets import endless_answers, tls_server

from job_history.accounts.message_settings import (
    DatadogDestinationSettings,
    HttpDestinationSettings,
    SplunkHecDestinationSettings,
)
from job_history.destinations import Delivery
from job_history.destinations.messages.answers import Answers, AnySuccess, DatadogAnswers, SplunkAnswers
from job_history.destinations.messages.delivery import MessageDestination
from job_history.destinations.messages.encoders import (
    DATADOG_BATCH_ENTRIES,
    DATADOG_ENTRY_BYTES,
    DatadogEncoder,
    HttpEncoder,
    SplunkEncoder,
)
from job_history.destinations.messages.joining import join_each
from job_history.destinations.messages.receiver import Address, HttpReceiver
from job_history.destinations.messages.requests import Encoder
from job_history.documents.staged import StagedDocument
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.http.retry import Retries
from job_history.http.session import http_session
from job_history.ledger.acknowledgements import Acknowledgements
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.storage import local_storage
from job_history.testing.destinations import DestinationContract
from simulators.processes import free_port

DELIVERED, ALREADY_PRESENT, REPEATED = Delivery.DELIVERED, Delivery.ALREADY_PRESENT, Delivery.REPEATED
HOUR = Window(datetime(2018, 5, 21, tzinfo=UTC), datetime(2018, 5, 21, 1, tzinfo=UTC))
SIGNING_KEY = "a-signing-key-of-the-receiver"
ENCODERS: dict[str, Encoder] = {
    "splunk": SplunkEncoder(SplunkHecDestinationSettings(type="splunk_hec", conn_id="c", index="main", host="w1")),
    "datadog": DatadogEncoder(DatadogDestinationSettings(type="datadog", conn_id="c", tags={"env": "prod"})),
    "http": HttpEncoder(HttpDestinationSettings(type="http", conn_id="c")),
    "http, one a request": HttpEncoder(HttpDestinationSettings(type="http", conn_id="c", body="json")),
}
ANSWERS: dict[str, Answers] = {"splunk": SplunkAnswers(), "datadog": DatadogAnswers(), "http": AnySuccess()}
PATHS = {"splunk": (SPLUNK_PATH, "Splunk"), "datadog": (DATADOG_PATH, ""), "http": (HTTP_PATH, "Bearer")}


@dataclass
class Sender:
    """Sends to one of the stand-ins, with the acknowledgements of one ledger."""

    kind: str
    receivers: Receivers
    folder: Path
    run: str = "manual-1"
    waits: list[float] | None = None

    def address(self, **changes: Any) -> Address:
        path, scheme = PATHS[self.kind.partition(",")[0]]
        headers = {"DD-API-KEY": TOKEN} if not scheme else {"Authorization": f"{scheme} {TOKEN}"}
        fields: dict[str, Any] = {
            "name": "the receiver",
            "type": self.kind,
            "url": self.receivers.address + path,
            "headers": headers,
            "secrets": (TOKEN,),
            "conn_id": "receiver",
            "answers": ANSWERS[self.kind.partition(",")[0]],
            "compressed": not self.kind.startswith("http"),
            "idempotent": self.kind.startswith("http"),
            "signing_key": SIGNING_KEY if self.kind.startswith("http") else "",
        }
        return Address(**{**fields, **changes})

    def client(self, **changes: Any) -> HttpReceiver:
        waits = [] if self.waits is None else self.waits
        retries = Retries(attempts=3, first_throttled=20.0)
        return HttpReceiver(
            self.address(**changes), http_session(), retries=retries, sleep=waits.append, jitter=lambda: 0.0
        )

    def destination(self, **changes: Any) -> MessageDestination:
        client = self.client(**changes)
        slice_ = Slice(run=self.run, user_id=5234, name="Acme", window=HOUR, part=HOUR)
        acknowledgements = Acknowledgements(local_storage(self.folder), slice_, client.address.target)
        return MessageDestination(client, ENCODERS[self.kind], acknowledgements)

    def joined(self) -> dict[str, bytes]:
        """The documents that the messages at the receiver make, by delivery id."""
        return dict(join_each([self.message(text) for text in self.receivers.stored]))

    def message(self, text: str) -> bytes:
        if self.kind == "datadog":
            return bytes(msgspec.json.decode(text, type=dict[str, msgspec.Raw])["job_history"]) + b"\n"
        return text.encode() + b"\n"


@pytest.fixture
def receivers() -> Iterator[Receivers]:
    with local_receivers() as running:
        yield running


@pytest.fixture(params=ENCODERS)
def sender(request: pytest.FixtureRequest, receivers: Receivers, tmp_path: Path) -> Sender:
    return Sender(request.param, receivers, tmp_path, waits=[])


def many(count: int) -> list[StagedDocument]:
    return [document(number, title="Grüße, 世界 \U0001f600", size=400) for number in range(1, count + 1)]


def contents(documents: list[StagedDocument]) -> dict[str, bytes]:
    return {each.key: each.content() for each in documents}


@pytest.mark.promise("at-least-once")
@pytest.mark.parametrize("size", [400, 9_000, 30_000, 1_300_000])
def test_each_document_comes_back_byte_for_byte(sender: Sender, size: int) -> None:
    sent = [document(number, title="Grüße \U0001f600" * 20, size=size + number) for number in range(1, 4)]

    reported = deliver(sender.destination(), sent)

    assert reported == [(each.key, DELIVERED) for each in sorted(sent, key=lambda each: each.key)]
    assert sender.joined() == contents(sent)


def test_no_request_is_larger_than_the_receiver_takes(sender: Sender) -> None:
    sent = many(3_000)

    deliver(sender.destination(), sent)

    framing = ENCODERS[sender.kind].framing
    assert max(len(request.body) for request in sender.receivers.requests) <= framing.max_batch_bytes
    assert sender.joined() == contents(sent)
    if sender.kind == "datadog":
        assert max(len(json.loads(each.body)) for each in sender.receivers.requests) == DATADOG_BATCH_ENTRIES
    if sender.kind == "http, one a request":
        assert len(sender.receivers.requests) == len(sent)


@pytest.mark.parametrize("over", [-1, 0, 1, 2, 3])
@pytest.mark.parametrize(("kind", "limit"), [("splunk", 10_000), ("datadog", DATADOG_ENTRY_BYTES)])
def test_at_the_limit_of_a_message_nothing_is_cut(
    receivers: Receivers, tmp_path: Path, kind: str, limit: int, over: int
) -> None:
    """Splunk cuts an event at TRUNCATE bytes and Datadog an entry at 1 MB, both in silence."""
    encoder = ENCODERS[kind]
    for number, title in enumerate(["e", "é", "世", "\U0001f600", "\\", '"']):
        receivers.stored.clear()
        sender = Sender(kind, receivers, tmp_path / str(number))
        around = max(len(each) for each in encoder.messages_of(document(1, title=title, size=500))) - 500
        sent = [document(1, title=title, size=limit - around + over)]

        deliver(sender.destination(), sent)

        assert all(len(text.encode()) <= limit for text in receivers.stored)
        assert all(isinstance(json.loads(text), dict) for text in receivers.stored)
        assert sender.joined() == contents(sent)


@pytest.mark.parametrize("limit", [10_000, 1_000_000])
def test_the_stand_in_cuts_bytes_and_not_characters(receivers: Receivers, tmp_path: Path, limit: int) -> None:
    """Else a message of characters of several bytes would pass here, and be cut by the vendor."""
    kind = "splunk" if limit == 10_000 else "datadog"
    text = json.dumps("世" * (limit // 3), ensure_ascii=False).encode()
    body = b'{"event":%b}' % text if kind == "splunk" else b'[{"message":%b}]' % text
    client = Sender(kind, receivers, tmp_path).client()

    assert client.send_once(gzip.compress(body), "key").accepted

    [stored] = receivers.stored
    assert len(stored.encode(errors="replace")) < limit + 3
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(stored)


@pytest.mark.promise("at-least-once")
def test_a_retry_of_the_task_sends_nothing_that_was_acknowledged(sender: Sender) -> None:
    sent = many(50)
    deliver(sender.destination(), sent)
    requests = len(sender.receivers.requests)

    assert {delivery for _, delivery in deliver(sender.destination(), sent)} == {ALREADY_PRESENT}
    assert len(sender.receivers.requests) == requests


@pytest.mark.promise("at-least-once")
def test_a_request_of_unknown_outcome_is_sent_again_and_counted_as_repeated(sender: Sender) -> None:
    sent = many(3)
    sender.receivers.faults = ["lost"]

    reported = deliver(sender.destination(), sent)

    assert Counter(delivery for _, delivery in reported)[REPEATED] >= 1
    assert sender.joined() == contents(sent)


@pytest.mark.parametrize(("status", "wait"), [(429, 20.0), (503, 1.0), (500, 1.0), (408, 1.0)])
def test_a_busy_receiver_is_asked_again(sender: Sender, status: int, wait: float) -> None:
    sender.receivers.faults = [status]

    reported = deliver(sender.destination(), many(1))

    assert [delivery for _, delivery in reported] == [REPEATED if status in {408, 500} else DELIVERED]
    assert sender.waits == [wait]


def fails(sender: Sender, **changes: Any) -> ReplicationError:
    with pytest.raises(ReplicationError) as raised:
        deliver(sender.destination(**changes), many(1))
    assert TOKEN not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, PermanentError, Code.RECEIVER_BAD_REQUEST),
        (404, PermanentError, Code.RECEIVER_NOT_FOUND),
        (413, PermanentError, Code.RECEIVER_TOO_LARGE),
        (302, PermanentError, Code.RECEIVER_REDIRECT),
        (418, PermanentError, Code.RECEIVER_REFUSED),
        (429, TransientError, Code.RECEIVER_THROTTLED),
        (502, TransientError, Code.RECEIVER_BUSY),
    ],
)
def test_an_answer_that_refuses_is_sorted(sender: Sender, status: int, kind: type, code: Code) -> None:
    sender.receivers.faults = [status] * 3
    refused = fails(sender)
    assert (type(refused), refused.code) == (kind, code)
    assert sender.receivers.stored == []


def test_faults_of_the_connection_are_sorted(sender: Sender) -> None:
    refused = fails(sender, url=f"http://127.0.0.1:{free_port()}/x")
    assert (type(refused), refused.code) == (TransientError, Code.RECEIVER_UNREACHABLE)
    refused = fails(sender, url="no://url at all")
    assert (type(refused), refused.code) == (PermanentError, Code.RECEIVER_URL_UNUSABLE)
    refused = fails(sender, url="http://nosuch.invalid/x")
    assert (type(refused), refused.code) == (TransientError, Code.RECEIVER_NO_ADDRESS)


def test_a_receiver_that_does_not_answer_or_cannot_be_trusted_is_sorted(sender: Sender, tmp_path: Path) -> None:
    with tls_server(self_signed_server(tmp_path)) as port:
        refused = fails(sender, url=f"https://127.0.0.1:{port}/x")
        assert (type(refused), refused.code) == (PermanentError, Code.RECEIVER_CERTIFICATE)
    sender.receivers.faults = ["lost"] * 3
    refused = fails(sender)
    assert (type(refused), refused.code) == (TransientError, Code.RECEIVER_NO_ANSWER)


NO_ACKNOWLEDGEMENTS = [
    (200, "<html>Please log in</html>"),
    (200, '{"text":"Server is busy","code":9}'),
    (200, '{"text":"Success"}'),
    (200, '{"errors":[{"detail":"Forbidden"}]}'),
    (200, "[]"),
    (203, '{"text":"Success","code":0}'),
    (206, '{"text":"Success","code":0}'),
]


@pytest.mark.promise("own-acknowledgement")
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        *(("splunk", answer) for answer in NO_ACKNOWLEDGEMENTS),
        # Other fields are no error of Datadog's.
        *(("datadog", answer) for answer in NO_ACKNOWLEDGEMENTS if answer[0] != 200 or '"text"' not in answer[1]),
    ],
    ids=str,
)
def test_a_success_that_is_not_the_receivers_own_delivers_nothing(
    receivers: Receivers, tmp_path: Path, kind: str, answer: tuple[int, str]
) -> None:
    sender = Sender(kind, receivers, tmp_path, waits=[])
    receivers.faults = [answer]

    refused = fails(sender)

    assert (type(refused), refused.code) == (PermanentError, Code.RECEIVER_NOT_ACKNOWLEDGED)
    assert "is not known" in str(refused)
    # It may be there: what is sent again counts as repeated.
    assert [delivery for _, delivery in deliver(sender.destination(), many(1))] == [REPEATED]


@pytest.mark.promise("own-acknowledgement")
@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("datadog", (202, "{}")),
        ("datadog", (200, "{}")),
        ("datadog", (202, "")),
        ("http", (200, "<html>")),
        ("http", (201, "")),
    ],
)
def test_a_documented_success_acknowledges(
    receivers: Receivers, tmp_path: Path, kind: str, answer: tuple[int, str]
) -> None:
    receivers.faults = [answer]
    assert [got for _, got in deliver(Sender(kind, receivers, tmp_path).destination(), many(1))] == [DELIVERED]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_without_end_is_not_read_to_its_end(receivers: Receivers, tmp_path: Path, status: int) -> None:
    with endless_answers(status) as port:
        client = Sender("http", receivers, tmp_path).client(url=f"http://127.0.0.1:{port}/x")
        attempts = [client.send_once(gzip.compress(b"{}"), "key") for _ in range(2)]
    assert [attempt.status for attempt in attempts] == [status] * 2
    assert all(attempt.accepted is (status == 200) for attempt in attempts)


def test_a_wrong_token_is_permanent_and_not_repeated(sender: Sender) -> None:
    refused = fails(sender, headers={"Authorization": "Splunk wrong-token-1", "DD-API-KEY": "wrong-token-1"})
    assert (type(refused), refused.code) == (PermanentError, Code.RECEIVER_UNAUTHORIZED)


def test_no_token_is_in_any_log(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sender.receivers.faults = [503, "lost"]
    deliver(sender.destination(), many(2))
    fails(Sender(sender.kind, sender.receivers, sender.folder / "b", waits=[]), url="http://127.0.0.1:1/x")
    assert caplog.records
    assert TOKEN not in caplog.text
    assert SIGNING_KEY not in caplog.text


def test_the_description_names_the_place_without_secrets(sender: Sender) -> None:
    described = sender.destination().description()
    assert (described["type"], described["endpoint"]) == (sender.kind, sender.address().url)
    assert TOKEN not in json.dumps(described)


@pytest.mark.promise("message-place")
def test_a_new_token_is_the_same_place_and_cannot_be_guessed_from_a_receipt(sender: Sender) -> None:
    target = sender.address().target
    assert sender.address(headers={"Authorization": "Splunk other"}, secrets=("other",)).target == target
    assert sender.address(url=f"{sender.address().url}/2").target != target
    assert sender.address(conn_id="another").target != target
    assert sender.address(settings={"index": "x"}).target != target


class TestSplunk:
    def test_an_event_has_its_own_time_and_the_settings_of_the_account(
        self, receivers: Receivers, tmp_path: Path
    ) -> None:
        deliver(Sender("splunk", receivers, tmp_path).destination(), many(1))
        event = json.loads(receivers.requests[0].body)
        assert {name: event[name] for name in ("time", "index", "host")} == {
            "time": 1526860810.0,
            "index": "main",
            "host": "w1",
        }

    def test_an_index_that_the_token_does_not_allow_is_a_permanent_error(
        self, receivers: Receivers, tmp_path: Path
    ) -> None:
        receivers.indexes = {"other"}
        refused = fails(Sender("splunk", receivers, tmp_path, waits=[]))
        assert (type(refused), refused.code) == (PermanentError, Code.RECEIVER_BAD_REQUEST)

    @pytest.mark.parametrize(
        ("changes", "code"),
        [({"acknowledges": True}, Code.RECEIVER_BAD_REQUEST), ({"disabled": True}, Code.RECEIVER_UNAUTHORIZED)],
    )
    def test_a_token_that_cannot_be_used_is_a_permanent_error(
        self, receivers: Receivers, tmp_path: Path, changes: dict[str, bool], code: Code
    ) -> None:
        receivers.__dict__.update(changes)
        refused = fails(Sender("splunk", receivers, tmp_path, waits=[]))
        assert (type(refused), refused.code) == (PermanentError, code)

    def test_events_before_the_one_that_was_refused_may_be_there(self, receivers: Receivers, tmp_path: Path) -> None:
        sender = Sender("splunk", receivers, tmp_path, waits=[])
        receivers.faults = [(400, '{"text":"Incorrect index","code":7,"invalid-event-number":2}')]
        fails(sender)
        assert [delivery for _, delivery in deliver(sender.destination(), many(1))] == [REPEATED]

    def test_nothing_is_there_if_the_first_event_was_refused(self, receivers: Receivers, tmp_path: Path) -> None:
        sender = Sender("splunk", receivers, tmp_path, waits=[])
        receivers.faults = [(400, '{"text":"Incorrect index","code":7,"invalid-event-number":0}')]
        fails(sender)
        assert [delivery for _, delivery in deliver(sender.destination(), many(1))] == [DELIVERED]


class TestDatadog:
    def test_an_entry_has_source_tags_and_no_time_of_its_own(self, receivers: Receivers, tmp_path: Path) -> None:
        deliver(Sender("datadog", receivers, tmp_path).destination(), many(1))
        [entry] = json.loads(receivers.requests[0].body)
        assert (entry["ddsource"], entry["ddtags"]) == ("job_history", "env:prod")
        assert entry["message"] == document(1).key
        assert entry["job_history"]["timestamp"] == 1526860810000
        assert "timestamp" not in entry


class TestHttp:
    def test_a_request_of_one_document_has_its_delivery_id_as_idempotency_key(
        self, receivers: Receivers, tmp_path: Path
    ) -> None:
        sender = Sender("http, one a request", receivers, tmp_path, waits=[])
        receivers.faults = [503]
        deliver(sender.destination(), [document(1), document(2, size=1_500_000)])
        keys = [request.headers["Idempotency-Key"] for request in receivers.requests]
        assert keys[:2] == [document(1).key] * 2
        assert len(set(keys[2:])) == len(keys[2:]) >= 2
        assert all(key.startswith(f"{document(2).key}#") for key in keys[2:])

    def test_another_cut_of_a_document_has_other_keys(self, receivers: Receivers, tmp_path: Path) -> None:
        """A receiver that remembers keys would take part 1 of one cut for part 1 of another."""
        large = document(1, size=30_000)
        keys = []
        for limit in (10_000, 20_000):
            settings = HttpDestinationSettings(type="http", conn_id="c", body="json", max_message_bytes=limit)
            client = Sender("http", receivers, tmp_path).client()
            receivers.requests.clear()
            slice_ = Slice(run=f"r-{limit}", user_id=5234, name="Acme", window=HOUR, part=HOUR)
            acknowledgements = Acknowledgements(local_storage(tmp_path / str(limit)), slice_, "t")
            deliver(MessageDestination(client, HttpEncoder(settings), acknowledgements), [large])
            keys += [request.headers["Idempotency-Key"] for request in receivers.requests]
        assert len(set(keys)) == len(keys) > 4

    def test_a_repair_is_sent_under_keys_of_its_own(self, receivers: Receivers, tmp_path: Path) -> None:
        sender = Sender("http, one a request", receivers, tmp_path)
        deliver(sender.destination(key_suffix="#repair-1"), [document(1)])
        assert receivers.requests[0].headers["Idempotency-Key"] == f"{document(1).key}#repair-1"

    def test_a_request_of_several_has_the_digest_of_its_body(self, receivers: Receivers, tmp_path: Path) -> None:
        deliver(Sender("http", receivers, tmp_path).destination(), many(3))
        [request] = receivers.requests
        assert request.headers["Idempotency-Key"] == hashlib.sha256(request.body).hexdigest()
        assert request.headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("compressed", [False, True])
    def test_the_signature_is_of_the_body_as_sent(self, receivers: Receivers, tmp_path: Path, compressed: bool) -> None:
        deliver(Sender("http", receivers, tmp_path).destination(compressed=compressed), many(3))
        [request] = receivers.requests
        signature = hmac.new(SIGNING_KEY.encode(), request.raw, hashlib.sha256).hexdigest()
        assert request.headers["X-Job-History-Signature"] == f"sha256={signature}"
        assert (gzip.decompress(request.raw) if compressed else request.raw) == request.body


class TestImportableSuite(DestinationContract):
    """What packages of others run against their own kinds holds for ours."""

    @pytest.fixture(autouse=True)
    def _sender(self, sender: Sender) -> None:
        self.sender = sender

    def destination(self, **_options: Any) -> MessageDestination:
        return self.sender.destination()

    def stored(self) -> dict[str, bytes]:
        return self.sender.joined()

    def test_after_a_kill_the_next_delivery_completes_the_place(self) -> None:
        pytest.skip("a process with threads is not forked; tests/contract/test_other_destinations_broken.py has kills")
