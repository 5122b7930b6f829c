"""Seals one window: its newest revision becomes the next seal of its chain, and gets a mark beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from job_history.errors import PermanentError
from job_history.ledger.decoding import decoded
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import receipt_path
from job_history.seals.chain_writer import ChainWriter, Head, SealedRevision
from job_history.seals.mark import Mark, mark_path, read_mark
from job_history.seals.seal_bytes import newest_destination, reason_of, seal_bytes, sealed_destination
from job_history.seals.signer import Signer, fingerprint_of
from job_history.seals.sums import Sums, sums_of
from job_history.storage import Storage


@dataclass(frozen=True)
class Revision:
    """A revision of a receipt that is to be sealed.

    `is_new`: this process has created it after it read the chain's head, so that no seal before that head names it.
    `sha256`: of the bytes of its file; empty: not known. `reason`: why it is sealed, if not by the kind of its run.
    """

    receipt: Receipt
    is_new: bool
    sha256: str = ""
    reason: str | None = None

    @property
    def order(self) -> tuple[bool, datetime]:
        """Windows that carry what their source forgot come first: another window may name the same keys again."""
        return (not self.receipt.counts.gone, self.receipt.window.start)


def with_unsealed_before(ledger: Storage, revision: Revision) -> list[Revision]:
    """Return a revision after those before it that have no seal, the oldest first.

    Another report may have created one of them, and seal it at this moment: a window's seals are in the order of its
    revisions all the same, because each report seals the earlier ones first.
    """
    found, receipt = [revision], revision.receipt
    for number in range(receipt.revision - 1, 0, -1):
        path = receipt_path(receipt.user_id, receipt.kind, receipt.window, number)
        content = ledger.read(path)
        if content is None:
            break
        before = decoded(content, Receipt, ledger.url(path))
        if read_mark(ledger, before) is not None:
            break
        found.append(Revision(before, is_new=False))
    return found[::-1]


def seal_window(
    ledger: Storage,
    chain: ChainWriter,
    revision: Revision,
    signer: Signer | None,
    *,
    store: tuple[dict[str, Any], str],
    now: datetime,
) -> Head:
    """Seal a revision if it has no seal, and return its seal. `store`: description and prefix of the account's store.

    Raises PermanentError or TransientError; nothing is lost then, and the next report tries again.
    """
    receipt = revision.receipt
    if not revision.is_new and (marked := read_mark(ledger, receipt)) is not None:
        return Head(marked.seq, marked.sha256)
    receipt_sha256 = revision.sha256 or _sha256_of(ledger, receipt)
    description = newest_destination(receipt, store[0])
    sums: Sums = sums_of(ledger, receipt, description)
    destination = sealed_destination(description, store[1] if sums.prefix is None else sums.prefix)
    key = None if signer is None else fingerprint_of(signer)

    def make(head: Head, sealed_before: datetime | None) -> bytes:
        return seal_bytes(
            receipt,
            receipt_sha256,
            sums,
            seq=head.seq + 1,
            previous=head.sha256,
            reason=revision.reason or reason_of(receipt),
            destination=destination,
            # A clock that was wrong once may not break the chain for ever: time does not go back in it.
            sealed_at=max(now, sealed_before or now),
            key=key,
        )

    about = SealedRevision((receipt.window.start, receipt.window.end), receipt_sha256)
    head = chain.append(make, about, sums_sha256=sums.sha256, packed_sums=sums.packed)
    ledger.create(mark_path(receipt), msgspec.json.encode(Mark(head.seq, head.sha256 or "")))
    return head


def _sha256_of(ledger: Storage, receipt: Receipt) -> str:
    path = receipt_path(receipt.user_id, receipt.kind, receipt.window, receipt.revision)
    content = ledger.read(path)
    if content is None:
        raise PermanentError(f"{ledger.url(path)} is gone. Restore it; until then its window cannot be sealed.")
    return hashlib.sha256(content).hexdigest()
