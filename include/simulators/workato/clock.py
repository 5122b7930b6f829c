"""The time that the workspaces live in: jobs start and complete by it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta


class SimulatedClock:
    """Stands still at the moment it was set to; never set, it runs with the machine's clock. Safe between threads."""

    def __init__(self, now: datetime | None = None) -> None:
        self._lock = threading.Lock()
        self._frozen: datetime | None = None
        self._ahead = timedelta(0)
        if now is not None:
            self.set(now)

    def now(self) -> datetime:
        """The simulated time, in UTC."""
        with self._lock:
            return (self._frozen or datetime.now(UTC)) + self._ahead

    def set(self, now: datetime) -> None:
        """Stand still at `now`. Raises ValueError if it has no offset."""
        if now.tzinfo is None:
            raise ValueError(f"The clock cannot be set to {now}: it has no offset; write it as 2018-05-22T00:00:00Z.")
        with self._lock:
            self._frozen, self._ahead = now.astimezone(UTC), timedelta(0)

    def advance(self, seconds: float) -> None:
        """Move on by so many seconds."""
        with self._lock:
            self._ahead += timedelta(seconds=seconds)
