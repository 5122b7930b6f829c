"""From a key back to what it was made of."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import DAY, EXAMPLE_KEY

from job_history.key_parts import JobKeyParts, parts_of
from job_history.object_key import job_key

NUMBERS = st.integers(0, 10**21 - 1)
# A handle of digits alone is a number.
HANDLES = st.from_regex(r"[A-Za-z0-9-]{1,40}", fullmatch=True).filter(lambda text: not text.isdecimal())
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - as asked for
PREFIXES = st.lists(st.sampled_from(["a", "5234", "jobs", "234", "20180521", "a b", "-"]), max_size=6).map("/".join)


@given(
    st.builds(
        JobKeyParts,
        prefix=PREFIXES,
        user_id=NUMBERS,
        recipe_id=NUMBERS,
        job_id=NUMBERS | HANDLES,
        started_at=MOMENTS.map(lambda moment: moment.replace(microsecond=0)),
        status=st.sampled_from(["succeeded", "failed"]),
    )
)
def test_a_key_tells_what_it_was_made_of(parts: JobKeyParts) -> None:
    assert parts_of(job_key(**msgspec.structs.asdict(parts))) == parts


def test_the_example_of_the_feature_page() -> None:
    assert parts_of(EXAMPLE_KEY) == JobKeyParts(
        prefix="", user_id=5234, recipe_id=234, job_id=100, started_at=DAY, status="succeeded"
    )


@pytest.mark.parametrize(
    ("was", "is_", "said"),
    [
        (".json", ".txt", "does not end as"),
        ("5234-234-100", "5235-234-100", "does not end as"),
        ("000/100/", "000/101/", "what its name tells makes"),
        ("/20180521/", "/20180522/", "what its name tells makes"),
        ("20180521000000", "20180532000000", "no moment"),
        ("5234-234-100", "5234-234-0100", "what its name tells makes"),
        ("succeeded", "completed", "does not end as"),
        ("5234/jobs", "5234/admin_events", "does not end as"),
    ],
)
def test_what_is_no_key_is_said_to_be_none(was: str, is_: str, said: str) -> None:
    key = EXAMPLE_KEY.replace(was, is_)

    with pytest.raises(ValueError, match=said) as fault:
        parts_of(key)

    assert repr(key) in str(fault.value)
