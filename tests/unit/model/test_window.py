"""Windows: half open, touching, and cut so that each moment is in exactly one."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden_messages import CheckMessage

from job_history.errors import PermanentError
from job_history.model.window import HOUR, Window, last_full_hour, parts_of_at_most, requested_window

START = datetime(2018, 5, 21, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

offsets = st.one_of(
    st.integers(0, 40).map(lambda halves: halves * HOUR / 2),
    st.integers(0, 20 * 3_600).map(lambda seconds: timedelta(seconds=seconds)),
    st.integers(0, 20 * 3_600 * 10**6).map(lambda micros: timedelta(microseconds=micros)),
)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start, end = sorted(draw(st.lists(offsets, min_size=2, max_size=2, unique=True)))
    return Window(START + start, START + end)


@st.composite
def windows_with_moments(draw: st.DrawFn) -> tuple[Window, list[datetime]]:
    """A window and moments in it, many of them in the same few seconds."""
    window = draw(windows())
    length = (window.end - window.start) // MICROSECOND
    around = draw(st.lists(st.integers(0, length - 1), max_size=4))
    near = [(place + step) % length for place in around for step in draw(st.lists(st.integers(0, 3_000_000)))]
    return window, [window.start + place * MICROSECOND for place in [*around, *near]]


def tile(parts: list[Window], window: Window) -> bool:
    touching = all(one.end == following.start for one, following in pairwise(parts))
    return touching and (parts[0].start, parts[-1].end) == (window.start, window.end)


@pytest.mark.promise("windows-tile")
@given(windows_with_moments())
def test_hours_tile_the_window_and_each_moment_is_in_exactly_one(example: tuple[Window, list[datetime]]) -> None:
    window, moments = example
    hours = list(window.hours())
    assert tile(hours, window)
    assert [sum(moment in hour for hour in hours) for moment in moments] == [1] * len(moments)
    full = [hour.end for hour in hours[:-1]]
    assert full == [moment.replace(minute=0, second=0, microsecond=0) for moment in full]
    assert all(hour.end - hour.start <= HOUR for hour in hours)
    assert all(hour.end - hour.start == HOUR for hour in hours[1:-1])


@pytest.mark.promise("slices-tile")
@given(windows_with_moments(), st.integers(1, 20))
def test_parts_tile_the_window_and_hold_at_most_the_limit(example: tuple[Window, list[datetime]], limit: int) -> None:
    window, moments = example

    def jobs_in(part: Window) -> int:
        return sum(moment in part for moment in moments)

    parts = list(parts_of_at_most(limit, window, len(moments), jobs_in))
    assert tile(parts, window)
    assert [sum(moment in part for part in parts) for moment in moments] == [1] * len(moments)
    too_full = [part for part in parts if jobs_in(part) > limit]
    assert [part for part in too_full if part.end - part.start >= timedelta(seconds=2)] == []
    # No more of them than needed: two neighbours would not fit into one.
    assert all(jobs_in(one) + jobs_in(following) > limit for one, following in pairwise(parts))


def test_a_window_within_the_limit_is_one_part_and_the_source_is_not_asked() -> None:
    window = Window(START, START + HOUR)

    def not_to_be_asked(part: Window) -> int:
        raise AssertionError(part)

    assert list(parts_of_at_most(10, window, 10, not_to_be_asked)) == [window]


def test_a_second_that_holds_more_than_the_limit_stays_whole() -> None:
    window = Window(START, START + HOUR)
    crowd = [START + timedelta(minutes=30, seconds=3, milliseconds=number) for number in range(100)]
    parts = list(parts_of_at_most(10, window, 100, lambda part: sum(moment in part for moment in crowd)))
    second = START + timedelta(minutes=30, seconds=3)
    assert [part for part in parts if crowd[0] in part] == [Window(second, second + timedelta(seconds=1))]
    assert len(parts) == 3


def test_parts_of_evenly_spread_jobs_are_few_and_cheap_to_find() -> None:
    window = Window(START, START + HOUR)
    asked: list[Window] = []

    def count(part: Window) -> int:
        asked.append(part)
        return (part.end - part.start) // timedelta(seconds=1) * 100

    parts = list(parts_of_at_most(50_000, window, 360_000, count))
    assert [(part.end - part.start).seconds for part in parts] == [450] * 8
    assert len(asked) == 14


def test_a_window_is_half_open() -> None:
    window = Window(START, START + HOUR)
    assert (window.start in window, window.end in window, window.end - MICROSECOND in window) == (True, False, True)


def test_a_window_is_in_utc_however_it_was_given() -> None:
    pacific = timezone(timedelta(hours=-7))
    window = Window(datetime(2018, 5, 20, 17, tzinfo=pacific), datetime(2018, 5, 20, 18, tzinfo=pacific))
    assert (window, str(window), window.slug) == (
        Window(START, START + HOUR),
        "[2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z)",
        "20180521T000000Z-20180521T010000Z",
    )


@given(windows(), windows())
def test_json_of_a_window_is_two_texts_as_in_release_0_1_and_each_has_its_own_slug(one: Window, other: Window) -> None:
    assert msgspec.json.decode(msgspec.json.encode(one), type=Window) == one
    assert msgspec.convert(one.as_dict(), Window) == one
    assert (one.slug == other.slug) == (one == other)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, START),
        (START + HOUR, START),
        (START.replace(tzinfo=None), START),
    ],
)
def test_what_is_no_window(start: datetime, end: datetime, check_message: CheckMessage) -> None:
    with pytest.raises(ValueError) as refused:
        Window(start, end)
    check_message(str(refused.value))


@pytest.mark.parametrize(
    ("moment", "start"),
    [
        (START, START - HOUR),
        (START - MICROSECOND, START - 2 * HOUR),
        (START + timedelta(minutes=59), START - HOUR),
        (datetime(2018, 5, 21, 5, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))), START - HOUR),
    ],
)
def test_the_last_full_hour(moment: datetime, start: datetime) -> None:
    assert last_full_hour(moment) == Window(start, start + HOUR)


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_window_is_requested(nothing: str | None) -> None:
    assert requested_window(nothing, nothing) is None


def test_requested_window() -> None:
    assert requested_window("2018-05-20T17:00:00-07:00", "2018-05-21T03:00:00Z") == Window(START, START + 3 * HOUR)


@pytest.mark.promise("whole-hours")
def test_requested_window_is_extended_to_whole_hours() -> None:
    assert requested_window("2018-05-21T00:20:00Z", "2018-05-21T00:40:00.5Z") == Window(START, START + HOUR)
    assert requested_window("2018-05-21T00:59:59Z", "2018-05-21T01:00:00.000001Z") == Window(START, START + 2 * HOUR)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2018-05-21T00:00:00Z", None),
        ("", "2018-05-21T00:00:00Z"),
        ("2018-05-21T01:00:00Z", "2018-05-21T00:00:00Z"),
        ("noon", "2018-05-21T00:00:00Z"),
    ],
)
def test_parameters_that_make_no_window_say_why(
    start: str | None, end: str | None, check_message: CheckMessage
) -> None:
    with pytest.raises(PermanentError) as refused:
        requested_window(start, end)
    check_message(str(refused.value))


@given(windows())
def test_a_window_is_read_back_from_its_slug(window: Window) -> None:
    assert Window.from_slug(window.slug) == window


@pytest.mark.parametrize(
    "slug",
    ["", "20180521T000000Z", "20180521T010000Z-20180521T000000Z", "20180521T00Z-20180521T01Z", "receipt.json"]
    + [f"20180521T000000Z-20180521T010000Z{end}" for end in ("-", "x", "-20180521T020000Z")],
)
def test_another_text_is_no_slug_of_a_window(slug: str) -> None:
    with pytest.raises(ValueError):
        Window.from_slug(slug)
