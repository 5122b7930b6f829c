"""A load that is killed while it writes its item list: the next try writes another, and only that one is named."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.mortal_storage import KilledError, Life, MortalStorage
from tests.unit.pipeline.test_load import Slices
from tests.unit.samples import MemoryDestination, record

from job_history.ledger.items import items_at

FINISHED, STOPPED = 3, 1


def load_until(folder: Path, life: Life | None) -> tuple[int, set[str]]:
    """Load a slice after a load with that life; returns the items of the list that is named, and all lists."""
    slices, destination = Slices(folder), MemoryDestination()
    records = [record(job_id=number) for number in range(FINISHED)] + [record(job_id=9, status="aborted")]
    staged = slices.transformed(records)
    if life is not None:
        whole, slices.ledger = slices.ledger, MortalStorage(folder / "ledger", life)
        with pytest.raises(KilledError):
            slices.loaded(destination, staged)
        slices.ledger = whole
    outcome = slices.loaded(destination, staged)
    assert outcome.balanced
    assert outcome.delivered + outcome.already_present == FINISHED
    lists = {path for path in slices.ledger.paths("receipts") if path.endswith(".parquet")}
    return len(list(items_at(slices.ledger, outcome.items_path))), lists


@pytest.mark.promise("killed-steps")
@crash_cell("killed", "a load", "at each write of its item list", "tried again")
def test_load_killed_while_it_writes_its_list_names_the_list_of_the_next_try(tmp_path: Path) -> None:
    assert load_until(tmp_path / "undisturbed", None)[0] == FINISHED + STOPPED
    killed = 0
    with suppress(pytest.fail.Exception):  # the load ended: it has no more steps
        for step in range(1, 20):
            items, lists = load_until(tmp_path / str(step), Life(step))
            assert items == FINISHED + STOPPED
            assert 1 <= len(lists) <= 2
            killed = step
    assert killed >= 3
