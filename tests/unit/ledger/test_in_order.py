"""Rows of an item list: in the order of the staged documents, with bounded memory."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from tests.unit.samples import HOUR

from job_history.ledger import in_order as module
from job_history.ledger.in_order import MAX_IN_MEMORY, in_order
from job_history.ledger.item import Item
from job_history.ledger.items import ListHeader, item_writer, items_at
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt_files import window_folder
from job_history.model.event_kind import EventKind
from job_history.storage import local_storage

FOLDER = window_folder(5234, EventKind.JOBS, HOUR)
PATH = f"{FOLDER}/items.parquet"
HEADER = ListHeader(5234, EventKind.JOBS, HOUR, {"type": "s3", "bucket": "acme-audit"})


def item(number: int) -> Item:
    return Item(str(number), "2018-05-21T00:00:10Z", Outcome.DELIVERED, key=f"{number}.json", bytes=number)


@pytest.mark.parametrize("in_memory", [1, 7, MAX_IN_MEMORY])
def test_rows_are_in_the_order_of_the_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(module, "MAX_IN_MEMORY", in_memory)
    storage, numbers = local_storage(tmp_path), list(range(200))
    Random(7).shuffle(numbers)
    with item_writer(storage, PATH, HEADER) as items, in_order(items) as ordered:
        for number in numbers:
            ordered.add(number, item(number))
            assert len(ordered._in_memory) <= in_memory
    assert list(items_at(storage, PATH)) == [item(number) for number in range(200)]


def test_one_slow_upload_does_not_fill_the_memory(tmp_path: Path) -> None:
    storage, count = local_storage(tmp_path), 3 * MAX_IN_MEMORY
    with item_writer(storage, PATH, HEADER) as items, in_order(items) as ordered:
        for number in range(1, count):
            ordered.add(number, item(number))
        assert len(ordered._in_memory) == MAX_IN_MEMORY
        ordered.add(0, item(0))
        assert len(ordered._in_memory) == 0
    assert [each.bytes for each in items_at(storage, PATH)] == list(range(count))
