"""What is to be sealed, chain by chain: the revisions of a run, and windows that earlier reports could not seal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from job_history.errors import PermanentError
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import Recorded, read_receipt
from job_history.packed_records import in_groups
from job_history.seals.unsealed import UnsealedWindow
from job_history.seals.window_seal import Revision
from job_history.storage import Storage
from job_history_verify.layout import ChainId

RevisionsOfChain = tuple[ChainId, list[Revision]]


def of_chains(recorded: Collection[Recorded]) -> Iterator[RevisionsOfChain]:
    """Yield the newest revisions of a run's windows by chain."""
    for chain, of_chain in in_groups(recorded, lambda each: chain_of(each.receipt)):
        yield chain, [Revision(each.receipt, each.is_new, each.sha256) for each in of_chain]


def chain_of(receipt: Receipt) -> ChainId:
    return ChainId(receipt.user_id, str(receipt.kind))


class ChainToSeal(NamedTuple):
    """A chain, revisions of its windows, and other windows of it that earlier reports could not seal."""

    chain: ChainId
    revisions: list[Revision]
    waiting: list[UnsealedWindow]


def to_seal(
    revisions: Iterable[RevisionsOfChain], marks: Iterable[UnsealedWindow], whole: Iterable[ChainId]
) -> Iterator[ChainToSeal]:
    """Yield each chain once, with all that waits in it. `whole`: chains that are gone through without that, too."""
    waiting: dict[ChainId, list[UnsealedWindow]] = {chain: [] for chain in whole}
    for mark in sorted(marks):
        waiting.setdefault(ChainId(mark.user_id, str(mark.kind)), []).append(mark)
    for chain, of_chain in revisions:
        of_run = {UnsealedWindow.of(each.receipt) for each in of_chain}
        yield ChainToSeal(chain, of_chain, [mark for mark in waiting.pop(chain, []) if mark not in of_run])
    for chain, marked in waiting.items():
        yield ChainToSeal(chain, [], marked)


def read_revision(ledger: Storage, mark: UnsealedWindow) -> Revision:
    """Return the newest revision of a window that waits for its seal.

    Raises PermanentError or TransientError: its receipt is gone, or cannot be read.
    """
    receipt = read_receipt(ledger, mark.user_id, mark.kind, mark.window)
    if receipt is None:
        raise PermanentError(
            f"its receipt is gone. Restore it, or run the window again. {ledger.url(mark.path)} notes that it waits."
        )
    return Revision(receipt, is_new=False)
