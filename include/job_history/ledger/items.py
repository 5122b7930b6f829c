"""The item list of a receipt: the outcome of each job, as Parquet, written as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from job_history.ledger.lateness import Late
from job_history.ledger.outcome import Outcome
from job_history.storage import Storage

# A larger group makes the file no smaller; 5,000 rows cost 15 MB more, and delay the uploads while they are written.
ROWS_A_GROUP = 2_000


EARLIER_SETTINGS = "earlier_settings"
"""The detail of a document that was kept as earlier settings of the account had made it."""


class Item(msgspec.Struct, frozen=True, order=True):
    """One listed job, or admin event with its id and its time.

    `detail`: the status that gives no document, the reason of quarantine, `oversize`, `repeated`, or EARLIER_SETTINGS.
    `bytes` is the size of the body; `e_tag` is the store's checksum of it, by which a listing shows whether it is still
    the same. `late_seconds` and `unseen_seconds` are those of `lateness.Late`; only late jobs have them.
    """

    job_id: str
    completed_at: str | None
    outcome: str
    detail: str | None = None
    key: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    e_tag: str | None = None
    late_seconds: int | None = None
    unseen_seconds: int | None = None

    @property
    def is_delivered(self) -> bool:
        """The destination has its document."""
        return self.key is not None and self.outcome in {Outcome.DELIVERED, Outcome.ALREADY_PRESENT}

    @property
    def late(self) -> Late | None:
        if self.late_seconds is None or self.unseen_seconds is None:
            return None
        return Late(unseen_after=self.unseen_seconds, found_after=self.late_seconds)


_DESTINATION = b"destination"

SCHEMA = pa.schema(
    [
        ("job_id", pa.string()),
        ("completed_at", pa.string()),
        ("outcome", pa.string()),
        ("detail", pa.string()),
        ("key", pa.string()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("e_tag", pa.string()),
        ("late_seconds", pa.int64()),
        ("unseen_seconds", pa.int64()),
    ]
)


class ItemWriter:
    """Appends items, a row group at a time."""

    def __init__(self, parquet: pq.ParquetWriter) -> None:
        self._parquet = parquet
        self._items: list[Item] = []

    def append(self, item: Item) -> None:
        self._items.append(item)
        if len(self._items) >= ROWS_A_GROUP:
            self.flush()

    def flush(self) -> None:
        if self._items:
            self._parquet.write_table(_table(self._items))
            self._items.clear()


def _table(items: list[Item]) -> pa.Table:
    """Build the table from JSON: for an array of Python values, Arrow imports pandas, which costs a second and 50 MB
    a task.
    """
    lines = msgspec.json.Encoder().encode_lines(items)
    return pj.read_json(
        pa.BufferReader(lines),
        # One block, because no row may be larger than a block.
        read_options=pj.ReadOptions(use_threads=False, block_size=len(lines)),
        parse_options=pj.ParseOptions(explicit_schema=SCHEMA, unexpected_field_behavior="error"),
    )


@contextmanager
def item_writer(storage: Storage, path: str, destination: dict[str, Any] | None = None) -> Iterator[ItemWriter]:
    """Open an item list for writing; it exists only if the block ends without an exception.

    `destination` is the description of the one that its documents go to.
    """
    schema = SCHEMA.with_metadata({_DESTINATION: msgspec.json.encode(destination, order="deterministic")})
    with storage.writer(path) as file:
        parquet = pq.ParquetWriter(pa.PythonFile(file, mode="w"), schema, compression="zstd")
        writer = ItemWriter(parquet)
        yield writer
        writer.flush()
        parquet.close()


@dataclass(frozen=True)
class ItemList:
    """A list as it was read; iterating it decodes the items. A list that does not exist is empty."""

    _parquet: pq.ParquetFile | None

    def went_to(self, destination: dict[str, Any]) -> bool:
        """Return whether its documents went to exactly this destination."""
        if self._parquet is None:
            return False
        metadata = self._parquet.schema_arrow.metadata or {}
        return bool(metadata.get(_DESTINATION) == msgspec.json.encode(destination, order="deterministic"))

    def __iter__(self) -> Iterator[Item]:
        if self._parquet is not None:
            for batch in self._parquet.iter_batches(ROWS_A_GROUP):
                yield from (Item(**row) for row in batch.to_pylist())


def item_list(storage: Storage, path: str) -> ItemList:
    return _list_of(storage.read(path))


def items_at(storage: Storage, path: str, destination: dict[str, Any] | None = None) -> Iterator[Item]:
    """Stream a list's items; with a `destination`, only if they went to exactly this one, else nothing."""
    return _items_of(storage.read(path), destination)


def item_lists(
    storage: Storage, paths: Iterable[str], destination: dict[str, Any] | None = None
) -> Iterator[Iterator[Item]]:
    """Yield for each list what `items_at` returns, in the order given; the next ones are read meanwhile."""
    return (_items_of(content, destination) for content in storage.read_all(paths))


def _items_of(content: bytes | None, destination: dict[str, Any] | None) -> Iterator[Item]:
    items = _list_of(content)
    if destination is None or items.went_to(destination):
        yield from items


def _list_of(content: bytes | None) -> ItemList:
    return ItemList(None if content is None else pq.ParquetFile(pa.BufferReader(content)))


def copy_items(storage: Storage, path: str, to: str, keep: Callable[[Item], bool]) -> bool:
    """Copy the items for which `keep` holds, with their destination.

    Returns False, without copying, if it holds for all.
    """
    content = storage.read(path)
    if content is None or all(keep(item) for item in _list_of(content)):
        return False
    metadata = pq.read_schema(pa.BufferReader(content)).metadata or {}
    with item_writer(storage, to, msgspec.json.decode(metadata.get(_DESTINATION, b"null"))) as copy:
        for item in _list_of(content):
            if keep(item):
                copy.append(item)
    return True
