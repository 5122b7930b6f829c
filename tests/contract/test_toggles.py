"""The eight combinations of the three toggles, on both destinations: documents, keys that are absent, receipts,
errors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.support.deliveries import access
from tests.support.job_stores import SqliteStore
from tests.support.sumo_logic_sender import Sender, joined

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts, read_accounts
from job_history.destinations import Destination
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.ledger.quarantine import QuarantineEntry
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.plan import plan
from job_history.pipeline.report import report
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.run_slice import SliceTools, run_slice
from job_history.sources import Source
from job_history.storage import local_storage
from job_history.storage.s3.open_bucket import open_bucket
from job_history.storage.staging import staged_records
from simulators.job_store import SampleEvent, plain_job
from simulators.s3_endpoint import S3Endpoint
from simulators.sumo_logic import local_source

START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
JOBS = [
    "5234/jobs/234/20180521/000/000/000/000/000/000/001/5234-234-1-20180521003000-succeeded.json",
    "5234/jobs/234/20180521/000/000/000/000/000/000/002/5234-234-2-20180521003000-failed.json",
]
EVENTS = [
    "5234/admin_events/20180521/000/000/000/000/000/000/007/5234-7-20180521001500-user_login.json",
    "5234/admin_events/20180521/000/000/000/000/000/000/008/5234-8-20180521001600-recipe_stopped.json",
]
EVENT_DOCUMENTS = [
    b'{"event":"user_login","details":{},"user":{"id":1},"team":{"id":2},"resource":{"type":"User"},'
    b'"timestamp":"2018-05-21T00:15:00Z"}\n',
    b'{"event":"recipe_stopped","details":{},"team":{"id":2},"resource":{"type":"User"},'
    b'"timestamp":"2018-05-21T00:16:00Z"}\n',
]


class Place:
    """An account's destination: as its settings name it, as the flow uses it, and what it holds in the end."""

    settings: dict[str, Any]

    def destination(self, slice_: Slice) -> Destination:
        raise NotImplementedError

    def documents(self) -> dict[str, bytes]:
        raise NotImplementedError


class S3Place(Place):
    def __init__(self, endpoint: S3Endpoint) -> None:
        self._endpoint, self._bucket = endpoint, f"toggles-{uuid4().hex}"
        endpoint.create_bucket(self._bucket)
        self.settings = {"type": "s3", "conn_id": "s3", "bucket": self._bucket}

    def destination(self, _: Slice) -> Destination:
        return ObjectStoreDestination(open_bucket(access(self._endpoint, self._bucket)))

    def documents(self) -> dict[str, bytes]:
        client = self._endpoint.client()
        listed = client.list_objects_v2(Bucket=self._bucket).get("Contents", [])
        return {each["Key"]: client.get_object(Bucket=self._bucket, Key=each["Key"])["Body"].read() for each in listed}


class SumoLogicPlace(Place):
    settings = {"type": "sumo_logic", "conn_id": "sumo"}  # noqa: RUF012 - never changed

    def __init__(self, source: Any, staging: Path) -> None:
        self._source = source
        self._staging = staging

    def destination(self, slice_: Slice) -> Destination:
        return Sender(self._staging, self._source.url, slice=slice_).destination()

    def documents(self) -> dict[str, bytes]:
        return joined(self._source)

    def first_fields(self) -> dict[str, list[tuple[str, Any]]]:
        """The first field of each message, by its delivery_id."""
        messages = [json.loads(message.text) for message in self._source.messages()]
        return {message["replication"]["delivery_id"]: list(message.items())[:1] for message in messages}


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "s3":
        yield S3Place(request.getfixturevalue("moto"))
        return
    with local_source() as source:
        yield SumoLogicPlace(source, tmp_path / "staging")


both_destinations = pytest.mark.parametrize("place", ["s3", "sumo_logic"], indirect=True)


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path)
    store.fill([plain_job(5234, START, 1), plain_job(5234, START, 2)._replace(status="failed")])
    store.fill([plain_job(5234, START, 3)._replace(status="aborted"), plain_job(77, START, 4)])
    event = SampleEvent(5234, 7, "user_login", "{}", '{"id":1}', '{"id":2}', '{"type":"User"}', "2018-05-21T00:15:00Z")
    stopped = event._replace(event_id=8, event="recipe_stopped", actor=None, occurred_at="2018-05-21T02:16:00+02:00")
    broken = event._replace(event_id=9, event="Of another shape")
    store.fill_events([event, stopped, broken, event._replace(user_id=77)])
    return store


def settings(place: Place, *toggles: str) -> Accounts:
    entry = {
        "user_id": 5234,
        "name": "Acme",
        "source": {"type": "sql", "conn_id": "job_store"},
        "destination": place.settings,
        "events": {toggle: toggle in toggles for toggle in ("job_history", "line_details", "admin_events")},
    }
    return read_accounts(json.dumps([entry]))


def replicate(account: Account, store: SqliteStore, place: Place, folder: Path) -> list[Receipt]:
    """One run of the hour for one account, from the plan to the report, as the tasks of a run do it."""
    staging, ledger = local_storage(folder / "staging"), local_storage(folder / "ledger")
    kind_of_destination = account.destination.type

    def source_of(_: Account, kind: EventKind) -> Source[Record]:
        return store.source() if kind is EventKind.JOBS else store.event_source()

    made = plan(
        run="run",
        window=HOUR,
        accounts=Accounts({5234: account}),
        chosen=[],
        destination=kind_of_destination,
        source_of=source_of,
        max_jobs_per_slice=100,
    )
    files = RunFiles(staging, "run")
    files.save_plan(made)
    tools = SliceTools(staging, ledger, 40_000_000)
    for slice_ in made.slices:
        done = run_slice(slice_, account, source_of(account, slice_.kind), place.destination(slice_), tools)
        files.save_outcome(slice_, done)
    return report(
        run="run",
        destinations=[kind_of_destination],
        staging=staging,
        ledger=ledger,
        finished_at=datetime.now(UTC),
        code_version="0.1.0",
        quarantine_threshold=100,
    )


def reported(receipt: Receipt) -> tuple[str, str, int, int, dict[str, int], dict[str, int]]:
    counts = receipt.counts
    return receipt.kind, receipt.state, counts.counted, counts.delivered, counts.filtered, counts.quarantined


OF_JOBS = ("jobs", WindowState.COMPLETE, 3, 2, {"aborted": 1}, {})
OF_EVENTS = ("admin_events", WindowState.COMPLETE_WITH_QUARANTINE, 3, 2, {}, {"bad_event": 1})


EXPECTED = {
    "job_history": (JOBS, [OF_JOBS]),
    "job_history+line_details": (JOBS, [OF_JOBS]),
    "admin_events": (EVENTS, [OF_EVENTS]),
    "job_history+admin_events": (EVENTS + JOBS, [OF_JOBS, OF_EVENTS]),
    "job_history+line_details+admin_events": (EVENTS + JOBS, [OF_JOBS, OF_EVENTS]),
}


@pytest.mark.promise("toggles")
@both_destinations
@pytest.mark.parametrize("toggles", EXPECTED)
def test_what_is_switched_on_is_delivered_and_nothing_else(
    place: Place, toggles: str, store: SqliteStore, tmp_path: Path
) -> None:
    accounts = settings(place, *toggles.split("+"))
    assert accounts.problems == []

    found = replicate(accounts.usable[5234], store, place, tmp_path)

    documents = place.documents()
    keys, receipts = EXPECTED[toggles]
    assert (sorted(documents), [reported(receipt) for receipt in found]) == (keys, receipts)
    assert [documents[key] for key in keys if key in EVENTS] == (EVENT_DOCUMENTS if "admin_events" in toggles else [])
    of_jobs = [json.loads(documents[key]) for key in keys if key in JOBS]
    assert [len(document["lines"]) if "lines" in document else "absent" for document in of_jobs] == [
        2 if "line_details" in toggles else "absent" for _ in of_jobs
    ]
    assert sorted(path for path in local_storage(tmp_path / "ledger").paths("receipts") if path.endswith(".json")) == (
        sorted(receipt_path(5234, receipt.kind, HOUR) for receipt in found)
    )


REASONS = {
    "": 'events: nothing is switched on: set job_history or admin_events, or pause the account with "enabled": false.',
    "line_details": "events: line_details needs job_history: lines are part of a job's document.",
    "line_details+admin_events": "events: line_details needs job_history: lines are part of a job's document.",
}


@pytest.mark.promise("toggles")
@both_destinations
@pytest.mark.parametrize("toggles", REASONS)
def test_combinations_that_can_mean_nothing_are_refused_and_say_why(place: Place, toggles: str) -> None:
    accounts = settings(place, *toggles.split("+"))

    assert (accounts.usable, accounts.messages) == ({}, [f"Account 5234 Acme: {REASONS[toggles]}"])
    assert [(problem.user_id, problem.places) for problem in accounts.problems] == [("5234", ["events"])]


@pytest.mark.promise("event-messages")
@pytest.mark.parametrize("place", ["sumo_logic"], indirect=True)
def test_the_time_of_an_event_comes_first_in_its_message(
    place: SumoLogicPlace, store: SqliteStore, tmp_path: Path
) -> None:
    store.execute("UPDATE job_history_admin_events SET occurred_at = '2018-05-21T00:16:00.250Z' WHERE event_id = 8")
    replicate(settings(place, "admin_events").usable[5234], store, place, tmp_path)

    assert place.first_fields() == {
        EVENTS[0]: [("timestamp", 1_526_861_700_000)],
        EVENTS[1]: [("timestamp", 1_526_861_760_250)],
    }
    assert place.documents() == dict(zip(EVENTS, EVENT_DOCUMENTS, strict=True))


@both_destinations
def test_what_is_wrong_with_an_event_is_kept_with_it(place: Place, store: SqliteStore, tmp_path: Path) -> None:
    [receipt] = replicate(settings(place, "admin_events").usable[5234], store, place, tmp_path)

    ledger = local_storage(tmp_path / "ledger")
    [path] = receipt.quarantine
    assert path.rpartition("/")[0] == f"_control/quarantine/bad_event/5234/admin_events/{HOUR.slug}"
    [entry] = staged_records(ledger, path, QuarantineEntry)
    assert (entry.job_id, entry.record, entry.event and entry.event.event, entry.explanation) == (
        9,
        None,
        "Of another shape",
        "event 'Of another shape' is not a name of 1 to 100 lower-case letters, digits and _",
    )
