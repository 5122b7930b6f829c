"""How many uploads run at once, against stores that are near, far away, or asking for less."""

from collections.abc import Callable

from job_history.destinations.s3.adaptive_concurrency import AdaptiveConcurrency


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def after(seconds: float, pace: AdaptiveConcurrency, clock: Clock, rate_of: Callable[[int], float]) -> int:
    """Let uploads end, so many a second as the store gives to what is in flight; return what is in flight then."""
    ends = clock.now + seconds
    while clock.now < ends:
        clock.now += 1 / rate_of(pace.in_flight)
        pace.uploaded()
    return pace.in_flight


def far_away(in_flight: int) -> float:
    return in_flight / 0.1


def near(in_flight: int) -> float:
    return min(in_flight / 0.001, 9_000)


def test_it_starts_with_64_or_with_the_most_where_that_is_less() -> None:
    assert [AdaptiveConcurrency(most, Clock()).in_flight for most in (1, 63, 64, 256)] == [1, 63, 64, 64]


def test_a_store_that_is_far_away_soon_has_the_most_in_flight() -> None:
    clock = Clock()
    pace = AdaptiveConcurrency(1_000, clock)

    seen = list(dict.fromkeys(after(0.01, pace, clock, far_away) for _ in range(100)))

    assert seen == [64, 128, 256, 512, 1_000]
    assert after(5, pace, clock, far_away) == 1_000


def test_a_store_that_is_near_gets_no_more_than_it_makes_use_of() -> None:
    clock = Clock()
    pace = AdaptiveConcurrency(256, clock)

    seen = {after(0.01, pace, clock, near) for _ in range(500)}

    assert seen == {64, 128}  # 128 on trial only
    assert sum(after(0.01, pace, clock, near) == 128 for _ in range(500)) < 50


def test_a_store_that_goes_farther_away_gets_more() -> None:
    clock = Clock()
    pace = AdaptiveConcurrency(256, clock)
    assert after(2, pace, clock, near) in {64, 128}

    assert after(20, pace, clock, far_away) == 256


def test_asked_to_slow_down_it_halves_once_for_all_that_were_in_flight_together() -> None:
    clock = Clock()
    pace = AdaptiveConcurrency(256, clock)
    after(1, pace, clock, far_away)

    for _ in range(256):
        pace.asked_to_slow_down(began=clock.now - 0.1)
    assert (pace.in_flight, pace.slow_downs) == (128, 256)

    clock.now += 0.1
    pace.asked_to_slow_down(began=clock.now - 0.05)
    assert pace.in_flight == 64


def test_it_never_stops_altogether() -> None:
    clock = Clock()
    pace = AdaptiveConcurrency(8, clock)

    for _ in range(10):
        clock.now += 1
        pace.asked_to_slow_down(began=clock.now)

    assert pace.in_flight == 1


def test_after_a_slow_down_it_comes_back_by_small_steps() -> None:
    clock = Clock()
    pace = AdaptiveConcurrency(256, clock)
    after(1, pace, clock, far_away)
    clock.now += 1
    pace.asked_to_slow_down(began=clock.now)
    assert pace.in_flight == 128

    seen = list(dict.fromkeys(after(0.01, pace, clock, far_away) for _ in range(400)))

    assert seen[:3] == [128, 144, 162]
