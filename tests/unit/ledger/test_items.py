"""Item lists: the outcome of each job, as Parquet."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace
from tests.unit.samples import HOUR

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger.item import Item
from job_history.ledger.items import (
    ROWS_A_GROUP,
    SCHEMA,
    ListHeader,
    copy_items,
    item_list,
    item_writer,
    items_at,
    new_list_path,
)
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt_files import window_folder
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage, local_storage

FOLDER = window_folder(5234, EventKind.JOBS, HOUR)
PATH = f"{FOLDER}/items.parquet"
HEADER = ListHeader(5234, EventKind.JOBS, HOUR, {"type": "s3", "bucket": "acme-audit", "host": "minio.example:9000"})


def write_with(storage: Storage, schema: pa.Schema, rows: list[dict[str, object]]) -> None:
    """Write a list as another release would."""
    with storage.writer(PATH) as file:
        pq.write_table(pa.Table.from_pylist(rows, schema), pa.PythonFile(file, mode="w"))


def test_items_are_read_as_they_were_written(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    items = [
        Item("100", "2018-05-21T00:00:10Z", Outcome.DELIVERED, None, "5234/jobs/x.json", "ab" * 32, 40_000_000),
        Item("j-KGAKfhsz-GYoLeD", None, Outcome.QUARANTINED, "bad_time"),
        Item("102", "2018-05-21T00:00:10Z", Outcome.FILTERED, "aborted"),
        Item("103", "2018-05-21T00:00:10.5Z", Outcome.ALREADY_PRESENT, "oversize", "k", "cd" * 32, 1),
        Item(
            "104",
            "2018-05-21T00:00:11Z",
            Outcome.GONE,
            key="5234/jobs/y.json",
            sha256="ef" * 32,
            bytes=7,
            e_tag='"0"',
            late_seconds=60,
            unseen_seconds=30,
            recipe_id="234",
            status="failed",
            started_at="2018-05-21T00:00:09Z",
            redaction_sha256="12" * 32,
            version_id="v1",
        ),
    ]
    with item_writer(storage, PATH, HEADER) as writer:
        for item in items:
            writer.append(item)
    assert list(items_at(storage, PATH)) == items
    assert pq.read_schema(pa.BufferReader(storage.read(PATH))).equals(SCHEMA)


def test_a_list_may_be_longer_than_a_row_group(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with item_writer(storage, PATH, HEADER) as writer:
        for number in range(2 * ROWS_A_GROUP + 1):
            writer.append(Item(str(number), None, Outcome.DELIVERED))
    assert [item.job_id for item in items_at(storage, PATH)] == [str(number) for number in range(2 * ROWS_A_GROUP + 1)]


def test_a_list_may_be_empty(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with item_writer(storage, PATH, HEADER):
        pass
    assert list(items_at(storage, PATH)) == []


def test_the_columns_have_a_fixed_order() -> None:
    assert SCHEMA.names == list(Item.__struct_fields__)
    assert SCHEMA.names[-5:] == ["recipe_id", "status", "started_at", "redaction_sha256", "version_id"]


def test_a_list_says_what_it_is_about(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with item_writer(storage, PATH, HEADER) as writer:
        writer.append(Item("100", None, Outcome.FILTERED))
    metadata = pq.read_schema(pa.BufferReader(storage.read(PATH))).metadata
    assert metadata == {
        b"version": b"2",
        b"kind": b"jobs",
        b"user_id": b"5234",
        b"window": b'{"start":"2018-05-21T00:00:00Z","end":"2018-05-21T01:00:00Z"}',
        b"destination": b'{"bucket":"acme-audit","host":"minio.example:9000","type":"s3"}',
    }
    assert copy_items(storage, PATH, f"{FOLDER}/copy.parquet", lambda _: False)
    assert pq.read_schema(pa.BufferReader(storage.read(f"{FOLDER}/copy.parquet"))).metadata == metadata


def test_a_list_of_the_release_before_is_read(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    earlier = pa.schema(list(SCHEMA)[:10], {b"destination": b'{"bucket":"acme-audit","type":"s3"}'})
    write_with(storage, earlier, [{"job_id": "100", "outcome": "delivered", "key": "k", "bytes": 3}])
    assert list(items_at(storage, PATH, HEADER.destination)) == [Item("100", None, Outcome.DELIVERED, key="k", bytes=3)]
    assert not item_list(storage, PATH).went_to({"type": "s3", "bucket": "another", "host": "minio.example:9000"})


def test_a_list_of_a_later_release_is_an_error_that_names_it(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    write_with(storage, SCHEMA.with_metadata({b"version": b"3"}), [])
    with pytest.raises(PermanentError, match=r"receipts/.*/items\.parquet") as raised:
        item_list(storage, PATH)
    assert raised.value.code is Code.LEDGER_TOO_NEW


@pytest.mark.parametrize("content", [None, b"", b"PAR1", b"x" * 100])
def test_a_list_that_is_missing_or_damaged_is_an_error_that_names_it(tmp_path: Path, content: bytes | None) -> None:
    storage = local_storage(tmp_path)
    if content is not None:
        storage.write(PATH, content)
    with pytest.raises(PermanentError, match=r"receipts/.*/items\.parquet") as raised:
        list(items_at(storage, PATH))
    assert raised.value.code is (Code.LEDGER_FILE_MISSING if content is None else Code.LEDGER_FILE_DAMAGED)


@pytest.mark.parametrize(
    "header",
    [
        replace(HEADER, window=Window(HOUR.end, HOUR.end + timedelta(hours=1))),
        replace(HEADER, user_id=77),
        replace(HEADER, kind=EventKind.ADMIN_EVENTS),
    ],
)
def test_a_list_of_another_window_is_an_error_that_names_both(tmp_path: Path, header: ListHeader) -> None:
    storage = local_storage(tmp_path)
    with item_writer(storage, PATH, header):
        pass
    with pytest.raises(PermanentError, match=str(window_folder(header.user_id, header.kind, header.window))) as raised:
        item_list(storage, PATH)
    assert (raised.value.code, PATH in str(raised.value)) == (Code.LEDGER_FILE_DAMAGED, True)


def test_a_list_whose_rows_are_damaged_is_an_error_that_names_it(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with item_writer(storage, PATH, HEADER) as writer:
        writer.append(Item("100", None, Outcome.DELIVERED, key="k" * 100))
    content = storage.read(PATH) or b""
    storage.write(PATH, content[:4] + bytes(200) + content[204:])
    with pytest.raises(PermanentError, match=r"receipts/.*/items\.parquet") as raised:
        list(items_at(storage, PATH))
    assert raised.value.code is Code.LEDGER_FILE_DAMAGED


def test_no_two_tries_share_the_path_of_a_list() -> None:
    one, other = (new_list_path("receipts/5234", "run", "0001") for _ in range(2))
    assert one != other
    assert one.startswith("receipts/5234/items-run-0001-")
    assert one.endswith(".parquet")


def test_an_exception_in_the_middle_leaves_no_list(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with pytest.raises(KeyError), item_writer(storage, PATH, HEADER) as writer:
        writer.append(Item("100", None, Outcome.DELIVERED))
        raise KeyError
    assert storage.read(PATH) is None
