"""Lateness: each late job is counted once under what the two readings of its window say."""

import pytest

from job_history.ledger.lateness import BUCKETS, Late, Lateness, all_of, bucket_of


@pytest.mark.parametrize(
    ("seconds", "bucket"),
    [(0, "15 min"), (900, "15 min"), (901, "1 h"), (86_400, "24 h"), (172_800, "48 h"), (172_801, "longer")],
)
def test_a_delay_is_in_the_first_bucket_that_it_does_not_exceed(seconds: int, bucket: str) -> None:
    assert bucket_of(seconds) == bucket


def test_the_sum_of_several_has_its_buckets_in_their_order() -> None:
    first, second = Lateness(), Lateness()
    first.add(Late(unseen_after=100, found_after=200_000))
    second.add(Late(unseen_after=700, found_after=1_000))
    second.add(Late(unseen_after=4_000, found_after=90_000))

    total = all_of([first, second, Lateness()])

    assert total == Lateness({"15 min": 2, "6 h": 1}, {"1 h": 1, "48 h": 1, "longer": 1}, 4_000)
    assert (total.jobs, list(total.found_after)) == (3, [name for name in BUCKETS if name in total.found_after])
    assert (all_of([]), first.jobs) == (Lateness(), 1)
