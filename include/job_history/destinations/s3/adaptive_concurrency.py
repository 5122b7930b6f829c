"""How many uploads run at once: more as long as that brings more, and half as many when the store asks to slow down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

FIRST_IN_FLIGHT = 64
# Shorter than that, the rate of a round says more about the machine than about the store.
MIN_ROUND_SECONDS = 0.05
WORTH_IT = 0.15
"""Of the rate that more uploads in flight could bring at best: what they must bring to be kept."""
ROUNDS_BETWEEN_TRIALS = 20


class AdaptiveConcurrency:
    """Doubles by trial until the store first asks to slow down, and goes up by an eighth after that.

    A store that is far away needs many in flight; one that is near, or busy, gains nothing by them. `async with` a pace
    begins an upload when it may begin. The clock gives seconds.
    """

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self.in_flight = min(most, FIRST_IN_FLIGHT)
        self.slow_downs = 0
        self._most = most
        self._clock = clock
        self._places = asyncio.Semaphore(self.in_flight)
        self._too_many = 0
        self._just_changed = True
        self._before: tuple[int, float] | None = None
        self._rounds_to_wait = 0
        self._slowed_at = float("-inf")
        self._begin_round()

    async def __aenter__(self) -> None:
        await self._places.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._give_back(1)

    def uploaded(self) -> None:
        """Note an upload that went well; a round is over when there were as many as are in flight."""
        self._uploads += 1
        if self._uploads < self.in_flight:
            return
        seconds = self._clock() - self._began
        if seconds >= MIN_ROUND_SECONDS:
            self._round_over(self._uploads / seconds)
            self._begin_round()

    def asked_to_slow_down(self, began: float) -> None:
        """Halve, once for all the uploads that were in flight together; `began`: when this one was."""
        self.slow_downs += 1
        if began < self._slowed_at:
            return
        self._slowed_at = self._clock()
        self._before, self._rounds_to_wait = None, ROUNDS_BETWEEN_TRIALS
        self._change_to(max(1, self.in_flight // 2))
        self._begin_round()

    def _begin_round(self) -> None:
        self._uploads, self._began = 0, self._clock()

    def _round_over(self, rate: float) -> None:
        if self._just_changed:
            # Connections were made in it, which says nothing of the rate with them.
            self._just_changed = False
        elif self._before is not None and not self._was_worth_it(*self._before, rate):
            self._rounds_to_wait = ROUNDS_BETWEEN_TRIALS
            self._change_to(self._before[0])
            self._before = None
        elif self._rounds_to_wait > 0:
            self._rounds_to_wait -= 1
        elif self.in_flight < self._most:
            self._before = self.in_flight, rate
            step = max(1, self.in_flight // 8) if self.slow_downs else self.in_flight
            self._change_to(min(self._most, self.in_flight + step))
        else:
            self._before = None

    def _was_worth_it(self, in_flight_before: int, rate_before: float, rate: float) -> bool:
        return rate / rate_before - 1 >= WORTH_IT * (self.in_flight / in_flight_before - 1)

    def _change_to(self, in_flight: int) -> None:
        more, self.in_flight = in_flight - self.in_flight, in_flight
        self._just_changed = True
        if more > 0:
            self._give_back(more)
        else:
            self._too_many -= more

    def _give_back(self, places: int) -> None:
        """Uploads that are under way when there are to be fewer keep their places, and give them up at their end."""
        given_up = min(places, self._too_many)
        self._too_many -= given_up
        for _ in range(places - given_up):
            self._places.release()
