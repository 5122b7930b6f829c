"""Item lists: what became of each job, as Parquet."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from job_history.ledger.items import ROWS_A_GROUP, SCHEMA, Item, item_writer, items_at
from job_history.ledger.outcome import Outcome
from job_history.storage import local_storage

PATH = "receipts/items.parquet"


def test_items_are_read_as_they_were_written(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    items = [
        Item("100", "2018-05-21T00:00:10Z", Outcome.DELIVERED, None, "5234/jobs/x.json", "ab" * 32, 40_000_000),
        Item("j-KGAKfhsz-GYoLeD", None, Outcome.QUARANTINED, "bad_time"),
        Item("102", "2018-05-21T00:00:10Z", Outcome.FILTERED, "aborted"),
        Item("103", "2018-05-21T00:00:10.5Z", Outcome.ALREADY_PRESENT, "oversize", "k", "cd" * 32, 1),
    ]
    with item_writer(storage, PATH) as writer:
        for item in items:
            writer.append(item)
    assert list(items_at(storage, PATH)) == items
    assert pq.read_schema(pa.BufferReader(storage.read(PATH))).equals(SCHEMA)


def test_a_list_may_be_longer_than_a_row_group(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with item_writer(storage, PATH) as writer:
        for number in range(2 * ROWS_A_GROUP + 1):
            writer.append(Item(str(number), None, Outcome.DELIVERED))
    assert [item.job_id for item in items_at(storage, PATH)] == [str(number) for number in range(2 * ROWS_A_GROUP + 1)]


def test_an_empty_list_and_none_at_all_read_alike(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with item_writer(storage, PATH):
        pass
    assert [list(items_at(storage, path)) for path in (PATH, "receipts/none.parquet")] == [[], []]


def test_an_exception_in_the_middle_leaves_no_list(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with pytest.raises(KeyError), item_writer(storage, PATH) as writer:
        writer.append(Item("100", None, Outcome.DELIVERED))
        raise KeyError
    assert storage.read(PATH) is None
