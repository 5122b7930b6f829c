"""Delivery to an HTTP source: every document whole, in requests that stay the same, each acknowledged one sent once."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.deliveries import deliver
from tests.support.sumo_logic_sender import DOCUMENTS, Sender, batches_of, bodies, joined, wide_document
from tests.unit.samples import DAY, account

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import SumoLogicDestinationSettings
from job_history.destinations import Delivery, Destination
from job_history.destinations.sumo_logic import headers_of
from job_history.documents.staged import StagedDocument
from job_history.errors import PermanentError
from job_history.ledger.item import Item
from job_history.ledger.items import ListHeader, item_writer, items_at
from job_history.ledger.previous_run import read_previous_run
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import receipt_path, window_folder
from job_history.model.job import JobRecord
from job_history.model.slice import Slice
from job_history.model.timestamp import epoch_milliseconds, format_time, parse_time
from job_history.model.window import Window
from job_history.pipeline.load import load
from job_history.pipeline.results import Extracted
from job_history.pipeline.transform import transform
from job_history.storage import local_storage
from job_history.storage.staging import staged_writer
from job_history.testing.destinations import DestinationContract
from simulators.sumo_logic import LocalSource, dropped, local_source, reset_after_ingest, warning

DELIVERED, ALREADY_PRESENT, REPEATED = Delivery.DELIVERED, Delivery.ALREADY_PRESENT, Delivery.REPEATED
KEYS = [document.key for document in DOCUMENTS]
BATCHES = batches_of(DOCUMENTS)
NOW = 1_795_360_000  # 2026-11-22T15:06:40Z


@pytest.fixture
def source() -> Iterator[LocalSource]:
    with local_source() as running:
        yield running


@pytest.fixture
def sender(source: LocalSource, tmp_path: Path) -> Sender:
    return Sender(tmp_path, source.url)


def reported(*deliveries: Delivery) -> list[tuple[str, Delivery]]:
    return list(zip(KEYS, deliveries, strict=True))


class TestOnce:
    @pytest.mark.promise("messages-join")
    def test_documents_come_back_byte_for_byte(self, source: LocalSource, sender: Sender) -> None:
        documents = [*DOCUMENTS, wide_document(6, 5_000_000)]

        assert deliver(sender.destination(), documents) == [(document.key, DELIVERED) for document in documents]

        assert joined(source) == {document.key: document.content() for document in documents}
        assert {message.slice for message in source.messages()} == {None}
        assert max(message.size for message in source.messages()) < 65_000

    @pytest.mark.promise("requests")
    def test_the_requests_are_those_that_the_documents_make_one_after_another_on_one_connection(
        self, source: LocalSource, sender: Sender
    ) -> None:
        deliver(sender.destination(), DOCUMENTS)

        assert len(BATCHES) == 3
        assert bodies(source) == [batch.body for batch in BATCHES]
        assert [(request.status, request.bytes) for request in source.requests()] == [
            (200, len(batch.body)) for batch in BATCHES
        ]
        assert max(request.bytes for request in source.requests()) <= 1_000_000
        assert {request.in_flight for request in source.requests()} == {1}
        assert len({request.peer_port for request in source.requests()}) == 1

    def test_the_same_documents_give_the_same_bytes_on_the_wire(self, source: LocalSource, sender: Sender) -> None:
        deliver(sender.destination(), DOCUMENTS)
        deliver(sender.of_run("another", folder=sender.folder / "another").destination(), DOCUMENTS)

        first, second = source.requests()[:3], source.requests()[3:]
        assert [request.wire_bytes for request in first] == [request.wire_bytes for request in second]
        assert bodies(source)[:3] == bodies(source)[3:]

    def test_what_the_headers_say_and_nothing_more(self, source: LocalSource, tmp_path: Path) -> None:
        settings = SumoLogicDestinationSettings(
            type="sumo_logic",
            conn_id="acme_sumo",
            source_category="prod/audit",
            source_name="job history",
            source_host="airflow-1",
            fields={"team": "it ops", "env": "prod"},
        )
        sender = Sender(tmp_path, source.url, headers=headers_of(settings))

        deliver(sender.destination(), DOCUMENTS[:1])

        [request] = source.requests()
        headers = {name: value for name, value in request.headers.items() if name.startswith(("x-sumo", "content"))}
        assert headers == {
            "content-encoding": "gzip",
            "content-length": str(request.wire_bytes),
            "x-sumo-category": "prod/audit",
            "x-sumo-client": "airflow-job-history-replication",
            "x-sumo-fields": "env=prod,team=it ops",
            "x-sumo-host": "airflow-1",
            "x-sumo-name": "job history",
        }
        [message] = source.messages()
        assert (message.source_category, message.source_name, message.source_host, message.fields) == (
            "prod/audit",
            "job history",
            "airflow-1",
            {"env": "prod", "team": "it ops"},
        )

    def test_a_url_without_token_and_the_token_in_its_header(self, source: LocalSource, tmp_path: Path) -> None:
        sender = Sender(tmp_path, source.token, host=source.receiver_url)

        assert deliver(sender.destination(), DOCUMENTS) == reported(*[DELIVERED] * 5)

        assert {(request.token_from, request.status) for request in source.requests()} == {("header", 200)}
        assert joined(source) == {document.key: document.content() for document in DOCUMENTS}

    def test_no_documents_make_no_request(self, source: LocalSource, sender: Sender) -> None:
        assert deliver(sender.destination(), []) == []
        assert source.requests() == []

    @pytest.mark.promise("timestamp-first")
    @pytest.mark.parametrize(
        ("completed_at", "timestamp"),
        [
            ("2018-05-21T00:00:10.1239Z", 1526860810123),
            ("1970-01-01T00:00:00Z", 1_000_000_000_000),
            ("2999-01-01T00:00:00Z", 9_999_999_999_999),
        ],
    )
    def test_timestamp_has_13_digits_for_any_job(
        self, source: LocalSource, sender: Sender, completed_at: str, timestamp: int
    ) -> None:
        document = wide_document(1, 900, completed_at=completed_at)

        deliver(sender.destination(), [document])

        [message] = source.messages()
        assert msgspec.json.decode(message.text)["timestamp"] == timestamp
        assert joined(source) == {document.key: document.content()}

    def test_a_warning_is_logged_and_the_documents_are_delivered(
        self, source: LocalSource, sender: Sender, caplog: pytest.LogCaptureFixture
    ) -> None:
        source.script([warning("one of them was odd: " + source.token)])

        assert deliver(sender.destination(), DOCUMENTS) == reported(*[DELIVERED] * 5)

        [record] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert record == (
            f"The Sumo Logic source {source.receiver_url}/*** accepted a request with a warning: "
            '{"id":"LOCAL-WARNING","code":200,"status":200,"message":"one of them was odd: ***","errors":[]}'
        )

    def test_documents_dropped_by_an_exhausted_ingest_budget_cannot_be_detected(
        self, source: LocalSource, sender: Sender
    ) -> None:
        """As the vendor documents it; docs/sumo-logic.md names what to look at."""
        source.script([dropped()] * 3)

        assert deliver(sender.destination(), DOCUMENTS) == reported(*[DELIVERED] * 5)
        assert source.messages() == []


class TestOldJobs:
    """What docs/sumo-logic.md states about backfills, on a source that re-stamps as the vendor documents it."""

    DOCS = Path(__file__).parents[2] / "docs" / "sumo-logic.md"

    def sent(self, tmp_path: Path, days: int, **settings: str) -> tuple[bool, str]:
        """Send a job that completed so many days ago; return whether its time was kept, and how it came about."""
        with local_source(clock=lambda: NOW, **settings) as source:
            completed_at = format_time(datetime.fromtimestamp(NOW, UTC) - timedelta(days=days))
            deliver(Sender(tmp_path, source.url).destination(), [wide_document(1, 900, completed_at=completed_at)])
            [message] = source.messages()
            kept = message.message_time == epoch_milliseconds(parse_time(completed_at))
            assert kept or message.message_time == NOW * 1000
            return kept, message.format.partition(",")[0]

    def test_a_source_without_custom_format_re_stamps_after_30_days(self, tmp_path: Path) -> None:
        assert self.sent(tmp_path / "29", 29) == (True, "t:full")
        assert self.sent(tmp_path / "31", 31) == (False, "t:ac2")

    def test_the_format_of_the_docs_keeps_the_time_for_a_year(self, tmp_path: Path) -> None:
        [(form, locator)] = re.findall(r"format `(\w+)`, locator `([^`]+)`", self.DOCS.read_text())
        settings = {"timestamp_format": form, "timestamp_locator": locator}

        assert self.sent(tmp_path / "31", 31, **settings) == (True, "t:def")
        assert self.sent(tmp_path / "364", 364, **settings) == (True, "t:def")
        assert self.sent(tmp_path / "366", 366, **settings) == (False, "t:ac2")


class TestAgain:
    def test_a_retry_sends_nothing_of_what_was_acknowledged(self, source: LocalSource, sender: Sender) -> None:
        deliver(sender.destination(), DOCUMENTS)

        assert deliver(sender.destination(), DOCUMENTS) == reported(*[ALREADY_PRESENT] * 5)
        assert len(source.requests()) == 3

    def test_a_retry_goes_on_from_the_request_that_failed(self, source: LocalSource, sender: Sender) -> None:
        source.script([200, 403])
        with pytest.raises(PermanentError):
            deliver(sender.destination(), DOCUMENTS)

        # The third was there in part: it was sent again whole.
        assert deliver(sender.destination(), DOCUMENTS) == reported(
            ALREADY_PRESENT, ALREADY_PRESENT, REPEATED, DELIVERED, DELIVERED
        )

        assert bodies(source) == [BATCHES[0].body, *(batch.body for batch in batches_of(DOCUMENTS[2:]))]

    def test_documents_are_reported_when_their_last_request_is_acknowledged(
        self, source: LocalSource, sender: Sender
    ) -> None:
        source.script([200, 403])
        delivered: list[tuple[str, Delivery]] = []

        with pytest.raises(PermanentError):
            sender.destination().deliver(
                iter(DOCUMENTS), lambda document, how, _=None: delivered.append((document.key, how))
            )

        assert delivered == [(KEYS[0], DELIVERED), (KEYS[1], DELIVERED)]

    def test_of_other_documents_those_that_are_others_are_sent(self, source: LocalSource, sender: Sender) -> None:
        deliver(sender.destination(), DOCUMENTS)
        changed = wide_document(1, 5_000)

        assert deliver(sender.destination(), [changed, *DOCUMENTS[1:]]) == reported(DELIVERED, *[ALREADY_PRESENT] * 4)
        assert bodies(source)[3:] == [batch.body for batch in batches_of([changed])]

    @pytest.mark.promise("acknowledgements")
    def test_another_run_sends_nothing_of_what_was_acknowledged(self, source: LocalSource, sender: Sender) -> None:
        deliver(sender.destination(), DOCUMENTS)

        assert deliver(sender.of_run("manual-2").destination(), DOCUMENTS) == reported(*[ALREADY_PRESENT] * 5)
        assert len(source.requests()) == 3

    @pytest.mark.promise("acknowledgements")
    def test_repair_sends_again_what_was_acknowledged_to_other_runs_and_counts_it(
        self, source: LocalSource, sender: Sender
    ) -> None:
        deliver(sender.destination(), DOCUMENTS)
        repair = sender.of_run("repair-1", repair=True)
        source.script([200, 403])

        with pytest.raises(PermanentError):
            deliver(repair.destination(), DOCUMENTS)
        # Its own retry has the first two documents already.
        again = [Delivery.REPEATED_BEFORE] * 2 + [REPEATED] * 3
        assert deliver(repair.destination(), DOCUMENTS) == reported(*again)

        bodies_again = [BATCHES[0].body, *(batch.body for batch in batches_of(DOCUMENTS[2:]))]
        assert bodies(source) == [batch.body for batch in BATCHES] + bodies_again

    def test_what_one_source_acknowledged_is_not_taken_for_being_in_another(
        self, source: LocalSource, sender: Sender
    ) -> None:
        deliver(sender.destination(), DOCUMENTS)

        with local_source() as other:
            moved = replace(sender, url=other.url)
            assert deliver(moved.destination(), DOCUMENTS) == reported(*[DELIVERED] * 5)
            assert joined(other) == joined(source)

    def test_other_headers_are_sent(self, source: LocalSource, sender: Sender) -> None:
        deliver(sender.destination(), DOCUMENTS)

        recategorised = replace(sender, headers={"X-Sumo-Category": "other"})
        assert deliver(recategorised.destination(), DOCUMENTS) == reported(*[DELIVERED] * 5)
        assert bodies(source) == [batch.body for batch in BATCHES] * 2

    @pytest.mark.promise("sumo-logic-url")
    def test_the_acknowledgements_hold_no_secret(self, source: LocalSource, sender: Sender) -> None:
        deliver(sender.destination(), DOCUMENTS)

        files = [path for path in sender.folder.rglob("*") if path.is_file()]
        assert len(files) == 3
        for path in files:
            assert source.token.rstrip("=") not in str(path)
            assert source.token.rstrip("=").encode() not in path.read_bytes()


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.support.sumo_logic_sender import DOCUMENTS, Sender
from job_history.destinations.sumo_logic import HttpSource
from job_history.ledger.acknowledgements import Acknowledgements

folder, url, moment, at = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
send, add = HttpSource.send, Acknowledgements.add
requests = 0

def killed_around_send(self, body, *key):
    global requests
    requests += 1
    if moment == "before it is sent" and requests == at:
        kill()
    send(self, body, *key)
    if moment == "before it is noted" and requests == at:
        kill()

def killed_after_add(self, *arguments, **options):
    added = add(self, *arguments, **options)
    if requests == at:
        kill()
    return added

HttpSource.send, Acknowledgements.add = killed_around_send, killed_after_add
Sender(Path(folder), url).destination().deliver(iter(DOCUMENTS), lambda document, delivery, _=None: None)
"""


# By the number of requests that were acknowledged: the documents that were, and those of which there may be a part.
WHOLE_AND_IN_PART: dict[int, tuple[set[int], set[int]]] = {
    0: (set(), {1, 2, 3}),
    1: ({1, 2}, {3}),
    2: ({1, 2}, {3, 4, 5}),
    3: ({1, 2, 3, 4, 5}, set()),
}


class TestKilled:
    """The third document goes over all three requests."""

    @pytest.mark.promise("at-least-once", "acknowledgements")
    @pytest.mark.parametrize("run", ["the same run", "another run"])
    @pytest.mark.parametrize("at", [1, 2, 3])
    @pytest.mark.parametrize("moment", ["before it is sent", "before it is noted", "after its note"])
    def test_documents_that_were_acknowledged_are_not_sent_again_and_others_are_counted(
        self, *, source: LocalSource, sender: Sender, moment: str, at: int, run: str
    ) -> None:
        root = Path(__file__).parents[2]
        child = subprocess.run(
            [sys.executable, "-c", KILLED, str(sender.folder), source.url, moment, str(at)],
            check=False,
            capture_output=True,
            text=True,
            cwd=root,
            env=os.environ | {"PYTHONPATH": f"{root}:{root / 'include'}"},
            start_new_session=True,
        )
        assert child.returncode == -signal.SIGKILL, child.stderr
        arrived = [batch.body for batch in BATCHES[: at - 1 if moment == "before it is sent" else at]]
        assert bodies(source) == arrived

        next_try = sender if run == "the same run" else sender.of_run("manual-2")
        deliveries = deliver(next_try.destination(), DOCUMENTS)

        whole, in_part = WHOLE_AND_IN_PART[at if moment == "after its note" else at - 1]
        rest = [document for number, document in enumerate(DOCUMENTS, start=1) if number not in whole]
        assert bodies(source) == arrived + [batch.body for batch in batches_of(rest)]
        # A request that was not sent cannot be distinguished from one that was not noted: both count as repeated.
        assert deliveries == reported(
            *(
                ALREADY_PRESENT if number in whole else REPEATED if number in in_part else DELIVERED
                for number in range(1, 6)
            )
        )
        assert joined(source) == {document.key: document.content() for document in DOCUMENTS}
        found = {REPEATED: Delivery.REPEATED_BEFORE}.get(deliveries[0][1], deliveries[0][1])
        assert deliver(next_try.destination(), DOCUMENTS)[:1] == [(KEYS[0], found)]


def test_the_receipts_numbers_say_how_many_may_be_there_twice(source: LocalSource, sender: Sender) -> None:
    account = Account.model_validate(
        {
            "user_id": 5234,
            "name": "Acme",
            "source": {"type": "sql", "conn_id": "job_store"},
            "destination": {"type": "sumo_logic", "conn_id": "acme_sumo"},
            "events": {"job_history": True},
        }
    )
    window = Window(DAY, DAY + timedelta(hours=1))
    slice_ = Slice(run="run", user_id=5234, name="Acme", window=window, part=window)
    staging, ledger = local_storage(sender.folder), local_storage(sender.folder / "ledger")
    moment = "2018-05-21T00:00:10Z"
    with staged_writer(staging, "jobs.jsonl.zst") as jobs:
        for number in (1, 2):
            jobs.append(JobRecord(5234, 234, number, "completed", moment, moment, report="{}"))
    extracted = Extracted("jobs.jsonl.zst", 2, 2, 0)
    transformed = transform(slice_, account, extracted, staging=staging, ledger=ledger, max_document_bytes=40_000_000)
    source.script([reset_after_ingest()])

    outcome = load(
        slice_,
        account,
        extracted=extracted,
        transformed=transformed,
        destination=sender.destination(),
        staging=staging,
        ledger=ledger,
    )

    assert (outcome.delivered, outcome.repeated, outcome.already_present, outcome.balanced) == (2, 2, 0, True)
    assert outcome.destination == sender.destination().description()
    assert outcome.destination.items() >= {"type": "sumo_logic", "endpoint": f"{source.receiver_url}/***"}.items()
    items = items_at(ledger, outcome.items_path)
    assert [(item.key, item.outcome, item.detail) for item in items] == [
        (
            f"5234/jobs/234/20180521/000/000/000/000/000/000/00{number}/5234-234-{number}-20180521000010-succeeded.json",
            "delivered",
            "repeated",
        )
        for number in (1, 2)
    ]


def test_a_document_counts_as_delivered_only_at_its_own_destination(source: LocalSource, tmp_path: Path) -> None:
    """The items of a window may lie at two sources: the one that has a document is not the other."""
    with local_source() as elsewhere:
        here, there = (Sender(tmp_path, running.url) for running in (source, elsewhere))
        ledger, slice_ = local_storage(tmp_path / "ledger"), _slice()
        paths = []
        for number, (sender, document) in enumerate(zip((here, there), DOCUMENTS, strict=False)):
            path = f"{window_folder(slice_.user_id, slice_.kind, slice_.window)}/items-{number}.parquet"
            header = ListHeader(slice_.user_id, slice_.kind, slice_.window, sender.destination().description())
            with item_writer(ledger, path, header) as items:
                items.append(_delivered(document))
            paths.append(path)
        ledger.write(receipt_path(slice_.user_id, slice_.kind, slice_.window), _receipt(slice_, paths))

        delivered = [
            read_previous_run(ledger, slice_, account(), one.destination().description(), with_delivered=True).delivered
            for one in (here, there)
        ]

    assert delivered == [{bytes.fromhex(document.sha256)} for document in DOCUMENTS[:2]]


def _slice() -> Slice:
    window = Window(DAY, DAY + timedelta(days=1))
    return Slice(run="one", user_id=5234, name="Acme", window=window, part=window)


def _delivered(document: StagedDocument) -> Item:
    return Item(
        str(document.job_id), document.completed_at, "delivered", key=document.key, sha256=document.sha256, bytes=1
    )


def _receipt(slice_: Slice, items: list[str]) -> bytes:
    return msgspec.json.encode(
        Receipt(
            user_id=slice_.user_id,
            name=slice_.name,
            revision=1,
            window=slice_.window,
            state=WindowState.FAILED,
            counts=Counts(),
            gap=0,
            settings_hash="",
            code_version="",
            destination={"type": "sumo_logic"},
            items=items,
            runs=[RunEntry(slice_.run, "2018-05-21T01:15:00Z", WindowState.FAILED, Counts(), [])],
        )
    )


class TestImportableSuite(DestinationContract):
    """What packages of others run against their own kinds holds for ours."""

    @pytest.fixture(autouse=True)
    def _sender(self, sender: Sender, source: LocalSource) -> None:
        self.sender, self.source = sender, source

    def destination(self, **_options: Any) -> Destination:
        return self.sender.destination()

    def stored(self) -> dict[str, bytes]:
        return joined(self.source)

    def test_after_a_kill_the_next_delivery_completes_the_place(self) -> None:
        pytest.skip("a process with threads is not forked; docs/crash-matrix.md has the kills")
