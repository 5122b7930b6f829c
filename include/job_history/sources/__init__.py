"""Where events come from: finished jobs, or admin events. A source is asked by account and window, and streams.

Every source is a `Source`; the sources of runs are `RemoteSource`s. The `Supports...` protocols are optional: the plan
uses what a source has.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol, TypeVar, runtime_checkable

import msgspec

from job_history.model.record import Record
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window

Record_co = TypeVar("Record_co", bound=Record, covariant=True)


class Listing(Protocol[Record_co]):
    """The ended jobs, or the admin events, of one account and window, as they were at one moment.

    `counted` is the source's own count of them, made by other means than by going through the records: so a record that
    the listing loses is noticed. `counted_by` names those means, for the receipt.
    """

    @property
    def counted(self) -> int: ...

    @property
    def counted_by(self) -> str: ...

    def __iter__(self) -> Iterator[Record_co]: ...


class Source(Protocol[Record_co]):
    """The contract suites hold each source to this. Errors are TransientError or PermanentError."""

    def count(self, user_id: int, window: Window) -> int:
        """Count the jobs, of any status, whose `completed_at` lies in the window; or the events that occurred in it."""
        ...

    def listing(
        self, user_id: int, window: Window, *, line_details: bool
    ) -> AbstractContextManager[Listing[Record_co]]:
        """Open the listing of a window; with `line_details` each job has its lines, in order. Events have none."""
        ...


class RemoteSource(Source[Record_co], Protocol[Record_co]):
    """A source outside of this project: it can be checked before it is read, and compared later."""

    def check_readable(self, *, line_details: bool) -> None:
        """Check, without reading, whether a listing is possible. Raises TransientError or PermanentError if not."""
        ...

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        """List what `count` counts, in any order, each by its id as an item list has it; `None` if a job has none."""
        ...


@runtime_checkable
class SupportsIdListing(Protocol):
    """A source that can list the ids of several windows over one connection, as they were at one moment."""

    def id_listing(self, user_id: int) -> AbstractContextManager[Callable[[Window], Iterator[str]]]:
        """Open a function that returns what `ids` would for a window. Raises as `ids`."""
        ...


@runtime_checkable
class SupportsRepeatedIds(Protocol):
    """A source that may have an id more than once, and can find out for a window that is read in several parts."""

    def repeated_ids(self, user_id: int, window: Window) -> Iterator[str]:
        """List, each once, the ids that more than one record of the window has, as text. Raises as `count`."""
        ...


@runtime_checkable
class SupportsQuickCheck(Protocol):
    """A source that can count only by reading: a plan asks it only whether there can be anything to read."""

    @property
    def counts_by(self) -> str:
        """The receipt's `counted_by` if nothing had to be read: the means that showed that there is nothing."""
        ...

    def has_news(self, user_id: int, window: Window) -> bool:
        """Return whether there can be anything in the window; False only if there is nothing."""
        ...


@runtime_checkable
class SupportsAccountCheck(Protocol):
    """A source that knows whose records it reads."""

    def check_account(self, user_id: int) -> None:
        """Raise PermanentError if it reads the records of another account, TransientError if that cannot be found
        out.
        """
        ...


@runtime_checkable
class SupportsBatchCount(Protocol):
    """A source that can count for many accounts at once, for little more than for one."""

    def counts(self, user_ids: Sequence[int], window: Window) -> list[int]:
        """Return for each account what `count` would."""
        ...


@runtime_checkable
class SupportsUnplaceable(Protocol):
    """A source that can find records which are finished by their status and whose time puts them into no window."""

    def unplaceable(self, user_id: int) -> Unplaceable:
        """Count such records of the account, whatever its number of countable ones.

        Reads at most MAX_UNPLACEABLE + 1 rows, for at most UNPLACEABLE_SECONDS. Raises TransientError or
        PermanentError. A plan calls it at most once for each account and kind of event.
        """
        ...


@runtime_checkable
class SupportsBatchUnplaceable(Protocol):
    """A source that can do this for many accounts over one connection."""

    def unplaceables(self, user_ids: Sequence[int]) -> Generator[Unplaceable]:
        """Yield for each account, in order, what `unplaceable` would return. An error of one account ends it."""
        ...


@runtime_checkable
class NotesUnplaceable(Protocol):
    """A listing that meets such records while it is read. They are not among its records, and not counted."""

    @property
    def unplaceable(self) -> Unplaceable | None:
        """What the listing met, once it was gone through; None: nothing."""
        ...


@runtime_checkable
class HasSourceTime(Protocol):
    """A listing that knows when its reading began by the clock of the source."""

    @property
    def read_at(self) -> datetime | None:
        """The moment in UTC; None: the source shows no clock."""
        ...


class Cost(msgspec.Struct, frozen=True):
    """What reading a window will take: requests to the source, and seconds at its rate limit."""

    requests: int
    seconds: float


@runtime_checkable
class SupportsCost(Protocol):
    """A source that knows before it reads what reading will cost."""

    def cost(self, user_id: int, window: Window) -> Cost:
        """Estimate, from what a plan has asked already: it makes as few further requests as possible.

        A plan logs the sum; an error is logged and changes nothing.
        """
        ...
