"""The sums of a window: a line for each document that was ever delivered to one place, written as a stream."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from job_history.documents.object_key import parts_of
from job_history.ledger.items import MAX_BYTES_IN_MEMORY, item_list
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import Receipt
from job_history.storage import Storage
from job_history.storage.scratch_database import scratch_database
from job_history_verify.merkle import Root

_COMPRESSION = 1
_MUST_BE_THERE = {Outcome.DELIVERED, Outcome.ALREADY_PRESENT, Outcome.GONE}
"""As `Item.must_be_there`."""


@dataclass(frozen=True)
class Sums:
    """`count` lines, the last `gone` of them of documents that the source no longer lists.

    `size`: of the documents, in bytes. `packed`: the text in gzip, None without a line. `prefix`: what the keys of the
    lines had before them; None without a line.
    """

    count: int
    gone: int
    size: int
    sha256: str
    merkle_root: str
    packed: bytes | None
    prefix: str | None


def sums_of(ledger: Storage, receipt: Receipt, destination: dict[str, Any]) -> Sums:
    """Make the sums of a receipt's documents at a destination, in the order of its item lists; those gone come last.

    A key is named once: of several lists the first counts, which is the newest. Raises what the ledger raises.
    """
    text, root = hashlib.sha256(), Root()
    gone = size = 0
    prefix: str | None = None
    # More are on disk until the item lists are read: those of a million documents are 49 MB.
    with tempfile.SpooledTemporaryFile(MAX_BYTES_IN_MEMORY) as packed:
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_COMPRESSION, mtime=0) as file:
            for batch in _in_order(ledger, receipt, destination):
                if prefix is None:
                    prefix = parts_of(batch[0].key).prefix
                # A destination's prefix that was changed makes another place of the same bucket.
                before = f"{prefix}/" if prefix else ""
                here = [each for each in batch if each.key.startswith(f"{before}{receipt.user_id}/")]
                lines = [f"{each.sha256}  {each.key[len(before) :]}".encode() for each in here]
                block = b"".join([line + b"\n" for line in lines])
                root.add_all(lines)
                text.update(block)
                file.write(block)
                gone += sum(each.gone for each in here)
                size += sum(each.size for each in here)
        packed.seek(0)
        content = packed.read() if root.count else None
    return Sums(
        count=root.count,
        gone=gone,
        size=size,
        sha256=text.hexdigest(),
        merkle_root=root.digest().hex(),
        packed=content,
        prefix=prefix,
    )


class _Delivered(NamedTuple):
    key: str
    sha256: str
    size: int
    gone: bool


def _in_order(ledger: Storage, receipt: Receipt, destination: dict[str, Any]) -> Iterator[list[_Delivered]]:
    """Yield the documents of a receipt in batches, each key once."""
    if receipt.state.closed:
        # The lists of a closed reading have no key in common.
        yield from _named(ledger, receipt, destination)
        return
    with scratch_database() as database:
        database.execute("CREATE TABLE named (key TEXT PRIMARY KEY) WITHOUT ROWID")
        add = "INSERT OR IGNORE INTO named VALUES (?)"
        for batch in _named(ledger, receipt, destination):
            if new := [each for each in batch if database.execute(add, (each.key,)).rowcount]:
                yield new


def _named(ledger: Storage, receipt: Receipt, destination: dict[str, Any]) -> Iterator[list[_Delivered]]:
    """Yield what the lists have delivered, then what they carry of documents that are gone from the source."""
    with_gone: list[str] = []
    for path in receipt.items:
        for batch in _documents(ledger, path, destination):
            if path not in with_gone and any(each.gone for each in batch):
                with_gone.append(path)
            if delivered := [each for each in batch if not each.gone]:
                yield delivered
    for path in with_gone:
        for batch in _documents(ledger, path, destination):
            if gone := [each for each in batch if each.gone]:
                yield gone


def _documents(ledger: Storage, path: str, destination: dict[str, Any]) -> Iterator[list[_Delivered]]:
    items = item_list(ledger, path)
    if items.went_to(destination):
        for columns in items.columns("key", "sha256", "bytes", "outcome"):
            yield [
                _Delivered(key, sha256, size or 0, outcome == Outcome.GONE)
                for key, sha256, size, outcome in zip(*columns, strict=True)
                if key is not None and sha256 is not None and outcome in _MUST_BE_THERE
            ]
