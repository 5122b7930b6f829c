"""How many uploads run at once: more after each round that went well, half as many if the store asks to slow down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

FIRST_IN_FLIGHT = 64


class AdaptiveConcurrency:
    """A limit on the uploads in flight; `async with` it around each upload.

    It starts at 64. After each round, which is as many successful uploads as may be in flight, it doubles, up to
    `maximum`; once the store has asked to slow down, it grows by an eighth instead. `clock` returns seconds.
    """

    def __init__(self, maximum: int, clock: Callable[[], float]) -> None:
        self.in_flight = min(maximum, FIRST_IN_FLIGHT)
        self.slow_downs = 0
        self._maximum = maximum
        self._clock = clock
        self._places = asyncio.Semaphore(self.in_flight)
        self._excess = 0
        self._uploads_of_round = 0
        self._slowed_at = float("-inf")

    async def __aenter__(self) -> None:
        await self._places.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._release(1)

    def uploaded(self) -> None:
        """Count a successful upload."""
        self._uploads_of_round += 1
        if self._uploads_of_round >= self.in_flight:
            step = max(1, self.in_flight // 8) if self.slow_downs else self.in_flight
            self._change_to(min(self._maximum, self.in_flight + step))

    def asked_to_slow_down(self, began: float) -> None:
        """Halve, but only once for all uploads that were in flight together; `began` is the start time of this one."""
        self.slow_downs += 1
        if began >= self._slowed_at:
            self._slowed_at = self._clock()
            self._change_to(max(1, self.in_flight // 2))

    def _change_to(self, in_flight: int) -> None:
        more, self.in_flight = in_flight - self.in_flight, in_flight
        self._uploads_of_round = 0
        if more > 0:
            self._release(more)
        else:
            self._excess -= more

    def _release(self, places: int) -> None:
        """Give back places, except those that a lower limit has taken away from uploads still in flight."""
        withheld = min(places, self._excess)
        self._excess -= withheld
        for _ in range(places - withheld):
            self._places.release()
