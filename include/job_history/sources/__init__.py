"""Where finished jobs come from. A source is asked by account and window, and streams."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from job_history.job import JobRecord
from job_history.window import Window


class Listing(Protocol):
    """The ended jobs of one account and window, as they stood at one moment.

    `counted` is the source's own count of them: made by other means than by going through the records, so that a
    record which the listing loses is missed. `counted_by` names those means, for the receipt.
    """

    @property
    def counted(self) -> int: ...

    @property
    def counted_by(self) -> str: ...

    def __iter__(self) -> Iterator[JobRecord]: ...


class JobSource(Protocol):
    """What the contract suite for sources holds each of them to. Faults are TransientError or PermanentError."""

    def count(self, user_id: int, window: Window) -> int:
        """Count the jobs, of any status, whose `completed_at` lies in the window."""
        ...

    def listing(self, user_id: int, window: Window, *, line_details: bool) -> AbstractContextManager[Listing]:
        """Open the listing of a window; with `line_details` each record brings its lines, in order."""
        ...


@runtime_checkable
class CostlyToCount(Protocol):
    """A source that can count only by reading: a plan asks it no more than whether there can be anything to read."""

    @property
    def counts_by(self) -> str:
        """What says that there are no jobs: the receipt's `counted_by` where nothing had to be read."""
        ...

    def has_news(self, user_id: int, window: Window) -> bool:
        """Say whether there can be jobs in the window; False only where there are none."""
        ...
