"""The quota: so many requests in any window of a minute, for a workspace's token or for a whole partner.

Documented: jobs 60 a minute, recipes 60 a minute and so on, directly; jobs 1,000 a minute for an embedded partner,
counted for its admin workspace, neither for a customer nor for a token. Inferred, on the strict side: one quota for all
resources but the activity log together, in a sliding window; the activity log has its own (documented: 60 a minute,
also for a partner's customers). Unknown: how the service draws its windows, and what a 429 looks like.
"""

from __future__ import annotations

from collections import deque


class Quota:
    """Counts the requests that were let through."""

    def __init__(self) -> None:
        self._passed: deque[float] = deque()

    def seconds_to_wait(self, now: float, *, limit: int | None, window: float) -> float:
        """0 lets the request of this moment through and counts it; else, after how many seconds one may pass."""
        while self._passed and self._passed[0] <= now - window:
            self._passed.popleft()
        if limit is not None and len(self._passed) >= limit:
            return window if limit == 0 else self._passed[-limit] + window - now
        self._passed.append(now)
        return 0.0
