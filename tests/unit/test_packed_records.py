"""Packed records: what is taken out is what was put in, as often as asked."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from job_history.packed_records import PackedRecords, in_groups


class Thing(msgspec.Struct, frozen=True):
    number: int
    text: str = ""


THINGS = st.lists(st.builds(Thing, st.integers(), st.text(st.characters(codec="utf-8"))), max_size=20)


@given(THINGS, st.integers(0, 40))
def test_records_come_out_as_they_were_put_in(things: list[Thing], times: int) -> None:
    packed = PackedRecords(Thing, things * times)
    assert [*packed] == [*packed] == things * times
    assert len(packed) == len(things) * times
    assert bool(packed) is bool(things and times)


@given(THINGS, THINGS)
def test_packs_come_before_what_is_appended(before: list[Thing], after: list[Thing]) -> None:
    assert [*PackedRecords(Thing, after, packs=PackedRecords(Thing, before).packs)] == before + after


def test_two_can_go_through_the_same_records() -> None:
    packed = PackedRecords(Thing, map(Thing, range(600)))
    assert [one.number + other.number for one, other in zip(packed, packed, strict=True)] == [*range(0, 1_200, 2)]
    assert (Thing(599) in packed, Thing(600) in packed) == (True, False)


@given(THINGS)
def test_groups_have_all_records_of_a_key_in_their_order(things: list[Thing]) -> None:
    groups = dict(in_groups(things, lambda thing: thing.number % 3))
    assert groups == {
        key: [thing for thing in things if thing.number % 3 == key] for key in {thing.number % 3 for thing in things}
    }


def test_a_group_is_yielded_when_its_last_record_is_met() -> None:
    groups = in_groups([1, 2, 1, 3, 2], lambda number: number)
    assert [key for key, _ in groups] == [1, 3, 2]
