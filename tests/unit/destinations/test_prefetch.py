"""The next item is made while one is used; nothing else changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from job_history.destinations.messages.prefetch import prefetch


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_all_items_in_order(count: int) -> None:
    assert list(prefetch(iter(range(count)))) == list(range(count))


def test_one_item_is_made_ahead_and_no_more() -> None:
    made: list[int] = []
    second_is_made = threading.Event()

    def numbers() -> Iterator[int]:
        for number in (1, 2, 3):
            made.append(number)
            if number == 2:
                second_is_made.set()
            yield number

    with closing(prefetch(numbers())) as items:
        assert next(items) == 1
        assert second_is_made.wait(60)
        assert made == [1, 2]
        assert next(items) == 2


def test_error_comes_after_the_items_before_it() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("three")

    items = prefetch(numbers())
    assert (next(items), next(items)) == (1, 2)
    with pytest.raises(ValueError, match="three"):
        next(items)


def test_no_thread_is_left_when_iteration_stops_early() -> None:
    before = set(threading.enumerate())
    with closing(prefetch(iter(range(10)))) as items:
        next(items)
    assert set(threading.enumerate()) <= before  # threads of others may end meanwhile
