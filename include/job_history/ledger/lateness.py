"""Lateness: how long after its end a source listed a job that the run of its own window had not seen."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import msgspec

LONGER = "longer"
_LIMITS = {
    "15 min": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "6 h": timedelta(hours=6),
    "24 h": timedelta(hours=24),
    "48 h": timedelta(hours=48),
}
BUCKETS = [*_LIMITS, LONGER]
"""The columns of a histogram: each job is counted under the first whose time its delay does not exceed."""


class Late(msgspec.Struct, frozen=True):
    """Seconds after the end of a job: until the reading that missed it, and until the one that found it.

    A source does not report when it began to list a job; it was between the two.
    """

    unseen_after: int
    found_after: int


class Lateness(msgspec.Struct):
    """The number of jobs in each of `BUCKETS`, and the longest time after which one was still unseen."""

    unseen_after: dict[str, int] = {}
    found_after: dict[str, int] = {}
    longest_unseen_seconds: int = 0

    @property
    def jobs(self) -> int:
        return sum(self.found_after.values())

    def found_within_seconds(self, percent: int) -> int | None:
        """Return in how many seconds so many percent of the jobs were found, to the limit of a bucket; None: no job.

        Of jobs beyond the last limit, only that limit is known.
        """
        left = self.jobs * percent / 100
        for bucket in BUCKETS if left else []:
            left -= self.found_after.get(bucket, 0)
            if left <= 0:
                return int(_LIMITS.get(bucket, max(_LIMITS.values())).total_seconds())
        return None

    def add(self, late: Late) -> None:
        for counts, seconds in ((self.unseen_after, late.unseen_after), (self.found_after, late.found_after)):
            bucket = bucket_of(seconds)
            counts[bucket] = counts.get(bucket, 0) + 1
        self.longest_unseen_seconds = max(self.longest_unseen_seconds, late.unseen_after)


def bucket_of(seconds: int) -> str:
    return next((name for name, limit in _LIMITS.items() if seconds <= limit.total_seconds()), LONGER)


def all_of(several: list[Lateness]) -> Lateness:
    return Lateness(
        unseen_after=_added([each.unseen_after for each in several]),
        found_after=_added([each.found_after for each in several]),
        longest_unseen_seconds=max((each.longest_unseen_seconds for each in several), default=0),
    )


def _added(several: list[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counts in several:
        total.update(counts)
    return {bucket: total[bucket] for bucket in BUCKETS if total[bucket]}
