"""What was acknowledged of a window, as loads of the same, of overlapping and of other parts see it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from job_history.errors import PermanentError
from job_history.ledger.acknowledgements import Acknowledgements, count_repeated, window_folder
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.storage import Storage, local_storage

START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
ONE, TWO, BATCH = 64 * "1", 64 * "2", 64 * "a"


def slice_of(run: str = "hourly", begin: int = 0, end: int = 60) -> Slice:
    part = Window(START + timedelta(minutes=begin), START + timedelta(minutes=end))
    return Slice(run=run, user_id=5234, name="Acme", window=HOUR, part=part)


def load_of(ledger: Storage, slice_: Slice, target: str = "target") -> Acknowledgements:
    load = Acknowledgements(ledger, slice_, target)
    load.look()
    return load


def sent(ledger: Storage, slice_: Slice, *documents: str, target: str = "target") -> Acknowledgements:
    """A load that sent these documents, in a batch, and has not ended."""
    load = load_of(ledger, slice_, target)
    load.begin(list(documents))
    load.add(BATCH, documents=list(documents), repeated=[], begun=None, following=[])
    return load


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


@pytest.mark.parametrize(("begin", "end"), [(0, 60), (0, 30), (15, 45), (29, 60), (10, 20)])
def test_acknowledgements_of_an_overlapping_part_count(ledger: Storage, begin: int, end: int) -> None:
    sent(ledger, slice_of(begin=0, end=30), ONE).end()

    assert load_of(ledger, slice_of("later", begin, end)).has(ONE)


@pytest.mark.parametrize(("begin", "end"), [(30, 60), (31, 32)])
def test_acknowledgements_of_another_part_are_not_read(ledger: Storage, begin: int, end: int) -> None:
    sent(ledger, slice_of(begin=0, end=30), ONE)
    damage(ledger)

    later = load_of(ledger, slice_of("later", begin, end))

    assert (later.has(ONE), later.copies(ONE)) == (False, 0)


def test_acknowledgements_of_another_target_are_not_read(ledger: Storage) -> None:
    sent(ledger, slice_of(), ONE, target="other")

    assert not load_of(ledger, slice_of("later")).has(ONE)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"load":"x","documents":["yesterday"]}'])
def test_a_damaged_acknowledgement_is_an_error_that_names_its_path(ledger: Storage, content: bytes) -> None:
    sent(ledger, slice_of(), ONE).end()
    path = damage(ledger, content)

    with pytest.raises(PermanentError, match=path):
        load_of(ledger, slice_of("later"))
    with pytest.raises(PermanentError, match=path):
        count_repeated(ledger, slice_of("later"))
    assert ledger.read(path) == content


def test_a_damaged_mark_is_an_error_that_names_its_path(ledger: Storage) -> None:
    sent(ledger, slice_of(), ONE)
    path = damage(ledger, b"{", marks=True)

    with pytest.raises(PermanentError, match=path):
        load_of(ledger, slice_of("later"))


def test_repeats_of_a_load_that_did_not_end_are_counted_once_per_document(ledger: Storage) -> None:
    sent(ledger, slice_of(), ONE).end()
    sent(ledger, slice_of("repair"), ONE, TWO)

    assert count_repeated(ledger, slice_of("repair")) == 1
    assert count_repeated(ledger, slice_of("another")) == 0


def test_a_batch_of_unknown_outcome_counts_as_sent(ledger: Storage) -> None:
    sent(ledger, slice_of(), ONE).end()
    load_of(ledger, slice_of("repair")).begin([ONE, TWO])

    assert count_repeated(ledger, slice_of("repair")) == 1


def test_counting_repeats_writes_nothing(ledger: Storage) -> None:
    sent(ledger, slice_of(), ONE)
    load_of(ledger, slice_of("repair")).begin([ONE])
    before = sorted(ledger.paths(""))

    count_repeated(ledger, slice_of("repair"))

    assert sorted(ledger.paths("")) == before


def damage(ledger: Storage, content: bytes = b"{", *, marks: bool = False) -> str:
    """Write this over one acknowledgement, or one mark; returns its path."""
    folder = window_folder(5234, slice_of().kind, HOUR)
    paths = [path for path in ledger.paths(folder) if ("under-way-" in path) == marks and "/met-" not in path]
    ledger.write(paths[0], content)
    return paths[0]
