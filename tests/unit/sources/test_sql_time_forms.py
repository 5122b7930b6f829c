"""The forms of times: what each reads, which a column has, and what is named instead of guessed."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_history.model.timestamp import format_time
from job_history.sources.sql.time_forms import AMBIGUOUS, FORMS, ISO, column_form, described_time, is_readable

TEXT = "2026-03-09T14:00:01Z"

WRITTEN = {
    "ISO 8601": ["2026-03-09T14:00:01Z", "2026-03-09 14:00:01", "2026-03-09T14:00:01+00:00", "2026-03-09T07:00:01-07:00",  # noqa: E501
                 "2026-03-09T14:00:01.000Z", " 2026-03-09 14:00:01", "2026-03-09T14:00:01Z\r", "\t2026-03-09T14:00:01Z\r\n"],  # noqa: E501
    "date, time and zone (Ruby, Go)": [
        "2026-03-09 14:00:01 UTC", "2026-03-09 14:00:01 +0000", "2026-03-09 15:00:01 +0100", "2026-03-09 14:00:01 +0000 UTC",  # noqa: E501
        "2026-03-09 07:00:01 -0700 PDT", "2026-03-09 14:00:01.000000000 +0000 UTC m=+0.012345678", "2026-03-09 14:00:01 +0530 +0530",  # noqa: E501
    ],
    "ISO 8601 basic": ["20260309T140001Z", "20260309T140001", "20260309T150001+0100", "20260309T140001.000Z", "20260309140001",  # noqa: E501
                       20260309140001],
    "unix seconds": [1773064801, "1773064801", 1773064801.0, Decimal("1773064801.000"), "1773064801.0"],
    "unix milliseconds": [1773064801000, "1773064801000"],
    "unix microseconds": [1773064801000000, "1773064801000000"],
    "unix nanoseconds": [1773064801000000000, "1773064801000000000"],
    "Julian day": [2461109.0833449075, "2461109.0833449075"],
    "English date (RFC 2822, Java, JavaScript)": [
        "Mon, 09 Mar 2026 14:00:01 GMT", "9 Mar 2026 15:00:01 +0100", "Mon Mar 09 14:00:01 UTC 2026",
        "Mon Mar 09 2026 14:00:01 GMT+0000 (Coordinated Universal Time)",
    ],
    "month/day/year": ["03/09/2026 14:00:01", "3/9/2026 2:00:01 PM", "03/09/2026, 2:00:01 pm"],
    "day/month/year": ["09/03/2026 14:00:01", "9/3/2026 14:00:01"],
}  # fmt: skip
CASES = [(name, value) for name, values in WRITTEN.items() for value in values]


@pytest.mark.promise("time-forms")
@pytest.mark.parametrize(("name", "value"), CASES)
def test_each_form_reads_its_values(name: str, value: object) -> None:
    form = FORMS[name]
    if value == "2026-03-09 14:00:01 +0530 +0530":
        assert format_time(form.read(value)) == "2026-03-09T08:30:01Z"
    else:
        assert format_time(form.read(value)) == TEXT


@pytest.mark.parametrize(("name", "value"), CASES)
def test_no_value_means_two_times_except_a_date_with_slashes(name: str, value: object) -> None:
    read = {form.read(value) for form in FORMS.values() if is_readable(value, form)}
    assert len(read) == (2 if "/" in name else 1)


@pytest.mark.parametrize("name", [name for name in WRITTEN if "/" not in name])
def test_a_column_has_the_form_of_most_values(name: str) -> None:
    others = [values[0] for other, values in WRITTEN.items() if other != name and "/" not in other]
    assert column_form([*others, *[WRITTEN[name][0]] * 2]).name == name


US, EUROPE, EITHER = "03/25/2026 14:00:00", "25/03/2026 14:00:00", "03/09/2026 14:00:00"


@pytest.mark.parametrize(
    ("sample", "name"),
    [
        ([EITHER, US], "month/day/year"),
        ([EITHER, EUROPE], "day/month/year"),
        ([EITHER], AMBIGUOUS.name),
        ([US, EUROPE], AMBIGUOUS.name),
        ([], ISO.name),
        (["no time", "", None], ISO.name),
    ],
)
def test_dates_with_slashes_need_a_value_that_shows_their_order(sample: list[str], name: str) -> None:
    assert column_form(sample).name == name


@pytest.mark.parametrize(
    ("value", "form", "described"),
    [
        (None, ISO, "missing"),
        ("", ISO, "empty text"),
        (" \r", ISO, "empty text"),
        ("secret 42", ISO, "text like 'aaaaaa 99'"),
        ("2026-03-09", ISO, "text like '9999-99-99'"),
        ("2026-02-31T00:00:00Z", ISO, "text like '9999-99-99a99:99:99a'"),
        ("2026-03-09 14:00:00 PST", ISO, "text like '9999-99-99 99:99:99 aaa'"),
        (1773064801, ISO, "unix seconds, in a column of ISO 8601"),
        (TEXT, FORMS["unix seconds"], "ISO 8601, in a column of unix seconds"),
        (EITHER, AMBIGUOUS, "date with slashes, day or month first"),
        (46090, ISO, "number of 5 digits"),
        (639086076010000000, ISO, "number of 18 digits"),
        (794757601, ISO, "number of 9 digits"),  # seconds since 2001, as Core Data writes 2026-03-09
        ("202603091400", ISO, "number of 12 digits"),
        ("2026-03-09 14:00:00 UTC -0500", ISO, "text like '9999-99-99 99:99:99 aaa -9999'"),
        ("2026-03-09 14:00:00 +0300 -05", ISO, "text like '9999-99-99 99:99:99 +9999 -99'"),
        (b"2026", ISO, "4 bytes"),
    ],
)
def test_a_time_that_cannot_be_read_is_described_and_not_quoted(value: object, form: object, described: str) -> None:
    assert described_time(value, form) == described  # type: ignore[arg-type]


@given(
    moment=st.datetimes(datetime(2001, 9, 10), datetime(2286, 11, 20)),  # noqa: DTZ001 - of UTC
    offset=st.integers(-23 * 60, 23 * 60),
)
def test_a_moment_is_read_as_it_was_written(moment: datetime, offset: int) -> None:
    moment = moment.replace(tzinfo=UTC)
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset)
    zone = f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
    local = moment + timedelta(minutes=offset)
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    for name, value in {
        "ISO 8601": f"{local:%Y-%m-%dT%H:%M:%S.%f}{zone}",
        "date, time and zone (Ruby, Go)": f"{local:%Y-%m-%d %H:%M:%S.%f} {zone}",
        "ISO 8601 basic": f"{local:%Y%m%dT%H%M%S.%f}{zone}",
        "unix microseconds": microseconds,
        "unix nanoseconds": microseconds * 1_000 + 999,
        "unix seconds": f"{microseconds // 10**6}.{microseconds % 10**6:06d}",
    }.items():
        if name != "unix nanoseconds" or len(str(value)) == 19:
            assert FORMS[name].read(value) == moment


@given(st.one_of(st.text(max_size=40), st.integers(), st.floats(), st.decimals(), st.binary(max_size=9), st.none()))
def test_no_value_breaks_a_form_or_its_description(value: object) -> None:
    form = column_form([value])
    assert is_readable(value, form) or described_time(value, form)


@pytest.mark.promise("time-forms")
def test_the_page_of_the_job_store_lists_each_form_with_examples_that_it_reads() -> None:
    page = (Path(__file__).parents[3] / "docs" / "job-store.md").read_text()
    table = page[page.index("| form | for example |") : page.index("White space around a text")]
    rows = {cells[1].strip(): cells[2] for line in table.splitlines() if len(cells := line.split("|")) == 4}
    examples = [text for cell in rows.values() for text in re.findall(r"`(\d\d[^`]+|Mon[^`]+)`", cell)]

    assert len(examples) >= 9
    assert [text for text in examples if not any(is_readable(text, form) for form in FORMS.values())] == []
    listed = " ".join(rows).lower().replace(" or ", ", ")
    assert [
        name for name in FORMS if name != AMBIGUOUS.name and not set(WORDS[name]) <= set(re.split(r"[ ,]+", listed))
    ] == []


WORDS = {name: re.split(r"[ ,]+", re.sub(r" \(.*\)", "", name.lower())) for name in FORMS}
