"""How many uploads run at once, with stores that take what they get and stores that ask for less."""

import pytest

from job_history.destinations.object_store.adaptive_concurrency import AdaptiveConcurrency


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def limits_over_rounds(limit: AdaptiveConcurrency, rounds: int) -> list[int]:
    """Let `rounds` rounds of uploads succeed; return the limit after each."""
    seen = []
    for _ in range(rounds):
        for _ in range(limit.in_flight):
            limit.uploaded()
        seen.append(limit.in_flight)
    return seen


def test_starts_with_64_or_the_maximum_if_that_is_less() -> None:
    assert [AdaptiveConcurrency(most, Clock()).in_flight for most in (1, 63, 64, 256)] == [1, 63, 64, 64]


def test_doubles_each_round_up_to_the_maximum() -> None:
    assert limits_over_rounds(AdaptiveConcurrency(1_000, Clock()), 6) == [128, 256, 512, 1_000, 1_000, 1_000]


@pytest.mark.promise("slow-down")
def test_slow_down_halves_once_for_all_uploads_in_flight_together() -> None:
    clock = Clock()
    limit = AdaptiveConcurrency(256, clock)
    limits_over_rounds(limit, 2)

    for _ in range(256):
        limit.asked_to_slow_down(began=clock.now - 0.1)
    assert (limit.in_flight, limit.slow_downs) == (128, 256)

    clock.now += 0.1
    limit.asked_to_slow_down(began=clock.now - 0.05)
    assert limit.in_flight == 64


def test_never_less_than_one() -> None:
    clock = Clock()
    limit = AdaptiveConcurrency(8, clock)

    for _ in range(10):
        clock.now += 1
        limit.asked_to_slow_down(began=clock.now)

    assert limit.in_flight == 1


def test_grows_by_an_eighth_after_a_slow_down() -> None:
    clock = Clock()
    limit = AdaptiveConcurrency(256, clock)
    limits_over_rounds(limit, 2)
    clock.now += 1
    limit.asked_to_slow_down(began=clock.now)

    assert limits_over_rounds(limit, 8) == [144, 162, 182, 204, 229, 256, 256, 256]
