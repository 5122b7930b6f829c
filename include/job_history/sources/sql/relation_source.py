"""What the sources of jobs and of admin events have in common: each reads one relation, in one snapshot a call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, ClassVar, Generic

from job_history.errors.masking import Masker
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.sources import Record_co
from job_history.sources.listing import StreamedListing
from job_history.sources.sql.dialect import Condition, Dialect, Relation
from job_history.sources.sql.snapshot import Snapshot, snapshot
from job_history.sources.sql.unplaceable import unplaceable_rows


class RelationSource(ABC, Generic[Record_co]):
    """Reads one relation. `words` names its records in messages; `status_column` is empty if all of them are final."""

    relation: ClassVar[Relation]
    words: ClassVar[str]
    status_column: ClassVar[str] = ""

    def __init__(self, connect: Callable[[], Any], dialect: Dialect, *, mask_secrets: Masker = str) -> None:
        """`connect` opens a connection, which is used for one snapshot and closed.

        `mask_secrets` takes the connection's secrets out of a database's messages.
        """
        self._connect = connect
        self._dialect = dialect
        self._mask_secrets = mask_secrets

    def count(self, user_id: int, window: Window) -> int:
        return self._counts(self._in(user_id, window), [user_id], window)[0]

    def counts(self, user_ids: Sequence[int], window: Window) -> list[int]:
        return self._counts(f"the {self.words} of {len(user_ids)} accounts in {window}", user_ids, window)

    def repeated_ids(self, user_id: int, window: Window) -> Iterator[str]:
        with self._snapshot(self._in(user_id, window)) as opened:
            yield from opened.repeated_ids(self.relation, user_id, window)

    def unplaceable(self, user_id: int) -> Unplaceable:
        """Count the account's finished records whose time is missing or cannot be read."""
        with self._snapshot(f"the {self.words} of account {user_id} without a time that can be read") as opened:
            return unplaceable_rows(opened, self.relation, user_id, status_column=self.status_column)

    def unplaceables(self, user_ids: Sequence[int]) -> Generator[Unplaceable]:
        about = f"the {self.words} of {len(user_ids)} accounts without a time that can be read"
        with self._snapshot(about) as opened:
            for user_id in user_ids:
                yield unplaceable_rows(opened, self.relation, user_id, status_column=self.status_column)

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[StreamedListing[Record_co]]:
        with self._snapshot(self._in(user_id, window)) as opened:
            read_at = opened.time()
            condition = opened.within(self.relation, user_id, window)
            [counted] = opened.counts(self.relation, [condition])
            # Closed before the connection is, also if the caller stops before the end.
            with closing(self._records(opened, user_id, condition, line_details=line_details)) as records:
                yield StreamedListing(counted, records, read_at=read_at)

    @abstractmethod
    def _records(
        self, opened: Snapshot, user_id: int, condition: Condition, *, line_details: bool
    ) -> Generator[Record_co]:
        """Yield the records for which the condition holds, ordered by id, so that a repeated one is seen."""

    def _counts(self, about: str, user_ids: Sequence[int], window: Window) -> list[int]:
        with self._snapshot(about) as opened:
            return opened.counts(self.relation, [opened.within(self.relation, each, window) for each in user_ids])

    def _snapshot(self, about: str) -> AbstractContextManager[Snapshot]:
        return snapshot(self._connect, self._dialect, about, self._mask_secrets)

    def _in(self, user_id: int, window: Window) -> str:
        return f"the {self.words} of account {user_id} in {window}"
