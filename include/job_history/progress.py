"""Progress of long work, logged now and then, with its rate."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

SECONDS_BETWEEN_LINES = 10.0
# Reading the clock for each record would cost more than counting it.
RECORDS_BETWEEN_LOOKS = 256


class Progress:
    """Counts records and bytes, and logs a line every ten seconds."""

    def __init__(self, log: logging.Logger, doing: str, total: int | None = None, *, of: str = "jobs") -> None:
        """`of`: the plural noun of the records."""
        self._log = log
        self._doing = doing
        self._total = total
        self._of = of
        self._started = self._last_line = time.monotonic()
        self.records = 0
        self.bytes = 0

    def add(self, size: int = 0) -> None:
        self.records += 1
        self.bytes += size
        if self.records % RECORDS_BETWEEN_LOOKS == 0 and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._log.info("%s %s", self._doing, self)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def __str__(self) -> str:
        of_total = f" of {self._total:,}" if self._total is not None else ""
        size = f", {readable_bytes(self.bytes)}" if self.bytes else ""
        rate = self.records / max(self.seconds, 1e-9)
        return f"{self.records:,}{of_total} {self._of}{size} in {self.seconds:.1f} s ({rate:,.0f} {self._of}/s)"


def readable_counts(counts: Mapping[str, int]) -> str:
    """Write counts after their sum: `3 (aborted 2, cancelled 1)`."""
    each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f"{sum(counts.values()):,}" + (f" ({each})" if each else "")


def readable_ids(ids: Iterable[int], at_most: int = 100) -> str:
    """Write each id once, in their order: `5234, 5235 and 12 others`."""
    each = sorted(set(ids))
    others = len(each) - at_most
    return ", ".join(map(str, each[:at_most])) + (f" and {others:,} others" if others > 0 else "")


def readable_bytes(size: float) -> str:
    """Write a size in the decimal unit that fits it: `4.1 kB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
