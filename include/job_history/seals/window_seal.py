"""Seals one window: its newest revision becomes the next seal of its chain, and gets a mark beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import msgspec

from job_history.errors import PermanentError
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import receipt_bytes, receipt_path
from job_history.seals.chain_writer import ChainWriter, Head, Sealed
from job_history.seals.seal_bytes import newest_destination, reason_of, seal_bytes, sealed_destination
from job_history.seals.signer import Signer, fingerprint_of
from job_history.seals.sums import Sums, sums_of
from job_history.storage import Storage
from job_history_verify.seal import Seal


class Mark(msgspec.Struct):
    """The content of `r000002.sealed`: the seal of that revision."""

    seq: int
    sha256: str


@dataclass(frozen=True)
class Revision:
    """A revision of a receipt that is to be sealed.

    `is_new`: this process has created it after it read the chain's head, so that no seal before that head names it.
    `reason`: why it is sealed, if not by the kind of its run.
    """

    receipt: Receipt
    is_new: bool
    reason: str | None = None

    @property
    def order(self) -> tuple[bool, datetime]:
        """Windows that carry what their source forgot come first: another window may name the same keys again."""
        return (not self.receipt.counts.gone, self.receipt.window.start)


def mark_path(receipt: Receipt) -> str:
    """Return the path of a revision's mark: `r000002.sealed`, beside `r000002.json`."""
    path = receipt_path(receipt.user_id, receipt.kind, receipt.window, receipt.revision)
    return f"{path.removesuffix('.json')}.sealed"


def is_marked(ledger: Storage, receipt: Receipt) -> bool:
    return ledger.read(mark_path(receipt)) is not None


def seal_window(
    ledger: Storage, chain: ChainWriter, revision: Revision, signer: Signer | None, *, prefix: str, now: datetime
) -> Sealed | None:
    """Seal a revision. Returns None if it is sealed already. `prefix`: of the account's destination.

    Raises PermanentError or TransientError; nothing is lost then, and the next report tries again.
    """
    receipt = revision.receipt
    if not revision.is_new and is_marked(ledger, receipt):
        return None
    receipt_sha256 = hashlib.sha256(_bytes_of(ledger, revision)).hexdigest()
    description = newest_destination(receipt)
    sums: Sums = sums_of(ledger, receipt, description)
    destination = sealed_destination(description, prefix if sums.prefix is None else sums.prefix)
    key = None if signer is None else fingerprint_of(signer)

    def make(head: Head) -> bytes:
        return seal_bytes(
            receipt,
            receipt_sha256,
            sums,
            seq=head.seq + 1,
            previous=head.sha256,
            reason=revision.reason or reason_of(receipt),
            destination=destination,
            sealed_at=now,
            key=key,
        )

    def is_same(seal: Seal) -> bool:
        window = receipt.window
        return (seal.window.start, seal.window.end, seal.receipt_sha256) == (window.start, window.end, receipt_sha256)

    sealed = chain.append(make, is_same, sums_sha256=sums.sha256, packed_sums=sums.packed)
    mark = Mark(sealed.head.seq, hashlib.sha256(sealed.content).hexdigest())
    ledger.create(mark_path(receipt), msgspec.json.encode(mark))
    return sealed


def _bytes_of(ledger: Storage, revision: Revision) -> bytes:
    if revision.is_new:
        return receipt_bytes(revision.receipt)
    receipt = revision.receipt
    path = receipt_path(receipt.user_id, receipt.kind, receipt.window, receipt.revision)
    content = ledger.read(path)
    if content is None:
        raise PermanentError(f"{ledger.url(path)} is gone. Restore it; until then its window cannot be sealed.")
    return content
