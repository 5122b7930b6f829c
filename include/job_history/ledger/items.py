"""The item list of a receipt: the outcome of each job, as Parquet, written as a stream.

A list is written once, under a name of its own, and never again: receipts name it.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import msgspec
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from job_history.errors.code import Code
from job_history.ledger.decoding import ledger_error
from job_history.ledger.item import Item
from job_history.ledger.receipt_files import window_folder
from job_history.model.event_kind import EventKind
from job_history.model.place import place_of
from job_history.model.window import Window
from job_history.storage import Storage

# A larger group makes the file no smaller; 5,000 rows cost 15 MB more, and delay the uploads while they are written.
ROWS_A_GROUP = 2_000
MAX_BYTES_IN_MEMORY = 8_000_000


LIST_VERSION = 2


class ListHeader(msgspec.Struct, frozen=True):
    """What a list is about, in the file's metadata. `destination` is the description of the one its documents go to."""

    user_id: int
    kind: EventKind
    window: Window
    destination: Mapping[str, Any]

    def metadata(self) -> dict[bytes, bytes]:
        return {
            b"version": str(LIST_VERSION).encode(),
            b"kind": self.kind.encode(),
            b"user_id": str(self.user_id).encode(),
            b"window": msgspec.json.encode(self.window),
            _DESTINATION: msgspec.json.encode(self.destination, order="deterministic"),
        }


def new_list_path(folder: str, run: str, part: str) -> str:
    """Return a path in the window's folder that no other list has, also not one of another try of the same part."""
    return f"{folder}/items-{run}-{part}-{secrets.token_hex(4)}.parquet"


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
        ("recipe_id", pa.string()),
        ("status", pa.string()),
        ("started_at", pa.string()),
        ("redaction_sha256", pa.string()),
        ("version_id", pa.string()),
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
    """Build the table from JSON: for an array of Python values, Arrow imports pandas if it is there: a second and 50 MB
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
def item_writer(storage: Storage, path: str, header: ListHeader) -> Iterator[ItemWriter]:
    """Open an item list for writing; it exists only if the block ends without an exception."""
    with _writer_with(storage, path, header.metadata()) as writer:
        yield writer


@contextmanager
def _writer_with(storage: Storage, path: str, metadata: dict[bytes, bytes]) -> Iterator[ItemWriter]:
    with storage.writer(path) as file:
        parquet = pq.ParquetWriter(
            pa.PythonFile(file, mode="w"), SCHEMA.with_metadata(metadata), compression="zstd", write_statistics=False
        )
        writer = ItemWriter(parquet)
        yield writer
        writer.flush()
        parquet.close()


@dataclass(frozen=True)
class ItemList:
    """A list as it was read; iterating it decodes the items."""

    _url: str
    _parquet: pq.ParquetFile
    _destination: dict[str, Any] | None

    @classmethod
    def of(cls, url: str, content: bytes | None) -> Self:
        """Open a list. Raises PermanentError that names it if it is missing, damaged, of another window (a copy, or
        restored to a wrong place), or of a newer release.
        """
        if content is None:
            raise ledger_error(Code.LEDGER_FILE_MISSING, url)
        source = _source(content)
        del content
        with _decoding(url):
            parquet = pq.ParquetFile(source)
            metadata = parquet.schema_arrow.metadata or {}
            version = int(metadata.get(b"version", b"1"))
            opened = cls(url, parquet, msgspec.json.decode(metadata.get(_DESTINATION, b"null")))
        if version > LIST_VERSION:
            raise ledger_error(Code.LEDGER_TOO_NEW, url, version=version, known=LIST_VERSION)
        if (folder := _folder_in(metadata)) is not None and not f"/{url.rpartition('/')[0]}".endswith(f"/{folder}"):
            raise ledger_error(Code.LEDGER_FILE_DAMAGED, url, detail=f"it is a list of {folder}")
        return opened

    @property
    def metadata(self) -> dict[bytes, bytes]:
        return self._parquet.schema_arrow.metadata or {}

    def went_to(self, destination: Mapping[str, Any]) -> bool:
        """Return whether its documents went to the place of this destination."""
        return self._destination is not None and place_of(self._destination).is_same(place_of(destination))

    def __iter__(self) -> Iterator[Item]:
        with _decoding(self._url):
            for batch in self._batches():
                yield from [Item(**row) for row in batch.to_pylist()]

    def columns(self, *names: str) -> Iterator[tuple[list[Any], ...]]:
        """Stream some columns, a batch of rows at a time: a tenth of what the items cost."""
        with _decoding(self._url):
            for batch in self._batches(*names):
                yield tuple(batch.column(name).to_pylist() for name in names)

    def _batches(self, *names: str) -> Iterator[pa.RecordBatch]:
        # Group by group: a reader of several keeps what it has read of all of them.
        for group in range(self._parquet.num_row_groups):
            yield from self._parquet.iter_batches(ROWS_A_GROUP, row_groups=[group], columns=list(names) or None)


def _folder_in(metadata: dict[bytes, bytes]) -> str | None:
    """Return the folder of the window that a list is about; None if it does not name it."""
    try:
        window = msgspec.json.decode(metadata[b"window"], type=Window)
        return window_folder(int(metadata[b"user_id"]), EventKind(metadata[b"kind"].decode()), window)
    except (KeyError, ValueError, msgspec.MsgspecError):
        return None


def _source(content: bytes) -> pa.NativeFile:
    """Return a list to read from. A large one is on disk, in a file without a name: a million jobs are 60 MB."""
    if len(content) < MAX_BYTES_IN_MEMORY:
        return pa.BufferReader(content)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the list
    file.write(content)
    file.seek(0)
    return pa.PythonFile(file, mode="r")


@contextmanager
def _decoding(url: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise ledger_error(Code.LEDGER_FILE_DAMAGED, url, detail=str(error)) from error


def item_list(storage: Storage, path: str) -> ItemList:
    """Read a list. Raises as `ItemList.of`."""
    return ItemList.of(storage.url(path), storage.read(path))


def items_at(storage: Storage, path: str, destination: Mapping[str, Any] | None = None) -> Iterator[Item]:
    """Stream a list's items; with a `destination`, only if they went to the same place, else nothing."""
    return _items_of(item_list(storage, path), destination)


def item_lists(
    storage: Storage, paths: Iterable[str], destination: Mapping[str, Any] | None = None
) -> Iterator[Iterator[Item]]:
    """Yield for each list what `items_at` returns, in the order given; the next ones are read meanwhile."""
    paths = list(paths)
    for path, content in zip(paths, storage.read_all(paths), strict=True):
        yield _items_of(ItemList.of(storage.url(path), content), destination)


def _items_of(items: ItemList, destination: Mapping[str, Any] | None) -> Iterator[Item]:
    if destination is None or items.went_to(destination):
        yield from items


def copy_items(storage: Storage, path: str, to: str, keep: Callable[[Item], bool]) -> bool:
    """Copy the items for which `keep` holds, with the list's metadata.

    Returns False, without copying, if it holds for all.
    """
    items = item_list(storage, path)
    if all(keep(item) for item in items):
        return False
    with _writer_with(storage, to, items.metadata) as copy:
        for item in items:
            if keep(item):
                copy.append(item)
    return True
