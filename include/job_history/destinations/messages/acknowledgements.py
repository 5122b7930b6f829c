"""What delivery needs of the ledger, to leave out what was acknowledged and to count what may be there twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Acknowledgements(Protocol):
    """`job_history.ledger.acknowledgements` has the real one. Documents are named by their SHA-256."""

    def look(self) -> None:
        """Call this before the first document."""
        ...

    def has(self, document: str) -> bool:
        """Return whether the document need not be sent."""
        ...

    def copies(self, document: str) -> int:
        """Return how many copies others may have sent."""
        ...

    def begin(self, first: Sequence[str]) -> None:
        """Call this before the first request, with the documents of its batch."""
        ...

    def add(
        self, sha256: str, *, documents: list[str], repeated: list[str], begun: str | None, following: list[str]
    ) -> bool:
        """Record a batch that was acknowledged; returns False if this run has recorded the same one before.

        `documents` end in it, and those of them in `repeated` may be there more than once; `begun` goes on in the next
        batch, which has parts of `following`.
        """
        ...

    def look_again(self) -> None:
        """Call this after each batch, before its documents are reported."""
        ...

    def withdraw(self) -> None:
        """Call this after a failure, if it is known of each request whether it was stored."""
        ...

    def end(self) -> None:
        """Call this when all documents were delivered."""
        ...
