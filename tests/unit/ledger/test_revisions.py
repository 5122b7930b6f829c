"""Revisions: a window's receipts, each created once. The newest has all that was delivered."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.samples import HOUR

from job_history.errors import TransientError
from job_history.errors.code import Code
from job_history.ledger.item import Item
from job_history.ledger.items import ListHeader, item_writer, items_at, new_list_path
from job_history.ledger.merge import MAX_RUNS_REMEMBERED, gives_counts, hash_of_lists, merge
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import receipt_path, window_folder
from job_history.ledger.receipt_history import read_history
from job_history.ledger.receipt_store import add_revision, read_receipt, read_receipts
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.pipeline.problems import shrinkage
from job_history.storage import Storage, local_storage

HERE = {"type": "s3", "bucket": "acme-audit", "host": "minio.example:9000"}
AWAY = {**HERE, "host": "other.example:9000"}
REPORTED = datetime(2018, 5, 21, 1, 15, tzinfo=UTC)
FOLDER = window_folder(5234, EventKind.JOBS, HOUR)


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def reading(
    run: str,
    listed: int = 0,
    *,
    state: WindowState = WindowState.COMPLETE,
    minute: int | None = 10,
    finished_at: datetime = REPORTED,
    items: Iterable[str] = (),
    destination: dict[str, Any] | None = None,
    faults: Iterable[str] = (),
) -> Receipt:
    """Return the receipt of one run; `minute`: of the hour after the window, in which it read the source."""
    counts = Counts(counted=listed, listed=listed, delivered=listed)
    lists = [*items]
    entry = RunEntry(run, format_time(finished_at), state, counts, [*faults], {}, hash_of_lists(lists))
    return Receipt(
        user_id=5234,
        name="Acme",
        window=HOUR,
        state=state,
        counts=counts,
        gap=0,
        read_at="" if minute is None else format_time(HOUR.end + timedelta(minutes=minute)),
        settings_hash="1",
        code_version="0.1.0",
        destination=destination or HERE,
        items=lists,
        faults=[*faults],
        runs=[entry],
    )


def listed(ledger: Storage, numbers: Iterable[int], destination: dict[str, Any] | None = None) -> str:
    path = new_list_path(FOLDER, "run", "0001")
    with item_writer(ledger, path, ListHeader(5234, EventKind.JOBS, HOUR, destination or HERE)) as writer:
        for number in numbers:
            key, sha256 = f"5234/jobs/1/{number}.json", f"{number:064x}"
            writer.append(Item(str(number), "2018-05-21T00:00:10Z", Outcome.DELIVERED, key=key, sha256=sha256, bytes=1))
    return path


def report(
    ledger: Storage, run: str, numbers: Iterable[int], destination: dict[str, Any] | None = None, **fields: Any
) -> Receipt:
    """Add the reading of a run that delivered these documents."""
    ids = [*numbers]
    lists = [listed(ledger, ids, destination)] if ids else []
    return add_revision(ledger, reading(run, len(ids), items=lists, destination=destination, **fields))


def newest(ledger: Storage) -> Receipt:
    receipt = read_receipt(ledger, 5234, EventKind.JOBS, HOUR)
    assert receipt is not None
    return receipt


def documents(ledger: Storage, destination: dict[str, Any] | None = None) -> set[int]:
    """Return the documents that must be at a destination by the newest receipt; no list has one twice."""
    receipt = newest(ledger)
    found = [
        int(item.job_id)
        for path in (*receipt.items, *receipt.elsewhere)
        for item in items_at(ledger, path, destination or HERE)
        if item.must_be_there
    ]
    assert len(found) == len(set(found)) or receipt.elsewhere
    return set(found)


# Revisions


@pytest.mark.promise("receipts-are-revisions")
def test_each_report_creates_the_next_revision_and_changes_no_earlier_one(ledger: Storage) -> None:
    kept: dict[str, bytes | None] = {}
    for number in range(1, 5):
        report(ledger, f"run-{number}", [1, 2], minute=number)
        for path, content in kept.items():
            assert ledger.read(path) == content
        kept[receipt_path(5234, EventKind.JOBS, HOUR, number)] = ledger.read(
            receipt_path(5234, EventKind.JOBS, HOUR, number)
        )
    history = read_history(ledger, 5234, EventKind.JOBS, HOUR)
    hashes = [hashlib.sha256(content or b"").hexdigest() for content in kept.values()]
    assert [(each.version, each.revision, each.previous_sha256) for each in history] == [
        (2, number + 1, previous) for number, previous in enumerate([None, *hashes[:-1]])
    ]
    assert history[-1] == newest(ledger) == read_receipts(ledger, 5234, EventKind.JOBS, [HOUR])[0]


@pytest.mark.promise("receipts-are-revisions")
@pytest.mark.parametrize("state", WindowState)
def test_a_report_that_is_repeated_with_the_same_outcome_adds_no_revision(ledger: Storage, state: WindowState) -> None:
    own = reading("run", 1, state=state, items=[listed(ledger, [1])], faults=["no"])
    first = add_revision(ledger, own)
    again = replace(own, runs=[replace(own.runs[0], finished_at="2018-05-21T02:00:00Z", seconds={"load": 9.0})])
    assert add_revision(ledger, again) == first
    report(ledger, "another", [1, 2], minute=30)
    assert add_revision(ledger, again).revision == 2
    assert len(read_history(ledger, 5234, EventKind.JOBS, HOUR)) == 2


def test_a_run_that_is_cleared_and_reads_again_adds_a_revision(ledger: Storage) -> None:
    report(ledger, "run", [1, 2])
    report(ledger, "run", [1, 3], minute=20)
    assert newest(ledger).revision == 2
    assert documents(ledger) == {1, 2, 3}


@pytest.mark.promise("receipts-are-revisions")
def test_a_report_that_loses_the_number_is_merged_with_the_one_that_took_it(ledger: Storage) -> None:
    class Overtaken(Storage):
        """Another report creates the revision just before this one."""

        others = iter(range(3))

        def create(self, path: str, content: bytes) -> bool:
            if (number := next(self.others, None)) is not None:
                report(ledger, f"other-{number}", [10 + number], minute=20 + number)
            return super().create(path, content)

    made = report(Overtaken(ledger.files, ledger.root), "own", [1], minute=10)
    assert made.revision == 4
    assert [each.revision for each in read_history(ledger, 5234, EventKind.JOBS, HOUR)] == [1, 2, 3, 4]
    assert {entry.run for entry in made.runs} == {"own", "other-0", "other-1", "other-2"}
    assert documents(ledger) == {1, 10, 11, 12}
    assert (made.counts.listed, made.counts.gone) == (1, 3)


def test_a_revision_for_one_that_is_no_longer_the_newest_is_refused(ledger: Storage) -> None:
    base = report(ledger, "run", [1])
    report(ledger, "later", [1, 2], minute=20)
    with pytest.raises(TransientError, match="Account 5234 Acme, window "):
        add_revision(ledger, replace(base, runs=[replace(base.runs[0], run="redrive-1")]), only_after=base.revision)
    assert newest(ledger).revision == 2


# What was delivered


@pytest.mark.promise("receipts-never-forget")
def test_what_the_source_no_longer_lists_stays_on_record_as_gone(ledger: Storage) -> None:
    report(ledger, "run-1", range(50))
    pruned = report(ledger, "run-2", [*range(10, 50), 60], minute=20)
    assert (pruned.counts.listed, pruned.counts.gone, documents(ledger)) == (41, 10, {*range(50), 60})
    nothing = report(ledger, "run-3", [], minute=30)
    assert (nothing.state, nothing.counts.listed, nothing.counts.gone) == ("complete", 0, 51)
    assert documents(ledger) == {*range(50), 60}
    back = report(ledger, "run-4", range(50), minute=40)
    assert (back.counts.listed, back.counts.gone, documents(ledger)) == (50, 1, {*range(50), 60})


@pytest.mark.promise("receipts-never-forget")
@pytest.mark.parametrize("state", [WindowState.FAILED, WindowState.UNRECOVERABLE, WindowState.COMPLETE])
def test_what_a_run_delivered_is_on_record_even_if_another_gives_the_counts(
    ledger: Storage, state: WindowState
) -> None:
    """A later run that failed half way, or an earlier reading that is reported late."""
    report(ledger, "closed", [1, 2], minute=20)
    made = report(ledger, "other", [2, 3], state=state, minute=10)
    assert (made.state, made.counts.listed, made.counts.gone) == ("complete", 2, 1)
    assert documents(ledger) == {1, 2, 3}


@pytest.mark.promise("receipts-never-forget")
def test_an_open_window_keeps_what_was_delivered_to_it(ledger: Storage) -> None:
    failed = WindowState.FAILED
    report(ledger, "half", [1], state=failed)
    nothing = report(ledger, "away", [], state=failed, destination={"type": "s3", "bucket": "acme-audit"})
    assert (nothing.state, documents(ledger), nothing.destination) == ("failed", {1}, HERE)
    assert report(ledger, "well", [1, 2], minute=20).counts.gone == 0


@pytest.mark.promise("receipts-never-forget")
def test_an_account_that_moves_away_and_back_forgets_nothing(ledger: Storage) -> None:
    report(ledger, "here", [1, 2])
    away = report(ledger, "away", [1, 2, 3], AWAY, minute=20)
    assert (away.counts.gone, documents(ledger, AWAY), documents(ledger, HERE)) == (0, {1, 2, 3}, {1, 2})
    report(ledger, "failed", [], AWAY, minute=25, state=WindowState.FAILED)
    back = report(ledger, "back", [2, 3], minute=30)
    assert (back.counts.gone, documents(ledger, HERE), documents(ledger, AWAY)) == (1, {1, 2, 3}, {1, 2, 3})


def test_a_reading_without_documents_writes_no_list(ledger: Storage) -> None:
    report(ledger, "run-1", [])
    report(ledger, "run-2", [], minute=20, state=WindowState.FAILED)
    assert newest(ledger).items == []
    assert not [path for path in ledger.paths("") if path.endswith(".parquet")]


# Receipts of version 1


def version_1(ledger: Storage, receipt: Receipt) -> None:
    plain = {**msgspec.to_builtins(receipt), "version": 1}
    for name in ("revision", "previous_sha256", "version_1_sha256", "elsewhere"):
        del plain[name]
    ledger.write(receipt_path(5234, EventKind.JOBS, HOUR, 0), msgspec.json.encode(plain))


@pytest.mark.promise("version-1-ledger")
def test_a_receipt_of_version_1_is_revision_0_and_goes_on(ledger: Storage) -> None:
    version_1(ledger, reading("old", 2, items=[listed(ledger, [1, 2])]))
    content = ledger.read(receipt_path(5234, EventKind.JOBS, HOUR, 0)) or b""
    assert (newest(ledger).revision, documents(ledger)) == (0, {1, 2})

    made = report(ledger, "new", [2, 3], minute=20)

    digest = hashlib.sha256(content).hexdigest()
    assert (made.version, made.revision, made.previous_sha256, made.version_1_sha256) == (2, 1, digest, digest)
    assert ([entry.run for entry in made.runs], documents(ledger)) == (["old", "new"], {1, 2, 3})
    assert ledger.read(receipt_path(5234, EventKind.JOBS, HOUR, 0)) == content
    assert newest(ledger) == made == read_receipts(ledger, 5234, EventKind.JOBS, [HOUR])[0]
    assert [each.revision for each in read_history(ledger, 5234, EventKind.JOBS, HOUR)] == [0, 1]


@pytest.mark.promise("version-1-ledger")
@pytest.mark.parametrize(("minute", "counted"), [(30, 2), (5, 1)])
def test_what_a_rolled_back_release_wrote_is_one_more_reading(ledger: Storage, minute: int, counted: int) -> None:
    report(ledger, "new", [1], minute=10)
    version_1(ledger, reading("rolled back", 2, items=[listed(ledger, [2, 3])], minute=minute))
    assert (newest(ledger).counts.listed, documents(ledger)) == (counted, {1, 2, 3})
    assert read_receipts(ledger, 5234, EventKind.JOBS, [HOUR]) == [newest(ledger)]

    made = report(ledger, "later", [3, 4], minute=40)

    assert (made.revision, made.counts.listed, documents(ledger)) == (3, 2, {1, 2, 3, 4})
    assert [entry.run for entry in made.runs] == ["new", "rolled back", "later"]
    assert newest(ledger) == made
    assert report(ledger, "last", [3, 4], minute=50).revision == 4


# Merging

states = st.sampled_from(list(WindowState))
minutes = st.none() | st.integers(0, 14)
readings = st.builds(lambda state, minute, listed: (state, minute, listed), states, minutes, st.integers(0, 9))


@given(st.lists(readings, min_size=1, max_size=6))
@pytest.mark.promise("receipts-are-revisions", "newest-reading", "failures-stay")
def test_the_rules_hold_for_readings_in_any_order(several: list[tuple[WindowState, int | None, int]]) -> None:
    made = [
        reading(f"run-{number}", count, state=state, minute=minute)
        for number, (state, minute, count) in enumerate(several)
    ]
    merged = made[0]
    for own in made[1:]:
        before, merged = merged, merge(merged, own) or merged
        assert merge(merged, own) is None
        if before.state.closed:
            assert merged.state.closed
        if before.state is not WindowState.DISABLED:
            assert merged.state is not WindowState.DISABLED
        if own.state.closed and not before.state.closed:
            assert (merged.state, merged.counts) == (own.state, own.counts)
        if before.state.closed and own.state.closed and None not in (before.read_at or None, own.read_at or None):
            assert merged.read_at == max(before.read_at, own.read_at)
        assert merged.counts == (before if gives_counts(before, own) else own).counts
    assert [entry.run for entry in merged.runs] == [f"run-{number}" for number in range(len(made))]


@given(st.lists(readings, min_size=2, max_size=5, unique_by=lambda each: each[1]), st.data())
def test_of_closed_readings_the_latest_gives_the_counts_in_any_order(
    several: list[tuple[WindowState, int | None, int]], data: st.DataObject
) -> None:
    made = [
        reading(f"run-{number}", count, state=state, minute=minute)
        for number, (state, minute, count) in enumerate(several)
        if minute is not None
    ]
    closed = [each for each in made if each.state.closed]
    merged: Receipt | None = None
    for own in data.draw(st.permutations(made)):
        merged = own if merged is None else merge(merged, own) or merged
    if merged is not None and closed:
        assert merged.read_at == max(each.read_at for each in closed)


def test_merging_changes_neither_receipt() -> None:
    made = [reading(f"run-{number}", state=state) for number, state in enumerate(WindowState)]
    before = msgspec.json.encode(made)
    for earlier, own in itertools.permutations(made, 2):
        merge(earlier, own)
    assert msgspec.json.encode(made) == before


@pytest.mark.promise("newest-reading")
@pytest.mark.parametrize(("earlier", "own"), [(None, 10), (10, None), (120, 10)])
def test_a_reading_without_a_usable_time_gives_way_to_the_later_report(earlier: int | None, own: int | None) -> None:
    merged = merge(reading("first", 1, minute=earlier), reading("second", 2, minute=own))
    assert merged is not None
    assert merged.counts.listed == 2


# Fewer records than before


@pytest.mark.promise("source-shrank")
@pytest.mark.parametrize(
    ("before", "now", "shrank"),
    [(50, 0, True), (50, 24, True), (50, 25, False), (1, 0, True), (0, 0, False), (1, 1, False)],
)
def test_a_reading_of_nothing_or_less_than_half_is_noted(ledger: Storage, before: int, now: int, shrank: bool) -> None:
    report(ledger, "run-1", range(before))
    again = [report(ledger, "run-2", range(now), minute=20) for _ in range(2)]
    assert [each.runs[-1].shrank_from for each in again] == [before if shrank else None] * 2


@pytest.mark.promise("source-shrank")
def test_that_a_source_shrank_is_noted_in_each_run_until_one_accepts_it_or_lists_more(ledger: Storage) -> None:
    report(ledger, "run-1", range(50))
    report(ledger, "run-2", [], minute=20)
    add_revision(ledger, reading("failed", state=WindowState.FAILED, faults=["away"]))
    assert report(ledger, "run-3", [], minute=30).runs[-1].shrank_from == 50
    accepting = reading("run-4", 0, minute=40)
    accepting.runs[0].accepts_fewer = True
    assert add_revision(ledger, accepting).runs[-1].shrank_from is None
    assert report(ledger, "run-5", [], minute=50).runs[-1].shrank_from is None
    report(ledger, "run-6", range(50), minute=51)
    report(ledger, "run-7", [], minute=52)
    assert report(ledger, "run-8", range(25), minute=53).runs[-1].shrank_from is None


@pytest.mark.promise("source-shrank")
def test_a_run_that_folds_in_a_smaller_reading_of_a_rolled_back_release_notes_that_the_source_shrank(
    ledger: Storage,
) -> None:
    report(ledger, "run-1", range(50))
    version_1(ledger, reading("rolled back", 0, minute=20))
    made = report(ledger, "run-2", [], minute=30)
    assert [(entry.run, entry.shrank_from) for entry in made.runs][1:] == [("rolled back", 50), ("run-2", 50)]
    assert len(shrinkage("run-2", made)) == 1


@pytest.mark.promise("receipts-are-revisions")
def test_a_report_that_is_repeated_after_many_other_runs_adds_no_revision(ledger: Storage) -> None:
    """`runs` names the last fifty; the runs before them are in earlier revisions."""
    first = report(ledger, "run-0", [], state=WindowState.FAILED, faults=["away"])
    for number in range(1, MAX_RUNS_REMEMBERED + 1):
        newest = report(ledger, f"run-{number}", [], state=WindowState.FAILED, faults=["away"])
    assert first.runs[0].run not in {entry.run for entry in newest.runs}

    assert report(ledger, "run-0", [], state=WindowState.FAILED, faults=["away"]) == newest
    assert report(ledger, "run-0", [], state=WindowState.FAILED, faults=["other"]).revision == newest.revision + 1


@pytest.mark.promise("source-shrank")
def test_the_order_of_two_reports_does_not_hide_that_the_source_shrank(ledger: Storage) -> None:
    report(ledger, "later", [], minute=14)
    made = report(ledger, "first", range(50), minute=10)
    assert (made.counts.listed, made.counts.gone, made.runs[-1].shrank_from) == (0, 50, 50)
    [problem] = shrinkage("first", made)
    assert (problem.count(Code.SOURCE_SHRANK), problem.count(" 0 "), problem.count(" 50 ")) == (1, 1, 1)
