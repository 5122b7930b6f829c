"""The rate limit of a workspace, kept by all tasks on all workers together.

A limit is `so many requests a minute` for a whole workspace, or for all customers of an embedded partner. Time is cut
into slots of six seconds, and what a slot allows into coupons of a few requests. A coupon is a file that can be created
only once: the task that creates it may send its requests, within its slot. Nothing has to be given back, so a task that
is killed leaves no lock. docs/decisions/0006-request-budget.md weighs this against an Airflow pool.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from typing import Protocol

from job_history.errors import PermanentError
from job_history.storage import Storage

log = logging.getLogger(__name__)

# Documented defaults of the platform; an Enterprise plan may have more. Seconds and requests.
DIRECT_REQUESTS_A_MINUTE = 60
EMBEDDED_REQUESTS_A_MINUTE = 1_000
# Of the activity log, also that of a partner's customers.
ACTIVITY_REQUESTS_A_MINUTE = 60

SLOT_SECONDS = 6
SLOTS_A_MINUTE = 60 // SLOT_SECONDS
# Any 60 seconds touch eleven slots. The twelfth is for requests that arrive up to a slot late, and for clocks that
# differ by as much: whether the platform counts by the clock's minute or by a sliding one is not documented.
SLOTS_IN_ANY_MINUTE = SLOTS_A_MINUTE + 2
REQUESTS_A_COUPON = 5
_SLOTS_KEPT = 2 * SLOTS_A_MINUTE


class RateLimiter(Protocol):
    """A client asks it before each request. `spent` counts the requests of this object."""

    spent: int

    def take(self) -> None:
        """Return when one request may be sent."""
        ...

    @property
    def requests_a_second(self) -> float: ...

    def left(self) -> str:
        """Describe what is left, for the log."""
        ...


class Unlimited:
    """For a few requests by hand, such as the test of a connection."""

    def __init__(self) -> None:
        self.spent = 0

    @property
    def requests_a_second(self) -> float:
        return math.inf

    def take(self) -> None:
        self.spent += 1

    def left(self) -> str:
        return "no rate limit is kept"


class SharedRateLimiter:
    """One task's part in a rate limit that all tasks share by its name."""

    def __init__(
        self,
        storage: Storage,
        name: str,
        requests_a_minute: int,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        chance: random.Random | None = None,
    ) -> None:
        """`storage` must be one that all workers share. Raises PermanentError if the rate is below 12 a minute."""
        self._a_slot = requests_a_minute // SLOTS_IN_ANY_MINUTE
        if not self._a_slot:
            raise PermanentError(
                f"requests_per_minute of the connection is {requests_a_minute}; it must be at least "
                f"{SLOTS_IN_ANY_MINUTE}."
            )
        self._storage = storage
        self._name = name
        self._requests_a_minute = requests_a_minute
        self._folder = f"request-budget/{name}"
        self._clock = clock
        self._sleep = sleep
        self._chance = chance or random.Random()  # noqa: S311 - it spreads tasks, and guards nothing
        self._slot = -1
        self._in_hand = 0
        self._left = self._a_minute
        self.spent = 0

    @property
    def requests_a_second(self) -> float:
        return self._a_minute / 60

    @property
    def _a_minute(self) -> int:
        return self._a_slot * SLOTS_A_MINUTE

    def take(self) -> None:
        if not self._in_hand or self._slot != self._current_slot():
            self._in_hand = self._new_coupon()
        self._in_hand -= 1
        self.spent += 1

    def left(self) -> str:
        return (
            f"{self._left:,} of {self._a_minute:,} were left to all tasks in the last minute (rate limit {self._name}, "
            f"{self._requests_a_minute:,} a minute)"
        )

    def _new_coupon(self) -> int:
        """Wait for a coupon; returns how many requests it is good for."""
        waited = 0.0
        while True:
            self._slot = self._current_slot()
            taken = self._taken()
            for coupon in self._shuffled(taken):
                if self._storage.create(self._path(self._slot, coupon), b""):
                    self._left = self._a_minute - sum(self._good_for(number) for _, number in taken | {(0, coupon)})
                    if not any(slot == self._slot for slot, _ in taken):
                        self._tidy()
                    return self._good_for(coupon)
            # With jitter: otherwise all tasks that waited for the slot would begin at its first moment.
            wait = (self._slot + 1) * SLOT_SECONDS - self._clock() + self._chance.random() * SLOT_SECONDS / 4
            self._sleep(max(wait, 0.01))
            waited += wait
            if waited > 60:
                log.info("Waiting for the rate limit %s, which other tasks are using.", self._name)
                waited = 0.0

    def _current_slot(self) -> int:
        return int(self._clock() // SLOT_SECONDS)

    def _good_for(self, coupon: int) -> int:
        return min(REQUESTS_A_COUPON, self._a_slot - coupon * REQUESTS_A_COUPON)

    def _shuffled(self, taken: set[tuple[int, int]]) -> list[int]:
        coupons = range(-(-self._a_slot // REQUESTS_A_COUPON))
        free = [coupon for coupon in coupons if (self._slot, coupon) not in taken]
        self._chance.shuffle(free)
        return free

    def _taken(self) -> set[tuple[int, int]]:
        """Slots and numbers of the coupons that were taken in the last minute."""
        return {one for one in self._coupons() if one[0] > self._slot - SLOTS_A_MINUTE}

    def _coupons(self) -> set[tuple[int, int]]:
        coupons = set()
        for path in self._storage.paths(self._folder):
            slot, _, number = path.rpartition("/")[2].partition("-")
            if slot.isdecimal() and number.isdecimal():  # any other is not ours, such as a `.nfs...` of a file server
                coupons.add((int(slot), int(number)))
        return coupons

    def _tidy(self) -> None:
        """Delete coupons of the past; the first task in each slot does this."""
        for slot, coupon in self._coupons():
            if slot < self._slot - _SLOTS_KEPT:
                self._storage.delete(self._path(slot, coupon))

    def _path(self, slot: int, coupon: int) -> str:
        return f"{self._folder}/{slot}-{coupon}"
