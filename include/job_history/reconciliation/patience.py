"""How long a task waits for one source or store that fails, over all of its accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from job_history.errors import TransientError

FAILED_SECONDS = 300.0
"""An unreachable database or store takes about 2 minutes for each connection, and many accounts may share it."""


class Patience:
    """Sums up, by key, the seconds that failed attempts have taken; for several threads. `clock` is in seconds.

    `in_a_row`: a success sets the sum to zero.
    """

    def __init__(self, clock: Callable[[], float], seconds: float = FAILED_SECONDS, *, in_a_row: bool = False) -> None:
        self._clock = clock
        self._seconds = seconds
        self._in_a_row = in_a_row
        self._left: defaultdict[str, float] = defaultdict(lambda: seconds)
        self._lock = Lock()

    def is_over(self, key: str) -> bool:
        with self._lock:
            return self._left[key] <= 0

    @contextmanager
    def tried(self, key: str, failed: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Take the time of the block off if it raises, or if it has `failed`. Raises TransientError if none is left."""
        if self.is_over(key):
            raise TransientError(
                f"skipped, because the {key.partition(' ')[0]} already failed for other accounts "
                f"({self._seconds:.0f} s in total)."
            )
        began = self._clock()
        try:
            yield
        except Exception:
            self._take_off(key, began)
            raise
        if failed():
            self._take_off(key, began)
        elif self._in_a_row:
            with self._lock:
                self._left[key] = self._seconds

    def _take_off(self, key: str, began: float) -> None:
        with self._lock:
            self._left[key] -= self._clock() - began
