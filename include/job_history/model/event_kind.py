"""The kinds of event that are replicated: the pipeline is the same for each, and takes the kind as a parameter."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """What a window is about. The value is part of keys and of paths in the ledger."""

    JOBS = "jobs"
    ADMIN_EVENTS = "admin_events"

    @property
    def word(self) -> str:
        """One of them, in messages and logs."""
        return self.words.removesuffix("s")

    @property
    def words(self) -> str:
        """Several of them, in messages and logs."""
        return self.value.replace("_", " ")

    @property
    def words_by_time(self) -> str:
        """Those of a window, in messages: a job is in the window of its end."""
        return "jobs that ended" if self is EventKind.JOBS else self.words

    def of(self, account: str) -> str:
        """Name the account and the kind: the account alone for its jobs, `5234 Acme (admin events)` otherwise."""
        return account if self is EventKind.JOBS else f"{account} ({self.words})"

    def label(self, user_id: int, name: str) -> str:
        """Name an account and the kind, as `of` does."""
        return self.of(f"{user_id} {name}")
