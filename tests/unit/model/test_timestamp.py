"""Moments: read from ISO 8601, written in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden_messages import CheckMessage

from job_history.model.timestamp import epoch_milliseconds, format_time, parse_time

OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)  # noqa: DTZ001 - they have one


@given(MOMENTS)
def test_what_is_written_is_read_again(moment: datetime) -> None:
    assert parse_time(format_time(moment)) == moment


@given(MOMENTS)
def test_any_offset_is_understood_and_written_in_utc(moment: datetime) -> None:
    read = parse_time(moment.isoformat())
    assert (read, read.tzinfo) == (moment, UTC)
    assert format_time(read) == format_time(moment)


@given(MOMENTS, MOMENTS)
def test_without_the_z_the_order_of_texts_is_the_order_of_time(one: datetime, other: datetime) -> None:
    texts = [format_time(moment).removesuffix("Z") for moment in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2018-05-21T00:00:10Z", "2018-05-21T00:00:10Z"),
        ("2018-05-21T00:00:10.000Z", "2018-05-21T00:00:10Z"),
        ("2018-05-21T00:00:10.250000Z", "2018-05-21T00:00:10.25Z"),
        ("2018-05-21T00:00:10.1234567Z", "2018-05-21T00:00:10.123456Z"),
        ("2018-05-20T17:00:10.250-07:00", "2018-05-21T00:00:10.25Z"),
        ("2018-05-21 00:00:10+00", "2018-05-21T00:00:10Z"),
        ("2018-05-21 00:00:10", "2018-05-21T00:00:10Z"),
        ("2018-05-21T00:00", "2018-05-21T00:00:00Z"),
        ("0042-05-21T00:00:00Z", "0042-05-21T00:00:00Z"),
    ],
)
def test_the_ways_in_which_sources_write(text: str, written: str) -> None:
    assert format_time(parse_time(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday at noon",
        "2018-05-21",
        "1526860810",
        "2018-W21-1T00:00",
        "2018-02-30T00:00:00Z",
        "2018-05-21T00:00:00 UTC",
        "0001-01-01T00:00:00+10:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_what_is_no_moment_is_refused(text: str, check_message: CheckMessage) -> None:
    with pytest.raises(ValueError) as refused:
        parse_time(text)
    check_message(str(refused.value))


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2018-05-21T00:00:10Z", 1526860810000),
        ("2018-05-21T00:00:10.2509Z", 1526860810250),
        ("2018-05-20T17:00:10-07:00", 1526860810000),
        ("1969-12-31T23:59:59.9999Z", -1),
    ],
)
def test_milliseconds_are_whole_and_rounded_down(text: str, milliseconds: int) -> None:
    assert epoch_milliseconds(parse_time(text)) == milliseconds


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "2018-05-21T00:00" + "x" * 10_000, "2018-05-21T00:00:00\n" + "x" * 10_000]
)
def test_a_text_that_is_no_time_is_quoted_in_short_and_on_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="ISO 8601") as refused:
        parse_time(text)
    assert len(str(refused.value)) < 150
    assert str(refused.value).isprintable()
