"""Ids and keys: nothing from a source can add to a path, and different jobs never share a key."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import EXAMPLE_KEY

from job_history.documents.object_key import formatted_id, job_key
from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.ids import Id, job_id_of, linked_id_of, number_id_of
from job_history.model.job import FinalStatus, final_status

numbers = st.integers(0, 10**21 - 1) | st.integers(0, 2_000)
handles = st.from_regex(r"[A-Za-z0-9-]{1,40}", fullmatch=True).filter(lambda text: not text.isdigit())
moments = st.datetimes(
    datetime(1900, 1, 2),  # noqa: DTZ001 - they have a time zone
    datetime(2999, 12, 30),  # noqa: DTZ001
    timezones=st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)
statuses = st.sampled_from(["succeeded", "failed"])
Job = tuple[int, int, Id, datetime, FinalStatus]
# Small ranges as well, so that jobs which differ in little come up.
jobs: st.SearchStrategy[Job] = st.tuples(
    st.integers(1, 30) | numbers.filter(bool),
    st.integers(0, 30) | numbers,
    st.integers(0, 30) | numbers | handles | st.sampled_from(["1-1", "1", "a", "1-a", "a-1"]).map(job_id_of),
    moments | st.integers(0, 90).map(lambda seconds: datetime(2018, 5, 21, tzinfo=UTC) + timedelta(seconds=seconds)),
    statuses,
)


def key_of(job: Job, prefix: str = "") -> str:
    user_id, recipe_id, job_id, started_at, status = job
    return job_key(
        prefix=prefix, user_id=user_id, recipe_id=recipe_id, job_id=job_id, started_at=started_at, status=status
    )


@pytest.mark.promise("job-key")
def test_the_example_of_the_feature_page() -> None:
    job: Job = (5234, 234, 100, datetime(2018, 5, 21, tzinfo=UTC), "succeeded")
    assert key_of(job) == EXAMPLE_KEY
    assert key_of(job, "a/b") == f"a/b/{EXAMPLE_KEY}"


@pytest.mark.promise("one-key-per-job")
@given(jobs)
def test_a_key_is_made_of_its_job_and_nothing_else(job: Job) -> None:
    user_id, recipe_id, job_id, started_at, status = job
    started = started_at.astimezone(UTC)
    key = key_of(job)
    *folders, name = key.split("/")
    id_folders = [job_id] if isinstance(job_id, str) else re.findall("...", str(job_id).rjust(21, "0"))
    assert folders == [str(user_id), "jobs", str(recipe_id), started.strftime("%Y%m%d"), *id_folders]
    assert name == f"{user_id}-{recipe_id}-{job_id}-{started.strftime('%Y%m%d%H%M%S')}-{status}.json"
    # S3's limit is 1,024 bytes; that of a file name, where a bucket is copied to disk, 255.
    assert (re.fullmatch(r"[A-Za-z0-9/.-]+", key) is not None, len(key) < 400, len(name) < 255) == (True, True, True)


@pytest.mark.promise("one-key-per-job")
@given(jobs, jobs)
def test_two_jobs_have_one_key_only_if_they_are_the_same_job(one: Job, other: Job) -> None:
    def identity(job: Job) -> Job:
        return (*job[:3], job[3].astimezone(UTC).replace(microsecond=0), job[4])

    assert (key_of(one) == key_of(other)) == (identity(one) == identity(other))


@given(jobs, st.from_regex(r"[A-Za-z0-9_.=-]{1,9}(/[A-Za-z0-9_=-]{1,9}){0,3}", fullmatch=True))
def test_a_prefix_stands_in_front_and_changes_nothing_else(job: Job, prefix: str) -> None:
    assert key_of(job, prefix) == f"{prefix}/{key_of(job)}"


@given(jobs, st.integers(-14, 14))
def test_the_time_zone_in_which_a_start_is_given_changes_nothing(job: Job, hours: int) -> None:
    elsewhere = job[3].astimezone(timezone(timedelta(hours=hours)))
    assert key_of((*job[:3], elsewhere, job[4])) == key_of(job)


@pytest.mark.parametrize(
    ("job_id", "path"),
    [
        (0, "000/000/000/000/000/000/000"),
        (100, "000/000/000/000/000/000/100"),
        (1_234_567, "000/000/000/000/001/234/567"),
        (10**21 - 1, "999/999/999/999/999/999/999"),
        ("j-KGAKfhsz-GYoLeD", "j-KGAKfhsz-GYoLeD"),
    ],
)
def test_an_id_as_part_of_a_path(job_id: Id, path: str) -> None:
    assert formatted_id(job_id) == path


@pytest.mark.promise("job-ids")
@given(numbers)
def test_an_id_of_digits_is_a_number_however_the_source_stores_it(number: int) -> None:
    assert [job_id_of(number), job_id_of(str(number)), job_id_of(str(number).zfill(21))] == [number] * 3
    assert [number_id_of("recipe_id", number), number_id_of("recipe_id", str(number))] == [number] * 2
    assert [linked_id_of(number), linked_id_of(str(number))] == [number] * 2


@pytest.mark.promise("job-ids")
@given(handles)
def test_a_handle_stays_as_it_is(handle: str) -> None:
    assert (job_id_of(handle), linked_id_of(handle)) == (handle, handle)


@pytest.mark.promise("key-safety")
@given(st.text() | st.from_regex(r"[A-Za-z0-9./\\-]+"))
def test_whatever_text_a_source_has_as_an_id_a_key_stays_in_its_folder(text: str) -> None:
    try:
        job_id = job_id_of(text)
    except BadRecordError as fault:
        assert fault.reason is QuarantineReason.BAD_ID
        assert not re.fullmatch(r"[A-Za-z0-9-]{1,200}", text) or (text.isdigit() and len(text) > 21)
        return
    key = key_of((5234, 234, job_id, datetime(2018, 5, 21, tzinfo=UTC), "failed"))
    assert re.fullmatch(r"5234/jobs/234/20180521/(\d{3}(/\d{3}){6}|[A-Za-z0-9-]+)/[A-Za-z0-9-]+\.json", key)


LONG = "1234567890" * 6


@pytest.mark.parametrize(
    "job_id",
    [
        None,
        -1,
        10**21,
        f"{LONG}1",
        "",
        "../1",
        "a/b",
        "1\n",
        "١٢",
        "h" * 201,
    ],
)
def test_a_job_id_that_may_not_enter_a_key(job_id: Id | None, check_message: CheckMessage) -> None:
    with pytest.raises(BadRecordError) as refused:
        job_id_of(job_id)
    assert refused.value.reason is QuarantineReason.BAD_ID
    check_message(refused.value.explanation)
    assert str(refused.value) == f"bad_id: {refused.value.explanation}"


@pytest.mark.parametrize(
    "recipe_id",
    [
        None,
        "j-handle",
        "-1",
        "2/../3",
        "1" * 22,
    ],
)
def test_a_recipe_id_is_a_number(recipe_id: Id | None, check_message: CheckMessage) -> None:
    with pytest.raises(BadRecordError) as refused:
        number_id_of("recipe_id", recipe_id)
    assert refused.value.reason is QuarantineReason.BAD_ID
    check_message(refused.value.explanation)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("completed", "succeeded"),
        ("succeeded", "succeeded"),
        ("failed", "failed"),
        ("aborted", None),
        ("cancelled", None),
        ("pending", None),
        ("running", None),
        ("Completed", None),
        ("", None),
        (None, None),
    ],
)
def test_the_statuses_that_give_a_file(status: str | None, name: str | None) -> None:
    assert final_status(status) == name
