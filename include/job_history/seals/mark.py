"""The mark beside a revision that has a seal: `r000002.sealed`."""

from __future__ import annotations

import msgspec

from job_history.ledger.decoding import decoded
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import receipt_path
from job_history.seals.unsealed import mark_path_of
from job_history.storage import Storage


class Mark(msgspec.Struct):
    """The content of `r000002.sealed`: the seal of that revision."""

    seq: int
    sha256: str


def mark_path(receipt: Receipt) -> str:
    return mark_path_of(receipt_path(receipt.user_id, receipt.kind, receipt.window, receipt.revision))


def read_mark(ledger: Storage, receipt: Receipt) -> Mark | None:
    """Return the mark of a revision; None if it has none."""
    path = mark_path(receipt)
    content = ledger.read(path)
    return None if content is None else decoded(content, Mark, ledger.url(path))
