"""From a key back to what it was made of."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.samples import DAY, EXAMPLE_KEY

from job_history.documents.object_key import EventKeyParts, JobKeyParts, event_key, job_key, parts_of

NUMBERS = st.integers(0, 10**21 - 1)
# A handle of digits alone is a number.
HANDLES = st.from_regex(r"[A-Za-z0-9-]{1,40}", fullmatch=True).filter(lambda text: not text.isdecimal())
DIGESTS = st.from_regex(r"[0-9a-f]{16}", fullmatch=True) | st.just("1234567890123456")
MOMENTS = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001 - they have a time zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
PREFIXES = st.lists(
    st.sampled_from(["a", "5234", "jobs", "admin_events", "234", "20180521", "a b", "-"]), max_size=6
).map("/".join)
JOBS = st.builds(
    JobKeyParts,
    prefix=PREFIXES,
    user_id=NUMBERS,
    recipe_id=NUMBERS,
    job_id=NUMBERS | HANDLES,
    started_at=MOMENTS,
    status=st.sampled_from(["succeeded", "failed"]),
)
EVENTS = st.builds(
    EventKeyParts,
    prefix=PREFIXES,
    user_id=NUMBERS,
    event_id=NUMBERS | HANDLES | DIGESTS,
    occurred_at=MOMENTS,
    event=st.from_regex(r"[a-z0-9_]{1,20}", fullmatch=True) | st.sampled_from(["succeeded", "failed"]),
)
# Looks like the key of a job on the way to its name, and like one in its name.
IN_DISGUISE = EventKeyParts(
    prefix="1/jobs/2/20180521/x",
    user_id=1,
    event_id="2-a",
    occurred_at=DAY,
    event="succeeded",
)


def key_of(parts: JobKeyParts | EventKeyParts) -> str:
    fields: dict[str, Any] = msgspec.structs.asdict(parts)
    return job_key(**fields) if isinstance(parts, JobKeyParts) else event_key(**fields)


@pytest.mark.promise("key-parts")
@given(JOBS | EVENTS)
@example(IN_DISGUISE)
def test_parts_of_a_key_are_what_it_was_made_of(parts: JobKeyParts | EventKeyParts) -> None:
    assert parts_of(key_of(parts)) == parts


def test_the_example_of_the_feature_page() -> None:
    assert parts_of(EXAMPLE_KEY) == JobKeyParts(
        prefix="", user_id=5234, recipe_id=234, job_id=100, started_at=DAY, status="succeeded"
    )


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        (".json", ".txt"),
        ("5234-234-100", "5235-234-100"),
        ("000/100/", "000/101/"),
        ("/20180521/", "/20180522/"),
        ("20180521000000", "20180532000000"),
        ("5234-234-100", "5234-234-0100"),
        ("succeeded", "completed"),
        ("5234/jobs", "5234/admin_events"),
        (EXAMPLE_KEY, ""),
    ],
)
def test_text_that_is_no_key_is_refused(was: str, is_: str) -> None:
    key = EXAMPLE_KEY.replace(was, is_)

    with pytest.raises(ValueError, match="is not the key of a document") as fault:
        parts_of(key)

    assert repr(key) in str(fault.value)
