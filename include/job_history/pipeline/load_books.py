"""The books of a load: the outcome of each document, and the sums of them."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from job_history.destinations import Delivery
from job_history.documents.staged import StagedDocument
from job_history.ledger.in_order import InOrder
from job_history.ledger.item import Item
from job_history.ledger.lateness import Late, Lateness
from job_history.ledger.outcome import Outcome
from job_history.ledger.previous_run import PreviousRun
from job_history.ledger.quarantine import Quarantine
from job_history.limited_log import LimitedLog
from job_history.progress import Progress

log = logging.getLogger(__name__)

EXAMPLE_KEYS = 3
_OUTCOMES = {
    Delivery.DELIVERED: Outcome.DELIVERED,
    Delivery.REPEATED: Outcome.DELIVERED,
    Delivery.REPEATED_BEFORE: Outcome.ALREADY_PRESENT,
    Delivery.ALREADY_PRESENT: Outcome.ALREADY_PRESENT,
    Delivery.CONFLICT: Outcome.QUARANTINED,
}


@dataclass
class LoadBooks:
    """Records the outcome of each document as it happens: the items, and their sums. Called from several threads."""

    items: InOrder
    quarantine: Quarantine
    progress: Progress
    previous: PreviousRun
    read_at: str
    counts: dict[Delivery, int] = field(default_factory=lambda: dict.fromkeys(Delivery, 0))
    delivered_bytes: int = 0
    example_keys: list[str] = field(default_factory=list)
    lateness: Lateness = field(default_factory=Lateness)
    kept: int = 0
    conflicts: LimitedLog = field(default_factory=lambda: LimitedLog(log))
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def note(
        self, document: StagedDocument, delivery: Delivery, e_tag: str | None = None, version_id: str | None = None, /
    ) -> None:
        if delivery is Delivery.DELIVERED and bytes.fromhex(document.sha256) in self.previous.delivered:
            delivery = Delivery.REPEATED
        with self.one_at_a_time:
            size = len(document.body) + 1
            if delivery in {Delivery.DELIVERED, Delivery.REPEATED}:
                self.delivered_bytes += size
            if delivery is Delivery.CONFLICT:
                self.quarantine.add_conflict(document.job_id, document.key, document.sha256, document.body)
                self.conflicts.error(
                    "Conflict: %s exists already, with other bytes. It was left as it is.", document.key
                )
            late = self.previous.late(str(document.job_id), document.completed_at, self.read_at)
            self._add(document.number, delivery, _item(document, delivery, size, (e_tag, version_id), late))

    def keep(self, number: int, earlier: Item) -> None:
        """Keep a document as an earlier run delivered it."""
        with self.one_at_a_time:
            self.kept += 1
            self._add(number, Delivery.ALREADY_PRESENT, earlier)

    def _add(self, number: int, delivery: Delivery, item: Item) -> None:
        self.counts[delivery] += 1
        if item.late is not None:
            self.lateness.add(item.late)
        # The first by name: which uploads end first is chance, and a receipt should be the same each time.
        is_early = len(self.example_keys) < EXAMPLE_KEYS or (item.key or "") < self.example_keys[-1]
        if item.is_delivered and item.key is not None and is_early:
            self.example_keys[:] = sorted([*self.example_keys, item.key])[:EXAMPLE_KEYS]
        self.items.add(number, item)
        self.progress.add(item.bytes or 0)


def _item(
    document: StagedDocument,
    delivery: Delivery,
    size: int,
    stored: tuple[str | None, str | None],
    late: Late | None,
) -> Item:
    # What a conflict has is another document's.
    e_tag, version_id = (None, None) if delivery is Delivery.CONFLICT else stored
    detail = {Delivery.REPEATED_BEFORE: Delivery.REPEATED}.get(delivery, delivery)
    has_detail = detail in {Delivery.CONFLICT, Delivery.REPEATED}
    return Item(
        job_id=str(document.job_id),
        completed_at=document.completed_at,
        outcome=_OUTCOMES[delivery],
        detail=detail.value if has_detail else "oversize" if document.oversize else None,
        key=document.key,
        sha256=document.sha256,
        bytes=size,
        e_tag=e_tag,
        late_seconds=late.found_after if late else None,
        unseen_seconds=late.unseen_after if late else None,
        recipe_id=None if document.recipe_id is None else str(document.recipe_id),
        status=document.status,
        started_at=document.started_at,
        redaction_sha256=document.redaction.sha256 if document.redaction else None,
        version_id=version_id,
    )
