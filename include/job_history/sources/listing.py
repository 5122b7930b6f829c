"""A listing whose records come as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from job_history.model.unplaceable import Unplaceable
from job_history.sources import Record_co


@dataclass(frozen=True)
class StreamedListing(Generic[Record_co]):
    """Can be gone through once.

    `counted_by` names how the source counted; `unplaceable`: what no window can contain. `read_at`: when
    reading began, by the clock of the source; None: it shows none.
    """

    counted: int
    records: Iterator[Record_co]
    counted_by: str = "query"
    unplaceable: Unplaceable | None = None
    read_at: datetime | None = None

    def __iter__(self) -> Iterator[Record_co]:
        return self.records
