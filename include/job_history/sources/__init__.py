"""Where events come from: finished jobs, or admin events. A source is asked by account and window, and streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar, runtime_checkable

from job_history.model.admin_event import EventRecord
from job_history.model.job import JobRecord
from job_history.model.record import Record
from job_history.model.window import Window

Record_co = TypeVar("Record_co", bound=Record, covariant=True)


class Listing(Protocol[Record_co]):
    """The ended jobs, or the admin events, of one account and window, as they stood at one moment.

    `counted` is the source's own count of them: made by other means than by going through the records, so that a
    record which the listing loses is missed. `counted_by` names those means, for the receipt.
    """

    @property
    def counted(self) -> int: ...

    @property
    def counted_by(self) -> str: ...

    def __iter__(self) -> Iterator[Record_co]: ...


class Source(Protocol[Record_co]):
    """What the contract suites for sources hold each of them to. Faults are TransientError or PermanentError."""

    def count(self, user_id: int, window: Window) -> int:
        """Count the jobs, of any status, whose `completed_at` lies in the window; or the events that occurred in it."""
        ...

    def listing(
        self, user_id: int, window: Window, *, line_details: bool
    ) -> AbstractContextManager[Listing[Record_co]]:
        """Open the listing of a window; with `line_details` each job brings its lines, in order. Events have none."""
        ...


class RemoteSource(Source[Record_co], Protocol[Record_co]):
    """A source that somebody else runs: whether it can be read is worth asking before, and what it lists, comparing later."""

    def check_readable(self, *, line_details: bool) -> None:
        """Look, without reading, whether a listing could. Raises TransientError or PermanentError where not."""
        ...

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        """List what `count` counts, in any order, each by its id as an item list has it; `None` where a job has none."""
        ...


JobSource = Source[JobRecord]
EventSource = Source[EventRecord]


@runtime_checkable
class SupportsQuickCheck(Protocol):
    """A source that can count only by reading: a plan asks it no more than whether there can be anything to read."""

    @property
    def counts_by(self) -> str:
        """What says that there is nothing: the receipt's `counted_by` where nothing had to be read."""
        ...

    def has_news(self, user_id: int, window: Window) -> bool:
        """Say whether there can be anything in the window; False only where there is nothing."""
        ...


@runtime_checkable
class SupportsBatchCount(Protocol):
    """A source that can count for many accounts at once, for little more than for one."""

    def counts(self, user_ids: Sequence[int], window: Window) -> list[int]:
        """Count for each account what `count` would."""
        ...
