"""Receipts: the books of a window, and how one run's stand beside those of earlier runs."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import HOUR, RUN, account, outcome, slice_of

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger.item import Item
from job_history.ledger.items import ListHeader, item_writer
from job_history.ledger.merge import MAX_RUNS_REMEMBERED, hash_of_lists
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import Counts, JobRef, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import receipt_files, receipt_path
from job_history.ledger.receipt_store import add_revision, read_receipt
from job_history.model.event_kind import EventKind
from job_history.pipeline.make_receipt import make_receipt
from job_history.pipeline.results import PlannedWindow, SliceOutcome
from job_history.storage import Storage, local_storage

FINISHED = datetime(2018, 5, 21, 1, 15, tzinfo=UTC)
SECONDS = {"extract": 1.0, "transform": 0.5, "load": 4.0}
FIRST, SECOND = slice_of(number=1, of=2), slice_of(number=2, of=2)


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def planned(*, enabled: bool = True, counted: int | None = 0) -> PlannedWindow:
    return PlannedWindow(
        user_id=5234,
        name="Acme",
        window=HOUR,
        enabled=enabled,
        counted=counted,
        slices=[],
        settings_hash=account().settings_hash,
        destination={"type": "s3", "bucket": "acme-audit"},
    )


def receipt(
    outcomes: list[SliceOutcome] | None = None,
    faults: list[str] | None = None,
    *,
    run: str = RUN,
    finished_at: datetime = FINISHED,
    **changes: Any,
) -> Receipt:
    return make_receipt(
        planned(**changes), outcomes or [], faults or [], run=run, finished_at=finished_at, code_version="0.1.0"
    )


def with_jobs(one: SliceOutcome, first: str, last: str) -> SliceOutcome:
    one.transformed.first_job, one.transformed.last_job = JobRef(first, "1"), JobRef(last, "2")
    return one


def files(one: Receipt) -> list[str]:
    return [*one.items, *one.quarantine]


def saved(ledger: Storage, one: Receipt) -> Receipt:
    """Save a receipt with its files, and return the newest. Each list has the same document."""
    for path in one.quarantine:
        ledger.write(path, b"the receipt")
    for path in one.items:
        with item_writer(ledger, path, ListHeader(5234, EventKind.JOBS, HOUR, one.destination)) as items:
            items.append(Item("1", "2018-05-21T00:00:10Z", Outcome.DELIVERED, key="5234/1.json", sha256="1", bytes=1))
    newest = add_revision(ledger, one)
    assert read_receipt(ledger, 5234, EventKind.JOBS, HOUR) == newest
    return newest


def left_in(ledger: Storage) -> list[str]:
    return sorted(path for path in ledger.paths("") if not receipt_files([path]))


# One run


@pytest.mark.promise("receipt-always")
def test_each_kind_of_event_has_a_receipt_of_its_own(ledger: Storage) -> None:
    jobs, events = receipt(counted=0), msgspec.structs.replace(receipt(counted=0), kind=EventKind.ADMIN_EVENTS)
    added = [add_revision(ledger, one) for one in (jobs, events)]
    assert [read_receipt(ledger, 5234, kind, HOUR) for kind in EventKind] == added
    assert sorted(ledger.paths("")) == [
        f"receipts/5234/{kind}/20180521/20180521T000000Z-20180521T010000Z/r000001.json"
        for kind in ("admin_events", "jobs")
    ]


def test_a_receipt_adds_up_its_slices() -> None:
    one = outcome(
        FIRST,
        delivered=3,
        already_present=1,
        filtered={"aborted": 1},
        quarantined={"bad_json": 1},
        quarantine_paths=["q/2", "q/1"],
        example_keys=["a", "b"],
    )
    other = outcome(
        SECOND,
        delivered=2,
        conflicts=1,
        filtered={"aborted": 1, "cancelled": 2},
        quarantined={"bad_json": 1, "bad_id": 1},
        quarantine_paths=["q/1", "q/3"],
        example_keys=["c", "d"],
    )
    with_jobs(one, "2018-05-21T00:00:10Z", "2018-05-21T00:29:59.5Z")
    with_jobs(other, "2018-05-21T00:30:00Z", "2018-05-21T00:59:59Z")
    other.transformed.oversize = 1
    counts = Counts(
        counted=14,
        listed=14,
        delivered=5,
        already_present=1,
        filtered={"aborted": 2, "cancelled": 2},
        quarantined={"bad_json": 2, "bad_id": 1, "conflict": 1},
        oversize=1,
        bytes=7_000,
        delivered_bytes=5_000,
    )
    assert receipt([one, other], counted=14) == Receipt(
        user_id=5234,
        name="Acme",
        window=HOUR,
        state=WindowState.COMPLETE_WITH_QUARANTINE,
        counts=counts,
        gap=0,
        first_job=JobRef("2018-05-21T00:00:10Z", "1"),
        last_job=JobRef("2018-05-21T00:59:59Z", "2"),
        seconds=SECONDS,
        settings_hash=account().settings_hash,
        code_version="0.1.0",
        destination={"type": "memory", "bucket": "memory"},
        items=[one.items_path, other.items_path],
        quarantine=["q/1", "q/2", "q/3"],
        example_keys=["a", "b", "c"],
        faults=[],
        runs=[
            RunEntry(
                RUN,
                "2018-05-21T01:15:00Z",
                WindowState.COMPLETE_WITH_QUARANTINE,
                counts,
                [],
                SECONDS,
                hash_of_lists([one.items_path, other.items_path]),
            )
        ],
    )


def test_an_hour_without_jobs_has_a_receipt_too() -> None:
    empty = receipt()
    assert (empty.state, empty.counts, empty.gap, empty.items, empty.first_job) == (
        WindowState.COMPLETE,
        Counts(),
        0,
        [],
        None,
    )
    assert empty.destination == {"type": "s3", "bucket": "acme-audit"}


@pytest.mark.parametrize(
    ("made", "state", "closed"),
    [
        (receipt([outcome(FIRST, delivered=1)]), "complete", True),
        (receipt([outcome(FIRST, filtered={"aborted": 1})]), "complete", True),
        (receipt([outcome(FIRST, quarantined={"bad_id": 1})]), "complete_with_quarantine", True),
        (receipt([outcome(FIRST, conflicts=1)]), "complete_with_quarantine", True),
        (receipt([outcome(FIRST, delivered=1)], ["load failed"]), "failed", False),
        (receipt([], ["extract failed"]), "failed", False),
        (receipt(counted=3), "failed", False),
        (receipt(enabled=False, counted=None), "disabled", False),
    ],
)
def test_the_state_of_a_window_after_a_run(made: Receipt, state: str, closed: bool) -> None:
    assert (made.state, made.state.closed, made.runs[0].state) == (state, closed, state)


numbers = st.integers(0, 10**6)
some_outcomes = st.lists(
    st.builds(
        outcome,
        st.just(FIRST),
        delivered=numbers,
        already_present=numbers,
        conflicts=numbers,
        # What was not met is not in them.
        filtered=st.dictionaries(st.sampled_from(["aborted", "cancelled", "none"]), st.integers(1, 10**6)),
        quarantined=st.dictionaries(st.sampled_from(["bad_id", "bad_json", "bad_time"]), st.integers(1, 10**6)),
    ),
    min_size=1,
    max_size=5,
)


@given(some_outcomes)
def test_a_receipt_balances_if_its_slices_do(outcomes: list[SliceOutcome]) -> None:
    assert all(one.balanced for one in outcomes)
    made = receipt(outcomes)
    counts = made.counts
    accounted_for = [counts.delivered, counts.already_present, *counts.filtered.values(), *counts.quarantined.values()]
    assert (counts.listed, counts.counted, made.gap) == (sum(accounted_for), sum(accounted_for), 0)
    quarantined = sum(counts.quarantined.values())
    assert made.state == (WindowState.COMPLETE_WITH_QUARANTINE if quarantined else WindowState.COMPLETE)


@given(some_outcomes, st.data())
def test_counts_with_any_number_changed_do_not_balance(outcomes: list[SliceOutcome], data: st.DataObject) -> None:
    one = outcomes[0]
    field = data.draw(st.sampled_from(["delivered", "already_present", "conflicts", "counted", "listed"]))
    where = one.extracted if field in {"counted", "listed"} else one
    setattr(where, field, getattr(where, field) + data.draw(st.integers(-5, 5).filter(bool)))
    assert not one.balanced


# One run after another


def test_a_receipt_is_read_as_it_was_saved_and_is_legible(ledger: Storage) -> None:
    made = receipt([outcome(FIRST, delivered=1)])
    assert saved(ledger, made) == msgspec.structs.replace(made, revision=1)
    path = receipt_path(5234, EventKind.JOBS, HOUR)
    assert path == f"receipts/5234/jobs/20180521/{HOUR.slug}/r000001.json"
    assert (ledger.read(path) or b"").startswith(b'{\n "version": 2,\n "revision": 1,\n "previous_sha256": null,\n')
    assert read_receipt(ledger, 5235, EventKind.JOBS, HOUR) is None


def test_a_later_successful_run_gives_the_counts_and_the_quarantine(ledger: Storage) -> None:
    first = receipt(
        [outcome(FIRST, delivered=1, quarantined={"bad_id": 1, "bad_json": 1}, quarantine_paths=["q/id", "q/json"])],
        run="one",
    )
    later = receipt(
        [outcome(slice_of(run="two"), already_present=2, quarantined={"bad_id": 1}, quarantine_paths=["q/id"])],
        run="two",
    )
    saved(ledger, first)
    newest = saved(ledger, later)
    assert (newest.counts, newest.state, newest.quarantine) == (later.counts, "complete_with_quarantine", ["q/id"])
    assert [entry.run for entry in newest.runs] == ["one", "two"]
    # Another run may be about to name them.
    assert left_in(ledger) == sorted({*files(first), *files(later)})


def test_a_failed_window_is_closed_by_a_later_run(ledger: Storage) -> None:
    failed = receipt([outcome(FIRST, delivered=1)], ["load of 2 failed"], run="one")
    well = receipt([outcome(slice_of(run="two"), already_present=1, delivered=1)], run="two")
    assert [saved(ledger, one).state for one in (failed, well)] == ["failed", "complete"]
    assert (
        left_in(ledger),
        [entry.state for entry in (read_receipt(ledger, 5234, EventKind.JOBS, HOUR) or failed).runs],
    ) == (
        sorted([*failed.items, *well.items]),
        ["failed", "complete"],
    )


@pytest.mark.promise("newest-reading")
@pytest.mark.parametrize(
    "later",
    [
        receipt([], ["the source is away"], run="two"),
        receipt(enabled=False, counted=None, run="two"),
    ],
)
def test_a_closed_window_stays_closed_when_a_later_run_fails_or_the_account_is_paused(
    ledger: Storage, later: Receipt
) -> None:
    closed = receipt([outcome(FIRST, delivered=1, quarantined={"bad_id": 1}, quarantine_paths=["q/id"])], run="one")
    saved(ledger, closed)
    newest = saved(ledger, later)
    entries = [closed.runs[0], *later.runs]
    assert (newest.state, newest.counts, newest.faults) == ("complete_with_quarantine", closed.counts, [])
    assert (newest.runs, left_in(ledger)) == (entries, sorted(files(closed)))


@pytest.mark.promise("failures-stay")
def test_a_pause_does_not_clear_an_earlier_failure(ledger: Storage) -> None:
    failed = receipt([outcome(FIRST, delivered=1)], ["load of 2 failed"], run="one")
    paused = receipt(enabled=False, counted=None, run="two")
    saved(ledger, failed)
    newest = saved(ledger, paused)
    assert (newest.state, newest.counts, newest.items) == ("failed", failed.counts, failed.items)
    assert newest.runs == [failed.runs[0], *paused.runs]


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"version": 2, "user_',
        b"\xff\xfe",
        b"[" * 100_000,
        {"read_at": "yesterday"},
        {"window": {"start": "2018-05-21T00:00:00", "end": "2018-05-21T01:00:00Z"}},
        {"runs": [{"run": "a", "finished_at": "later", "state": "failed", "counts": {}, "faults": []}]},
        {"state": "done"},
        {"items": "one"},
    ],
)
def test_a_damaged_receipt_is_an_error_with_its_path_and_stays(ledger: Storage, content: Any) -> None:
    path = receipt_path(5234, EventKind.JOBS, HOUR)
    plain = msgspec.to_builtins(receipt())
    damaged = content if isinstance(content, bytes) else msgspec.json.encode({**plain, **content})
    ledger.write(path, damaged)
    with pytest.raises(PermanentError, match=re.escape(ledger.url(path))) as caught:
        read_receipt(ledger, 5234, EventKind.JOBS, HOUR)
    assert caught.value.code == Code.LEDGER_FILE_DAMAGED
    with pytest.raises(PermanentError, match=re.escape(ledger.url(path))):
        add_revision(ledger, receipt())
    assert {path: ledger.read(path) for path in ledger.paths("")} == {path: damaged}


@pytest.mark.promise("newer-ledger")
@pytest.mark.parametrize("changes", [{}, {"state": "sealed"}, {"window": None}])
def test_a_receipt_of_a_newer_version_is_an_error_and_nothing_is_written(
    ledger: Storage, changes: dict[str, Any]
) -> None:
    path = receipt_path(5234, EventKind.JOBS, HOUR)
    newer = msgspec.json.encode({**msgspec.to_builtins(receipt()), "version": 3, **changes})
    ledger.write(path, newer)
    for use in (lambda: read_receipt(ledger, 5234, EventKind.JOBS, HOUR), lambda: add_revision(ledger, receipt())):
        with pytest.raises(PermanentError) as caught:
            use()
        assert caught.value.code == Code.LEDGER_TOO_NEW
    assert {path: ledger.read(path) for path in ledger.paths("")} == {path: newer}


def test_a_run_that_is_cleared_replaces_its_own_entry_and_keeps_its_files(ledger: Storage) -> None:
    failed = receipt([outcome(FIRST, delivered=1)], ["load of 2 failed"])
    again = receipt([outcome(FIRST, already_present=1), outcome(SECOND, delivered=1)])
    saved(ledger, failed)
    newest = saved(ledger, again)
    assert ([entry.state for entry in newest.runs], left_in(ledger)) == (["complete"], sorted(again.items))


def test_a_receipt_keeps_the_last_fifty_runs(ledger: Storage) -> None:
    for number in range(MAX_RUNS_REMEMBERED + 3):
        finished_at = FINISHED + timedelta(hours=number)
        newest = add_revision(ledger, receipt(run=f"run-{number}", finished_at=finished_at))
    remembered = [f"run-{number}" for number in range(3, MAX_RUNS_REMEMBERED + 3)]
    assert [entry.run for entry in newest.runs] == remembered


def test_the_receipt_of_another_window_is_another(ledger: Storage) -> None:
    add_revision(ledger, receipt([outcome(FIRST, delivered=1)]))
    other = PlannedWindow(**{**{name: getattr(planned(), name) for name in planned().__struct_fields__}, "user_id": 77})
    add_revision(ledger, make_receipt(other, [], [], run=RUN, finished_at=FINISHED, code_version="0.1.0"))
    counts = [
        (read_receipt(ledger, user_id, EventKind.JOBS, HOUR) or receipt()).counts.delivered for user_id in (5234, 77)
    ]
    assert counts == [1, 0]


# Several runs of a window that end in another order than they read


def read_at(moment: str, one: SliceOutcome) -> SliceOutcome:
    one.extracted.read_at = moment
    return one


@pytest.mark.promise("newest-reading")
def test_a_run_that_read_the_source_earlier_does_not_replace_one_that_read_it_later(ledger: Storage) -> None:
    newer = receipt(
        [read_at("2018-05-21T01:12:00.000000Z", outcome(FIRST, quarantined={"bad_id": 1}, quarantine_paths=["q/id"]))],
        run="newer",
    )
    older = receipt([read_at("2018-05-21T01:05:00.000000Z", outcome(SECOND, delivered=1))], run="older")
    saved(ledger, newer)
    newest = saved(ledger, older)
    assert (newest.state, newest.counts, newest.quarantine) == ("complete_with_quarantine", newer.counts, ["q/id"])
    assert [entry.run for entry in newest.runs] == ["newer", "older"]
    assert "q/id" in left_in(ledger)


def test_a_window_that_went_to_two_places_names_both() -> None:
    one, other = outcome(FIRST, delivered=1), outcome(SECOND, delivered=1)
    one.destination, other.destination = {"type": "s3", "bucket": "old"}, {"type": "s3", "bucket": "new"}
    both = [{"type": "s3", "bucket": "old"}, {"type": "s3", "bucket": "new"}]
    assert receipt([one, other]).destination == {"type": "s3", "several": both}
