"""Convoys hold what they may, and each slice is in one place."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from job_history.pipeline.packing import SLICE_SECONDS, Limits, Load, pack

LOADS = st.lists(
    st.builds(
        Load,
        account=st.integers(1, 40),
        jobs=st.integers(0, 120),
        seconds=st.floats(0, 12),
        together=st.sampled_from(["a", "b", "c"]),
    ),
    max_size=80,
)
LIMITS = st.builds(
    Limits,
    jobs=st.integers(1, 100),
    accounts=st.integers(1, 10),
    seconds=st.floats(1, 10),
    slice_seconds=st.floats(1, 10),
)


def packed(loads: list[Load], limits: Limits) -> tuple[list[list[int]], list[int]]:
    return pack(range(len(loads)), lambda number: loads[number], limits)


@given(LOADS, LIMITS)
def test_each_slice_is_in_one_convoy_or_large(loads: list[Load], limits: Limits) -> None:
    convoys, large = packed(loads, limits)

    assert sorted([*large, *(number for convoy in convoys for number in convoy)]) == list(range(len(loads)))
    assert [] not in convoys


@given(LOADS, LIMITS)
def test_no_convoy_exceeds_a_limit(loads: list[Load], limits: Limits) -> None:
    convoys, large = packed(loads, limits)

    for convoy in convoys:
        held = [loads[number] for number in convoy]
        assert sum(load.jobs for load in held) <= limits.jobs
        assert sum(load.seconds for load in held) <= limits.seconds + 1e-6
        assert len({load.account for load in held}) <= limits.accounts
    assert all(limits.is_large(loads[number]) for number in large)
    in_convoys = [loads[number] for convoy in convoys for number in convoy]
    assert all(load.seconds <= limits.slice_seconds and not limits.is_large(load) for load in in_convoys)


def test_a_slice_that_its_convoy_would_end_gets_tasks_of_its_own_at_once() -> None:
    """Of the API, at a rate limit: it would be read for two minutes for nothing, each hour."""
    loads = [Load(account=1, jobs=100, seconds=SLICE_SECONDS), Load(account=2, jobs=100, seconds=SLICE_SECONDS + 1)]

    assert packed(loads, Limits(jobs=50_000, accounts=500)) == ([[0]], [1])


@given(LOADS, LIMITS)
def test_two_convoys_in_a_row_would_not_fit_into_one(loads: list[Load], limits: Limits) -> None:
    convoys, _ = packed(loads, limits)

    for one, next_one in itertools.pairwise(convoys):
        held = [loads[number] for number in [*one, next_one[0]]]
        assert (
            sum(load.jobs for load in held) > limits.jobs
            or sum(load.seconds for load in held) > limits.seconds - 1e-6
            or len({load.account for load in held}) > limits.accounts
        )


@given(LOADS, LIMITS)
def test_slices_of_one_source_and_bucket_are_packed_in_a_row(loads: list[Load], limits: Limits) -> None:
    convoys, _ = packed(loads, limits)
    row = [loads[number].together for convoy in convoys for number in convoy]

    assert sum(one != other for one, other in itertools.pairwise(row)) <= max(len(set(row)) - 1, 0)


def test_2000_small_accounts_are_four_convoys() -> None:
    loads = [Load(account=user_id, jobs=20, seconds=0.04, together="store") for user_id in range(2_000)]

    convoys, large = packed(loads, Limits(jobs=50_000, accounts=500))

    assert ([len(convoy) for convoy in convoys], large) == ([500, 500, 500, 500], [])
