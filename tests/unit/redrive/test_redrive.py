"""Redrive: quarantined records become documents once their cause is fixed, and the counts follow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support.mortal_storage import KilledError, Life, MortalStorage
from tests.support.one_hour import replicate
from tests.unit.samples import EXAMPLE_KEY, HOUR, MemoryDestination, MemorySource, account, record, without_random

from job_history.accounts.account import Account
from job_history.destinations import OnDelivery
from job_history.documents.staged import StagedDocument
from job_history.errors import PermanentError, TransientError
from job_history.ledger.items import items_at
from job_history.ledger.quarantine import QuarantineEntry
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_history import read_history
from job_history.ledger.receipt_store import add_revision, read_receipt
from job_history.model.admin_event import EventRecord
from job_history.model.event_kind import EventKind
from job_history.pipeline.run_slice import SliceTools
from job_history.redaction import Redaction
from job_history.redrive import Redriven, redrive, was_redriven
from job_history.storage import Storage, local_storage
from job_history.storage.staging import staged_records, staged_writer

LATER = datetime(2018, 6, 1, tzinfo=UTC)
LONG_HANDLE = "j-" + 148 * "x"
LONG_KEY = f"5234/jobs/234/20180521/{LONG_HANDLE}/5234-234-{LONG_HANDLE}-20180521000000-succeeded.json"
RECORDS = [
    record(),
    record(job_id=LONG_HANDLE),
    record(job_id=102, report="{"),
    record(job_id=103, status="aborted"),
    record(job_id=104, completed_at="2018-05-21T00:10:00Z"),
]
OTHER_BYTES = b"not what the source has\n"
CONFLICT_KEY = EXAMPLE_KEY.replace("/100/", "/104/").replace("-100-", "-104-")


@dataclass
class World:
    """An hour that was replicated when handles were held to be shorter, and whose job 104 another program has
    written.
    """

    folder: Path
    destination: MemoryDestination = field(default_factory=MemoryDestination)

    @property
    def ledger(self) -> Storage:
        return local_storage(self.folder / "ledger")

    @property
    def staging(self) -> Storage:
        return local_storage(self.folder / "staging")

    def replicate(self) -> None:
        replicate(account(), MemorySource(RECORDS), self.destination, self.ledger, self.staging)

    def redrive(self, one: Account | None = None, **changes: Any) -> Redriven:
        replace = changes.pop("replace", False)
        self.destination.repair = replace
        destination_of = changes.pop("destination_of", lambda _: self.destination)
        tools = {"ledger": self.ledger, "staging": self.staging, "max_document_bytes": 40_000_000, **changes}
        return redrive(
            one or account(),
            EventKind.JOBS,
            HOUR,
            destination_of,
            SliceTools(**tools),
            replace=replace,
            finished_at=LATER,
            code_version="2",
        )

    def receipt(self) -> Receipt:
        receipt = read_receipt(self.ledger, 5234, EventKind.JOBS, HOUR)
        assert receipt is not None
        return receipt

    def items(self) -> dict[str, tuple[str, str | None]]:
        found = [item for path in self.receipt().items for item in items_at(self.ledger, path)]
        result = {item.job_id: (item.outcome, item.detail) for item in found}
        assert len(result) == len(found)
        return result

    def quarantine(self) -> list[tuple[str, Any]]:
        """Reason and job of each entry of each file that the receipt names."""
        paths = self.receipt().quarantine
        return [
            (str(entry.reason), entry.job_id)
            for path in paths
            for entry in staged_records(self.ledger, path, QuarantineEntry)
        ]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path, MemoryDestination(objects={CONFLICT_KEY: OTHER_BYTES}))
    with monkeypatch.context() as then:
        then.setattr("job_history.model.ids.MAX_HANDLE_LENGTH", 100)
        world.replicate()
    assert world.quarantine() == [("bad_id", LONG_HANDLE), ("bad_json", 102), ("conflict", 104)]
    return world


def redriven(receipt: Receipt, **changes: Any) -> Redriven:
    return Redriven(user_id=5234, name="Acme", kind=EventKind.JOBS, window=HOUR, state=receipt.state, **changes)


@pytest.mark.promise("redrive")
def test_a_redrive_delivers_what_it_can_and_keeps_the_rest(world: World) -> None:
    before = world.receipt()

    result = world.redrive()

    after = world.receipt()
    assert result == redriven(after, delivered=1, left={"conflict": 1, "bad_json": 1})
    assert world.destination.objects[LONG_KEY].startswith(b'{"id":"j-xxx')
    assert world.quarantine() == [("bad_json", 102), ("conflict", 104)]
    assert world.items() == {
        "100": ("delivered", None),
        LONG_HANDLE: ("delivered", None),
        "102": ("quarantined", "bad_json"),
        "103": ("filtered", "aborted"),
        "104": ("quarantined", "conflict"),
    }
    assert (str(after.state), after.counts.delivered, after.counts.quarantined) == (
        "complete_with_quarantine",
        before.counts.delivered + 1,
        {"conflict": 1, "bad_json": 1},
    )
    assert (after.counts.listed, after.gap, after.read_at) == (before.counts.listed, 0, before.read_at)
    assert [(entry.run.split("-")[0], entry.counts.listed, entry.counts.delivered) for entry in after.runs] == [
        ("scheduled", 5, 1),
        ("redrive", 2, 1),
    ]
    assert was_redriven([entry.run for entry in after.runs])
    assert list(world.staging.paths("")) == []


@pytest.mark.promise("redrive-events")
def test_a_run_that_is_reported_again_does_not_undo_its_redrive(world: World) -> None:
    reported = world.receipt()
    world.redrive()
    after = world.receipt()

    assert add_revision(world.ledger, msgspec.structs.replace(reported, runs=reported.runs[-1:])) == after
    assert world.receipt() == after


def test_a_redrive_is_a_revision_and_keeps_the_item_lists_that_earlier_ones_name(world: World) -> None:
    before = world.receipt()
    world.redrive()

    assert [each.revision for each in read_history(world.ledger, 5234, EventKind.JOBS, HOUR)] == [1, 2]
    assert all(world.ledger.read(path) for path in (*before.items, *world.receipt().items))


@pytest.mark.promise("redrive-conflicts")
def test_a_conflict_is_replaced_only_on_request(world: World) -> None:
    world.redrive()
    assert world.destination.objects[CONFLICT_KEY] == OTHER_BYTES

    result = world.redrive(replace=True)

    assert (result.delivered, result.left) == (1, {"bad_json": 1})
    assert world.destination.objects[CONFLICT_KEY].startswith(b'{"id":104,')
    assert world.items()["104"] == ("delivered", None)
    [item] = [item for path in world.receipt().items for item in items_at(world.ledger, path) if item.job_id == "104"]
    assert (item.key, item.completed_at) == (CONFLICT_KEY, "2018-05-21T00:10:00Z")
    assert world.quarantine() == [("bad_json", 102)]


@pytest.mark.promise("redrive-conflicts")
def test_conflicts_of_other_settings_are_not_sent_out(world: World) -> None:
    changed = account(events={"job_history": True, "line_details": False})

    result = world.redrive(changed, replace=True)

    assert (result.delivered, result.left) == (1, {"conflict": 1, "bad_json": 1})
    assert world.destination.objects[CONFLICT_KEY] == OTHER_BYTES


def test_a_redrive_of_all_quarantine_completes_the_window(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job_history.documents.job_document.compact_json", lambda *_: msgspec.Raw(b"null"))

    result = world.redrive(replace=True)

    receipt = world.receipt()
    assert result == redriven(receipt, delivered=3)
    assert (str(receipt.state), receipt.quarantine, receipt.counts.quarantined) == ("complete", [], {})
    assert {outcome for outcome, _ in world.items().values()} == {"delivered", "filtered"}
    assert world.quarantine() == []


def test_a_redrive_deletes_no_quarantine_that_an_earlier_revision_names(world: World) -> None:
    named = world.receipt().quarantine
    world.redrive(replace=True)
    assert {*named} - {*world.receipt().quarantine}
    assert {*named} <= {*world.ledger.paths("_control/quarantine")}


def test_a_redrive_without_effect_changes_no_file(world: World) -> None:
    world.redrive()
    before = {path: world.ledger.read(path) for path in world.ledger.paths("")}

    result = world.redrive()

    assert (result.delivered, result.left) == (0, {"conflict": 1, "bad_json": 1})
    assert {path: world.ledger.read(path) for path in world.ledger.paths("")} == before
    assert list(world.staging.paths("")) == []


def test_a_redriven_record_can_become_a_conflict(world: World) -> None:
    world.destination.objects[LONG_KEY] = OTHER_BYTES

    result = world.redrive()

    assert result.left == {"conflict": 2, "bad_json": 1}
    assert world.destination.objects[LONG_KEY] == OTHER_BYTES
    assert world.quarantine() == [("bad_json", 102), ("conflict", LONG_HANDLE), ("conflict", 104)]


def test_a_destination_that_cannot_recognise_a_repeat_gets_only_what_is_new(world: World) -> None:
    sent: list[str] = []

    @dataclass
    class Forgetful(MemoryDestination):
        def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
            def noted() -> Iterator[StagedDocument]:
                for document in documents:
                    sent.append(document.key)
                    yield document

            super().deliver(noted(), on_delivery)

    for _ in range(2):
        world.redrive(destination_of=lambda _: Forgetful(), skip_delivered=True)

    assert sent == [LONG_KEY]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"enabled": False}, "nothing is delivered, because the account is paused"),
        ({"user_id": 77}, "there is no receipt, and only a closed window can be redriven"),
    ],
)
def test_a_refused_redrive_gives_the_reason(world: World, change: dict[str, Any], detail: str) -> None:
    with pytest.raises(PermanentError, match=detail):
        world.redrive(account(**change))


def test_an_open_window_cannot_be_redriven(world: World) -> None:
    result = msgspec.json.decode(world.ledger.read(receipt_path(5234, EventKind.JOBS, HOUR)) or b"")
    world.ledger.write(receipt_path(5234, EventKind.JOBS, HOUR), msgspec.json.encode({**result, "state": "failed"}))

    with pytest.raises(PermanentError, match="the receipt is failed, and only a closed window"):
        world.redrive()


def test_quarantine_that_differs_from_the_receipt_is_not_redriven(world: World, tmp_path: Path) -> None:
    """A run that failed after its transform has put its own quarantine in place of the receipt's."""
    paths = world.receipt().quarantine
    bad_id, bad_json = (path for path in paths if "conflict" not in path)
    world.ledger.write(bad_json, world.ledger.read(bad_id) or b"")
    entries = list(staged_records(world.ledger, bad_id, QuarantineEntry))
    with staged_writer(world.ledger, bad_id) as file:
        for entry in entries * 2:
            file.append(entry)

    with pytest.raises(PermanentError, match="has 2 in quarantine, and there are 3"):
        world.redrive()
    assert LONG_KEY not in world.destination.objects


def test_a_redrive_does_not_overwrite_a_newer_receipt(world: World) -> None:
    class Slow(MemoryDestination):
        def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
            super().deliver(documents, on_delivery)
            world.replicate()

    with pytest.raises(TransientError, match="a run has written the receipt meanwhile"):
        world.redrive(destination_of=lambda _: Slow(world.destination.objects))

    after = world.receipt()
    assert [entry.run.split("-")[0] for entry in after.runs] == ["scheduled"]
    assert world.redrive().left == {"conflict": 1, "bad_json": 1}


@pytest.mark.promise("redrive-events")
def test_admin_events_are_redriven_as_jobs_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = account(events={"admin_events": True})
    ledger, staging, destination = (
        local_storage(tmp_path / "ledger"),
        local_storage(tmp_path / "s"),
        MemoryDestination(),
    )
    recorded = [
        EventRecord(5234, number, name, "2018-05-21T00:15:00.5Z") for number, name in [(1, "login"), (2, "a_b")]
    ]
    key = "5234/admin_events/20180521/000/000/000/000/000/000/{0:03}/5234-{0}-20180521001500-{1}.json"
    objects = {key.format(1, "login"): b'{"event":"login","timestamp":"2018-05-21T00:15:00Z"}\n'}
    destination.objects[key.format(2, "a_b")] = OTHER_BYTES
    with monkeypatch.context() as then:
        then.setattr("job_history.model.admin_event.MAX_EVENT_NAME", 4)
        before = replicate(events, MemorySource(recorded), destination, ledger, staging, kind=EventKind.ADMIN_EVENTS)
    assert before.counts.quarantined == {"bad_event": 1, "conflict": 1}
    assert destination.objects.keys() == {key.format(2, "a_b")}

    destination.repair = True
    tools = SliceTools(staging, ledger, 40_000_000)
    reported = redrive(
        events,
        EventKind.ADMIN_EVENTS,
        HOUR,
        lambda _: destination,
        tools,
        replace=True,
        finished_at=LATER,
        code_version="2",
    )

    assert (reported.delivered, reported.left, str(reported.state)) == (2, {}, "complete")
    assert destination.objects == {
        **objects,
        key.format(2, "a_b"): b'{"event":"a_b","timestamp":"2018-05-21T00:15:00Z"}\n',
    }


# Killed


@dataclass
class MortalDestination(MemoryDestination):
    life: Life = field(default_factory=lambda: Life(0))

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        def noted(document: StagedDocument, *result: Any) -> None:
            self.life.step()
            on_delivery(document, *result)
            self.life.step()

        super().deliver(documents, noted)


def state_of(world: World) -> tuple[Any, ...]:
    """All that there is in the end, but whether a document was delivered by the killed redrive or by the next.

    Item lists and quarantine of the killed redrive, which no receipt names, may be left for some days; it has noted
    their day.
    """
    receipt = world.receipt()
    named = {*receipt.items, *receipt.quarantine}
    unnamed = [
        path
        for path in world.ledger.paths("")
        if ("/items-" in path or path.startswith("_control/quarantine/")) and path not in named
    ]
    notes = [*world.ledger.paths("_control/sweep")]
    assert notes
    there = {"delivered": "there", "already_present": "there"}
    return (
        world.destination.objects,
        sorted(without_random(path) for path in world.ledger.paths("") if path not in {*unnamed, *notes}),
        sorted(world.staging.paths("")),
        world.quarantine(),
        {job: (there.get(outcome, outcome), detail) for job, (outcome, detail) in world.items().items()},
        str(receipt.state),
        receipt.counts.delivered + receipt.counts.already_present,
        receipt.counts.quarantined,
        [entry.run for entry in receipt.runs],
    )


@pytest.mark.promise("redrive-killed")
def test_killed_at_any_step_and_run_again_ends_as_if_undisturbed(world: World, tmp_path: Path) -> None:
    undisturbed = World(tmp_path / "undisturbed", MemoryDestination({**world.destination.objects}))
    shutil.copytree(world.folder / "ledger", undisturbed.folder / "ledger")
    undisturbed.redrive(replace=True)
    assert undisturbed.quarantine() == [("bad_json", 102)]
    steps = 0
    while True:
        steps += 1
        life = Life(steps)
        again = World(tmp_path / str(steps), MemoryDestination({**world.destination.objects}))
        shutil.copytree(world.folder / "ledger", again.folder / "ledger")
        try:
            again.redrive(
                replace=True,
                ledger=MortalStorage(again.folder / "ledger", life),
                staging=MortalStorage(again.folder / "staging", life),
                destination_of=lambda _, again=again, life=life: MortalDestination(
                    again.destination.objects, repair=True, life=life
                ),
            )
        except KilledError:
            again.redrive(replace=True)
            assert state_of(again) == state_of(undisturbed), f"killed at step {steps}"
            continue
        break
    assert steps > 40


def test_a_redrive_redacts_by_the_current_rules(world: World) -> None:
    strict = account(redaction=[{"path": "report.name", "action": "mask"}])

    with pytest.raises(PermanentError, match="is not the account's"):
        world.redrive(strict)
    redaction = Redaction(strict.redaction)
    done = world.redrive(strict, redaction=redaction)

    assert (done.delivered, done.left) == (1, {"bad_json": 1, "conflict": 1})
    assert b'"report":{"name":"***","age":35}' in world.destination.objects[LONG_KEY]
    assert world.receipt().redaction == [redaction.policy]
    # The document in conflict was made without them; nor does it go out once the account has no rules again.
    for one, given in ((strict, redaction), (account(), None)):
        assert world.redrive(one, redaction=given, replace=True).left == {"bad_json": 1, "conflict": 1}
    assert world.destination.objects[CONFLICT_KEY] == OTHER_BYTES
