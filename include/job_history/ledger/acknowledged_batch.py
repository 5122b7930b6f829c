"""What one try of a load has left of its batches: the files' contents, and what they say of each document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class AcknowledgedBatch(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A batch that the destination has. Documents are named by the SHA-256 of their bytes.

    `load`: the try that sent it, as in the name of its mark. `documents`: those whose last part is in it, and whose
    earlier parts were acknowledged to the same try before; of these, `repeated` may be there more than once. `begun`:
    the one whose parts go on in the next batch. `next`: those that have parts in the next batch, which is sent after
    this file is created.
    """

    version: int = 1
    load: str
    documents: list[Digest] = []
    repeated: list[Digest] = []
    begun: Digest | None = None
    next: list[Digest] = []


class UnderWay(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The mark of a try that may have a request of unknown outcome; `next`: the documents of its first batch."""

    version: int = 1
    next: list[Digest] = []


@dataclass
class TryOfLoad:
    """What one try of a load has left. Documents by their digest."""

    acknowledged: set[bytes] = field(default_factory=set)
    repeated: set[bytes] = field(default_factory=set)
    begun: set[bytes] = field(default_factory=set)
    next: set[bytes] = field(default_factory=set)
    is_under_way: bool = False

    def add(self, batch: AcknowledgedBatch) -> None:
        self.acknowledged |= digests(batch.documents)
        self.repeated |= digests(batch.repeated)
        self.begun |= digests([batch.begun] if batch.begun else [])
        self.next |= digests(batch.next)

    def copies(self, document: bytes) -> int:
        """Return how many copies of a document there may be by this try: 2 means several."""
        if document in self.acknowledged:
            return 2 if document in self.repeated else 1
        return int(document in self.begun or (self.is_under_way and document in self.next))


def digests(documents: Iterable[str]) -> set[bytes]:
    return {bytes.fromhex(document) for document in documents}
