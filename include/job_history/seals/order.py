"""The order in which a report seals chains and asks witnesses, as its time may end."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime

from job_history.ledger.status_file import SealHead
from job_history.packed_records import PackedRecords
from job_history.seals.to_seal import ChainToSeal
from job_history.seals.window_seal import Revision


def turn_of(name: str, now: datetime) -> bytes:
    """Return a key to sort names by: each hour another order."""
    return hashlib.sha256(f"{name} {now:%Y-%m-%dT%H}".encode()).digest()


def in_order(chains: Iterable[ChainToSeal], hints: dict[str, SealHead], now: datetime) -> Iterator[ChainToSeal]:
    """Yield last those whose bucket did not take the seals before, each hour in another order.

    Their revisions are kept packed: all accounts may share one bucket that is away.
    """
    failed_before: list[tuple[ChainToSeal, list[bytes]]] = []
    for each in chains:
        hint = hints.get(str(each.chain))
        if hint is not None and hint.not_copied_since is not None:
            failed_before.append((each._replace(revisions=[]), PackedRecords(Revision, each.revisions).packs))
        else:
            yield each
    failed_before.sort(key=lambda packed: turn_of(str(packed[0].chain), now))
    for each, packs in failed_before:
        yield each._replace(revisions=list(PackedRecords(Revision, packs=packs)))
