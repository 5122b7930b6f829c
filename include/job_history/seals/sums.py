"""The sums of a window: a line for each document that was ever delivered to one place, written as a stream."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from job_history.documents.object_key import parts_of
from job_history.ledger.items import Item, items_at
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import Receipt
from job_history.storage import Storage
from job_history.storage.scratch_database import scratch_database
from job_history_verify.merkle import Root
from job_history_verify.sums import sums_line

_COMPRESSION = 3


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
    text, root, packed = hashlib.sha256(), Root(), io.BytesIO()
    gone = size = 0
    prefix: str | None = None
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=_COMPRESSION, mtime=0) as file:
        for item, key in _in_order(ledger, receipt, destination):
            if prefix is None:
                prefix = parts_of(key).prefix
            # A destination's prefix that was changed makes another place of the same bucket.
            logical = key.removeprefix(f"{prefix}/") if prefix else key
            if not logical.startswith(f"{receipt.user_id}/"):
                continue
            line = sums_line((item.sha256 or "").encode(), logical.encode())
            root.add(line)
            text.update(line + b"\n")
            file.write(line + b"\n")
            gone += item.outcome == Outcome.GONE
            size += item.bytes or 0
    return Sums(
        count=root.count,
        gone=gone,
        size=size,
        sha256=text.hexdigest(),
        merkle_root=root.digest().hex(),
        packed=packed.getvalue() if root.count else None,
        prefix=prefix,
    )


def _in_order(ledger: Storage, receipt: Receipt, destination: dict[str, Any]) -> Iterator[tuple[Item, str]]:
    """Yield the documents of a receipt with their keys, each key once."""
    if receipt.state.closed:
        # The lists of a closed reading have no key in common.
        yield from _named(ledger, receipt, destination)
        return
    with scratch_database() as database:
        database.execute("CREATE TABLE named (key TEXT PRIMARY KEY) WITHOUT ROWID")
        for item, key in _named(ledger, receipt, destination):
            if database.execute("INSERT OR IGNORE INTO named VALUES (?)", (key,)).rowcount:
                yield item, key


def _named(ledger: Storage, receipt: Receipt, destination: dict[str, Any]) -> Iterator[tuple[Item, str]]:
    with_gone: list[str] = []
    for path in receipt.items:
        for item, key in _documents(ledger, path, destination):
            if item.outcome != Outcome.GONE:
                yield item, key
            elif path not in with_gone:
                with_gone.append(path)
    for path in with_gone:
        yield from (each for each in _documents(ledger, path, destination) if each[0].outcome == Outcome.GONE)


def _documents(ledger: Storage, path: str, destination: dict[str, Any]) -> Iterator[tuple[Item, str]]:
    for item in items_at(ledger, path, destination):
        if item.must_be_there and item.key is not None and item.sha256 is not None:
            yield item, item.key
