"""The kinds of event that are replicated: the flow is the same for each, and takes the kind as a parameter."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """What a window is about. The value stands in keys and in paths of the ledger."""

    JOBS = "jobs"
    ADMIN_EVENTS = "admin_events"

    @property
    def word(self) -> str:
        """What messages and logs call one of them."""
        return self.words.removesuffix("s")

    @property
    def words(self) -> str:
        """What messages and logs call several of them."""
        return self.value.replace("_", " ")

    @property
    def words_by_time(self) -> str:
        """What messages call those of a window: jobs are in that of their end."""
        return "jobs that ended" if self is EventKind.JOBS else self.words

    def of(self, account: str) -> str:
        """Say whose events are meant: the account alone for its jobs, `5234 Acme (admin events)` for the others."""
        return account if self is EventKind.JOBS else f"{account} ({self.words})"
