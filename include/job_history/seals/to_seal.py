"""What is to be sealed, chain by chain: the revisions of a run, and windows that earlier reports could not seal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from job_history.errors import ReplicationError
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


class ToSeal:
    """Yields each chain once, with all that waits in it; `unreadable` has a message for each window that stays unsealed
    because its receipt cannot be read.

    `whole`: chains that are gone through also without a revision.
    """

    def __init__(
        self,
        ledger: Storage,
        revisions: Iterable[RevisionsOfChain],
        marks: Iterable[UnsealedWindow],
        whole: Iterable[ChainId],
    ) -> None:
        self.unreadable: list[str] = []
        self._ledger = ledger
        self._revisions = revisions
        self._waiting: dict[ChainId, list[UnsealedWindow]] = {chain: [] for chain in whole}
        for mark in sorted(marks):
            self._waiting.setdefault(ChainId(mark.user_id, str(mark.kind)), []).append(mark)

    def __iter__(self) -> Iterator[RevisionsOfChain]:
        for chain, revisions in self._revisions:
            of_run = {UnsealedWindow.of(each.receipt) for each in revisions}
            waiting = [mark for mark in self._waiting.pop(chain, []) if mark not in of_run]
            yield chain, [*revisions, *self._read(waiting)]
        for chain, waiting in self._waiting.items():
            yield chain, list(self._read(waiting))

    def _read(self, waiting: Iterable[UnsealedWindow]) -> Iterator[Revision]:
        for mark in waiting:
            about = f"Account {mark.user_id}/{mark.kind}, window {mark.window}: not sealed"
            try:
                receipt = read_receipt(self._ledger, mark.user_id, mark.kind, mark.window)
            except ReplicationError as error:
                self.unreadable.append(f"{about}: {error}")
                continue
            if receipt is not None:
                yield Revision(receipt, is_new=False)
                continue
            self.unreadable.append(
                f"{about}: its receipt is gone. Restore it, or run the window again. "
                f"{self._ledger.url(mark.path)} notes that it waits."
            )
