"""A request budget that any number of tasks share."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job_history.errors import PermanentError
from job_history.sources.workato import SharedRateLimiter
from job_history.storage import Storage, local_storage
from simulators.workato import ReceivedRequest, busiest


class Clock:
    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def budget(storage: Storage, clock: Clock, *, limit: int = 60, name: str = "acme", seed: int = 1) -> SharedRateLimiter:
    return SharedRateLimiter(storage, name, limit, clock=clock, sleep=clock.sleep, chance=random.Random(seed))


def busiest_minute(moments: list[float]) -> int:
    requests = [
        ReceivedRequest(
            number=0, received_at=moment, simulated_at=None, holder="", path="", status=200, note="", user_agent=""
        )  # type: ignore[arg-type]
        for moment in moments
    ]
    return busiest(requests, seconds=60)


def test_one_task_alone_gets_nearly_the_whole_limit(tmp_path: Path) -> None:
    clock = Clock()
    mine = budget(local_storage(tmp_path), clock, limit=1_000)
    moments = []
    for _ in range(3_000):
        mine.take()
        moments.append(clock.now)

    assert mine.spent == 3_000
    assert busiest_minute(moments) <= 1_000
    # 830 a minute are given out of 1,000: the rest is for requests that arrive late, and for clocks that differ.
    assert 3_000 / 830 * 60 - 6 <= moments[-1] - moments[0] <= 3_000 / 830 * 60


@settings(max_examples=15)
@given(
    limit=st.sampled_from([12, 60, 61, 250]),
    tasks=st.integers(1, 8),
    lateness=st.lists(st.floats(0, 5.9), min_size=1, max_size=20),
    seed=st.integers(0, 1_000),
)
def test_however_many_tasks_and_however_late_requests_arrive_no_minute_has_more_than_the_limit(
    tmp_path_factory: pytest.TempPathFactory, limit: int, tasks: int, lateness: list[float], seed: int
) -> None:
    storage = local_storage(tmp_path_factory.mktemp("budget"))
    clock = Clock(now=seed * 1.7)
    chance = random.Random(seed)
    holders = [budget(storage, clock, limit=limit, seed=number) for number in range(tasks)]
    arrivals = []
    for number in range(3 * limit):
        chance.choice(holders).take()
        arrivals.append(clock.now + lateness[number % len(lateness)])
        clock.now += chance.choice([0.0, 0.0, 0.01, 0.3])

    assert busiest_minute(arrivals) <= limit
    assert sum(holder.spent for holder in holders) == 3 * limit


def test_budgets_of_other_names_are_other_budgets(tmp_path: Path) -> None:
    storage, clock = local_storage(tmp_path), Clock()
    one, other = budget(storage, clock), budget(storage, clock, name="other")
    for _ in range(5):
        one.take()
        other.take()

    assert clock.now == 1_000_000.0


def test_what_is_left_counts_what_all_tasks_took(tmp_path: Path) -> None:
    storage, clock = local_storage(tmp_path), Clock()
    mine, theirs = budget(storage, clock, limit=1_020), budget(storage, clock, limit=1_020, seed=2)
    for _ in range(20):
        theirs.take()
    mine.take()

    assert mine.left() == ("825 of 850 were left to all tasks in the last minute (rate limit acme, 1,020 a minute)")


def test_old_coupons_are_cleared_away(tmp_path: Path) -> None:
    storage, clock = local_storage(tmp_path), Clock()
    mine = budget(storage, clock)
    for _ in range(500):
        mine.take()

    assert 0 < len(list(storage.paths(""))) <= 22


def test_a_coupon_is_good_in_its_own_slot_only(tmp_path: Path) -> None:
    storage, clock = local_storage(tmp_path), Clock()
    mine = budget(storage, clock)
    mine.take()
    clock.now += 60
    mine.take()

    assert len(list(storage.paths(""))) == 2


def test_a_limit_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as raised:
        budget(local_storage(tmp_path), Clock(), limit=11)
    assert str(raised.value) == "requests_per_minute of the connection is 11; it must be at least 12."


@pytest.mark.parametrize("name", [".nfs00000000018", ".DS_Store", "x-y", "12", "166666-", "-3", "1-2-3"])
def test_a_file_that_is_no_coupon_stops_no_task(tmp_path: Path, name: str) -> None:
    storage = local_storage(tmp_path)
    storage.write(f"request-budget/acme/{name}", b"")
    clock = Clock()
    mine = budget(storage, clock)

    for _ in range(100):
        mine.take()

    assert mine.spent == 100
