"""No account starves, wherever a limit cuts the list."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_history.pipeline.fair_order import fair_order, names_of_hour, turned

START = datetime(2026, 11, 29, tzinfo=UTC)
USER_IDS = st.lists(st.integers(1, 10**6), min_size=1, max_size=60, unique=True)


def taken(user_ids: list[int], limit: int, hours: int, start: datetime = START) -> Counter[int]:
    """Return in how many of the hours each account is before the cut."""
    times: Counter[int] = Counter(dict.fromkeys(user_ids, 0))
    for hour in range(hours):
        times.update(fair_order(user_ids, int, start + timedelta(hours=hour), limit)[:limit])
    return times


@given(USER_IDS, st.integers(1, 20), st.integers(1, 48), st.integers(0, 10**5))
def test_no_account_is_behind_another_by_more_than_one_hour(
    user_ids: list[int], limit: int, hours: int, offset: int
) -> None:
    times = taken(user_ids, limit, hours, START + timedelta(hours=offset))

    assert max(times.values()) - min(times.values()) <= 1


@given(USER_IDS, st.integers(1, 20))
def test_each_item_is_there_once_whatever_the_limit(user_ids: list[int], limit: int) -> None:
    assert sorted(fair_order(user_ids, int, START, limit)) == sorted(user_ids)


@given(USER_IDS, st.integers(1, 20), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_variable(
    user_ids: list[int], limit: int, random: object
) -> None:
    shuffled = sorted(user_ids, key=lambda _: random.random())  # type: ignore[attr-defined]

    assert fair_order(shuffled, int, START, limit) == fair_order(user_ids, int, START, limit)


def test_an_accounts_items_stay_in_their_order() -> None:
    items = [(user_id, part) for part in range(3) for user_id in (5234, 5235)]
    begins_with_the_first = datetime.fromtimestamp(0, UTC)

    order = fair_order(items, lambda item: item[0], begins_with_the_first, 2)

    for user_id in (5234, 5235):
        assert [part for owner, part in order if owner == user_id] == [0, 1, 2]


@pytest.mark.promise("fair-time-limits")
def test_within_a_day_each_part_of_a_convoy_and_each_kind_is_among_the_first() -> None:
    day = [START + timedelta(hours=hour) for hour in range(24)]

    assert {names_of_hour(("azure_blob", "s3", "sumo_logic"), hour)[0] for hour in day} == {
        "azure_blob",
        "s3",
        "sumo_logic",
    }
    first_half = [turned(list(range(10)), hour)[:5] for hour in day]
    assert {each for half in first_half for each in half} == set(range(10))
    assert all((each + 1) % 10 == following for half in first_half for each, following in pairwise(half))
    assert turned([], START) == []
