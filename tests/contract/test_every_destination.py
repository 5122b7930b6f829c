"""Reconciliation, repair, redrive and moves of an account, the same for each kind of destination."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.support.any_destination import MESSAGES, STORES, AnyDestination, any_destination
from tests.support.mortal_storage import KilledError
from tests.support.runs import Run, Runs
from tests.unit.samples import HOUR, MemorySource, entry, record

from job_history.accounts.variable import Accounts, read_accounts
from job_history.errors import PermanentError
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import receipt_files
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.run_slice import SliceTools
from job_history.redrive import Redriven, redrive
from job_history.storage import Storage, local_storage

USER = 5234
RECORDS = [record(job_id=number) for number in range(100, 106)]
LONG_HANDLE = "j-" + 148 * "x"
MakeDestination = Callable[[str], AnyDestination]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeDestination]:
    with ExitStack() as stack:

        def make(kind: str) -> AnyDestination:
            (folder := tmp_path / f"server-{kind}").mkdir(exist_ok=True)
            return stack.enter_context(any_destination(kind, folder))

        yield make


@dataclass
class Hour:
    """One hour of an account, which delivers to `at` and may move."""

    folder: Path
    at: AnyDestination
    records: Sequence[JobRecord] = field(default_factory=lambda: list(RECORDS))
    number: int = 0

    @property
    def ledger(self) -> Storage:
        return local_storage(self.folder / "ledger")

    @property
    def accounts(self) -> Accounts:
        return read_accounts(json.dumps([entry(destination=self.at.settings)]))

    def runs(self) -> Runs:
        at = self.at
        return Runs(
            staging=local_storage(self.folder / "staging"),
            ledger=self.ledger,
            accounts=self.accounts,
            source_of=lambda _account, _kind: MemorySource(self.records),
            destination_of=lambda _account, slice_, repair: at.open(slice_, self.ledger, repair),
            bucket_of=lambda _: at.listing(),
            place_of=lambda _: at.place(),
        )

    def run(self, mode: str = "missing_only", *, repair: bool = False) -> str:
        """Do a run, and return its problems."""
        self.number += 1
        self.name = f"run-{self.number}"
        try:
            self.runs().do(Run(self.name, HOUR, mode=mode, repair=repair, kinds=(self.at.kind,)))
        except PermanentError as failed:
            return str(failed)
        return ""

    def reconcile(self, *, repair: bool = False) -> dict[str, int]:
        """Reconcile the hour, and return what is wrong with its objects; a run without findings must not fail."""
        problems = self.run("reconciliation", repair=repair)
        findings = RunFiles(self.runs().staging, self.name).findings(self.at.kind)
        assert findings is not None
        found = Counter[str]()
        for window in findings.windows:
            found.update(lost=window.lost, altered=window.altered)
        found.update(faults=len(findings.faults))
        self.problems = problems
        return +found

    def redrive(self, *, replace: bool = False, ledger: Storage | None = None) -> Redriven:
        ledger = ledger or self.ledger
        skip = self.at.kind in MESSAGES
        return redrive(
            self.accounts.usable[USER],
            EventKind.JOBS,
            HOUR,
            lambda slice_: self.at.open(slice_, ledger, replace),
            SliceTools(local_storage(self.folder / "staging"), ledger, 40_000_000, skip_delivered=skip),
            replace=replace,
            finished_at=datetime(2018, 6, 1, tzinfo=UTC),
            code_version="2",
        )

    @property
    def receipt(self) -> Receipt:
        receipt = read_receipt(self.ledger, USER, EventKind.JOBS, HOUR)
        assert receipt is not None
        return receipt


@pytest.fixture
def hour(tmp_path: Path, make: MakeDestination, kind: str) -> Hour:
    return Hour(tmp_path, make(kind))


@pytest.fixture
def delivered(hour: Hour) -> Hour:
    """The hour after a run that delivered all of it."""
    assert hour.run() == ""
    assert len(hour.at.documents()) == len(RECORDS)
    return hour


def of(kinds: Sequence[str]) -> pytest.MarkDecorator:
    marked = [pytest.param(kind, marks=pytest.mark.azure) if kind == "azure_blob" else kind for kind in kinds]
    return pytest.mark.parametrize("kind", marked)


class TestReconciliationAndRepair:
    @pytest.mark.promise("lost-objects")
    @of(STORES)
    def test_what_was_delivered_is_neither_lost_nor_altered(self, delivered: Hour) -> None:
        assert (delivered.reconcile(), delivered.problems) == ({}, "")

    @pytest.mark.promise("lost-objects")
    @of(STORES)
    def test_lost_and_altered_objects_are_found_and_repaired(self, delivered: Hour) -> None:
        before = delivered.at.documents()
        first, second, third, *_ = before
        delivered.at.delete(first)
        delivered.at.put(second, before[second].replace(b"hello", b"HELLO"))
        delivered.at.put(third, b"{}\n")

        assert delivered.reconcile() == {"lost": 1, "altered": 2}
        assert first in delivered.problems
        assert len(delivered.at.documents()) == len(before) - 1

        delivered.reconcile(repair=True)
        assert (delivered.problems, delivered.at.documents()) == ("", before)
        assert (delivered.reconcile(), delivered.problems) == ({}, "")

    @of(STORES)
    def test_an_object_that_was_written_again_with_the_same_bytes_stays_as_it_is(self, delivered: Hour) -> None:
        """Azure gives it another ETag: a repair compares the bytes."""
        key, content = next(iter(delivered.at.documents().items()))
        delivered.at.put(key, content)
        delivered.reconcile(repair=True)
        assert delivered.problems == ""
        assert (delivered.reconcile(), delivered.problems) == ({}, "")

    @of(STORES)
    def test_a_deleted_container_is_a_problem_and_not_a_container_without_objects(self, delivered: Hour) -> None:
        before = delivered.at.documents()
        delivered.at.delete_container()

        assert delivered.reconcile() == {"faults": 1}
        assert "could not be compared" in delivered.problems
        assert delivered.run("repair") != ""

        delivered.at.create_container()
        assert delivered.reconcile() == {"lost": len(before)}
        delivered.reconcile(repair=True)
        assert (delivered.problems, delivered.at.documents()) == ("", before)

    @pytest.mark.promise("at-least-once")
    @of(MESSAGES)
    def test_a_repair_sends_all_again_and_counts_each_as_repeated(self, delivered: Hour) -> None:
        before = delivered.at.documents()

        assert delivered.run("repair") == ""

        assert delivered.at.documents() == before
        assert set(delivered.at.copies().values()) == {2}
        assert delivered.receipt.runs[-1].counts.repeated == len(before)
        assert delivered.run() == ""
        assert set(delivered.at.copies().values()) == {2}

    @of(MESSAGES)
    def test_a_refused_request_names_its_documents_in_the_log_and_is_sent_by_the_next_run(
        self, hour: Hour, caplog: pytest.LogCaptureFixture
    ) -> None:
        hour.at.break_next(400)
        assert hour.run() != ""
        assert f"-{RECORDS[0].job_id}-" in caplog.text
        assert hour.run() == ""
        assert len(hour.at.documents()) == len(RECORDS)
        assert set(hour.at.copies().values()) == {1}

    @of(MESSAGES)
    def test_a_reconciliation_sends_nothing_that_was_delivered(self, delivered: Hour) -> None:
        late = record(job_id=200)
        delivered.records = [*RECORDS, late]

        assert delivered.reconcile() == {}

        assert delivered.problems == ""
        assert set(delivered.at.copies().values()) == {1}
        assert len(delivered.at.documents()) == len(RECORDS) + 1
        assert (delivered.receipt.counts.late, delivered.receipt.counts.repeated) == (1, 0)


class TestRedrive:
    @pytest.fixture
    def quarantined(self, hour: Hour, monkeypatch: pytest.MonkeyPatch) -> Hour:
        """An hour with a record in quarantine that can be delivered now."""
        hour.records = [*RECORDS, record(job_id=LONG_HANDLE)]
        with monkeypatch.context() as then:
            then.setattr("job_history.model.ids.MAX_HANDLE_LENGTH", 100)
            hour.run()
        assert hour.receipt.counts.quarantined == {"bad_id": 1}
        assert len(hour.at.documents()) == len(RECORDS)
        return hour

    @pytest.mark.promise("redrive")
    @of([*STORES, *MESSAGES])
    def test_a_record_in_quarantine_is_delivered_once(self, quarantined: Hour) -> None:
        redriven = quarantined.redrive()

        assert (redriven.delivered, redriven.left, str(redriven.state)) == (1, {}, "complete")
        assert len(quarantined.at.documents()) == len(RECORDS) + 1
        assert set(quarantined.at.copies().values()) <= {1}
        assert quarantined.redrive().delivered == 0
        assert (quarantined.reconcile(), quarantined.problems) == ({}, "")
        assert set(quarantined.at.copies().values()) <= {1}

    @of([*STORES, *MESSAGES])
    def test_a_redrive_that_was_killed_before_its_receipt_delivers_nothing_twice(self, quarantined: Hour) -> None:
        killed = _LedgerOfTheKilled(quarantined.ledger.files, quarantined.ledger.root)
        with pytest.raises(KilledError):
            quarantined.redrive(ledger=killed)
        assert len(quarantined.at.documents()) == len(RECORDS) + 1

        redriven = quarantined.redrive()

        assert (redriven.already_present, redriven.left, str(redriven.state)) == (1, {}, "complete")
        assert set(quarantined.at.copies().values()) <= {1}

    @of(MESSAGES)
    def test_a_redrive_that_is_refused_changes_no_receipt_and_the_next_one_delivers(self, quarantined: Hour) -> None:
        before = quarantined.receipt
        quarantined.at.break_next(400)
        with pytest.raises(PermanentError):
            quarantined.redrive()
        assert quarantined.receipt == before

        assert quarantined.redrive().delivered == 1
        assert set(quarantined.at.copies().values()) == {1}

    @of(STORES)
    def test_a_conflict_is_replaced_only_by_a_redrive_that_replaces(self, hour: Hour, make: MakeDestination) -> None:
        elsewhere = Hour(hour.folder / "reference", make("google_storage"))
        elsewhere.run()
        expected = elsewhere.at.documents()
        key = next(iter(expected))
        hour.at.put(key, b"of another\n")
        hour.run()
        assert hour.receipt.counts.quarantined == {"conflict": 1}

        assert hour.redrive().left == {"conflict": 1}
        assert hour.at.documents()[key] == b"of another\n"
        redriven = hour.redrive(replace=True)

        assert (redriven.delivered, redriven.left, str(redriven.state)) == (1, {}, "complete")
        assert hour.at.documents() == expected
        assert (hour.reconcile(), hour.problems) == ({}, "")


class _LedgerOfTheKilled(Storage):
    """A ledger whose process is killed when it is about to write a receipt."""

    def create(self, path: str, content: bytes) -> bool:
        if receipt_files([path]):
            raise KilledError
        return super().create(path, content)


MOVES = [
    ("s3", "azure_blob"),
    ("azure_blob", "google_storage"),
    ("google_storage", "s3"),
    ("s3", "splunk_hec"),
    ("splunk_hec", "datadog"),
    ("datadog", "google_storage"),
    ("http", "sumo_logic"),
    ("sumo_logic", "http"),
    ("http", "http"),
    ("google_storage", "google_storage"),
]


@pytest.mark.promise("missing-only")
@pytest.mark.parametrize(
    ("kind", "other"),
    [pytest.param(*move, marks=[pytest.mark.azure] if "azure_blob" in move else []) for move in MOVES],
)
def test_an_account_that_moves_and_moves_back_has_each_document_once_at_each_place(
    delivered: Hour, make: MakeDestination, other: str
) -> None:
    home, away = delivered.at, make(other)
    before = home.documents()

    delivered.at = away
    assert delivered.run() == ""
    assert away.documents() == before
    assert delivered.receipt.destination["type"] == other
    delivered.at = home
    assert delivered.run() == ""

    assert delivered.receipt.destination["type"] == home.kind
    assert (home.documents(), away.documents()) == (before, before)
    assert set(home.copies().values()) | set(away.copies().values()) <= {1}
    assert delivered.receipt.counts.repeated == 0
    assert (delivered.reconcile(), delivered.problems) == ({}, "")
    if home.kind in STORES:
        home.delete(next(iter(before)))
        assert delivered.reconcile() == {"lost": 1}
