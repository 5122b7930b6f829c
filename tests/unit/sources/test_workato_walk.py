"""No finished job is lost and none is read twice, whatever the platform does while it is being read.

The local API is set, example by example, to what the platform's documents leave open: what the list is ordered by, what
`last_run_at` means, what the counters count.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from job_history.errors import TransientError
from job_history.http.session import http_session
from job_history.model.job import JobRecord
from job_history.model.window import Window
from job_history.sources.workato import Endpoint, Unlimited, WorkatoClient, WorkatoSource
from simulators.job_store import SampleJob, plain_job
from simulators.workato import Delay, LocalWorkato, SampleRecipe, Workspace, local_workato

USER_ID = 5234
NOON = datetime(2018, 5, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTLE = timedelta(minutes=10)
MAX_JOB = timedelta(hours=2)
WINDOWS = [Window(NOON + number * HOUR, NOON + (number + 1) * HOUR) for number in range(3)]


class Planned(NamedTuple):
    """One job of an example; seconds count from noon. `seconds` None: it does not end in the time that is looked at."""

    recipe_id: int
    start: int
    seconds: int | None
    status: str
    listed_late: int
    ended_late: int


# Full hours and what is just beside them, crowds in one second, and anything.
starts = st.one_of(
    st.integers(-5, 2).map(lambda hour: hour * 3_600),
    st.integers(-5, 2).map(lambda hour: hour * 3_600 - 1),
    st.sampled_from([-7_200, -1, 0, 5, 3_599, 3_600, 3_601]),
    st.integers(-5 * 3_600, 3 * 3_600 - 1),
)
durations = st.one_of(st.sampled_from([0, 1, 5, 3_599, 3_600, 3_601, 7_199, 7_200, None]), st.integers(0, 7_200))
planned_jobs = st.builds(
    Planned,
    recipe_id=st.sampled_from([1, 2]),
    start=starts,
    seconds=durations,
    status=st.sampled_from(["completed", "succeeded", "failed", "aborted"]),
    listed_late=st.sampled_from([0, 0, 0, 300]),
    ended_late=st.sampled_from([0, 0, 0, 590]),
)


def crowd(recipe_id: int, start: int, count: int, step: int) -> list[Planned]:
    """Short jobs one after another: the newer pages that come before a long job."""
    return [Planned(recipe_id, start + number * step, 1, "completed", 0, 0) for number in range(count)]


crowds = st.builds(
    crowd,
    recipe_id=st.sampled_from([1, 2]),
    start=st.sampled_from([-7_000, -3_600, -600, 3_000, 3_599, 6_000]),
    count=st.integers(2, 8),
    step=st.sampled_from([0, 1, 60]),
)
histories = st.builds(
    lambda alone, crowded: [*alone, *(job for jobs in crowded for job in jobs)],
    st.lists(planned_jobs, max_size=10),
    st.lists(crowds, max_size=2),
)
ordinary = {
    "jobs_page_size": 2,
    "listing_order": "started",
    "last_run_at": "started",
    "counters": "lifetime",
    "advance_per_request": 0.0,
    "integer_ids": False,
}
after_a_crowd = [Planned(1, -7_000, 7_100, "completed", 0, 0), *crowd(1, -600, 6, 60)]
before_the_stopped_one = [Planned(1, -1, 1, "aborted", 0, 0), *crowd(1, 0, 2, 0)]
# The last job is met first while it is open, and again after the one of two hours, once it has ended.
ends_while_it_is_read = [
    *(Planned(1, 0, 0, "completed", 0, 0) for _ in range(8)),
    Planned(2, 0, 0, "completed", 0, 0),
    Planned(2, 0, 7_199, "completed", 0, 0),
    Planned(2, 3_600, 146, "completed", 0, 590),
]
behaviours = st.fixed_dictionaries(
    {
        "jobs_page_size": st.sampled_from([1, 2, 3, 25]),
        "listing_order": st.sampled_from(["started", "completed"]),
        "last_run_at": st.sampled_from(["started", "completed"]),
        "counters": st.sampled_from(["lifetime", "retained"]),
        "advance_per_request": st.sampled_from([0.0, 1.0, 45.0, 600.0]),
        "integer_ids": st.booleans(),
    }
)


def moment(seconds: int) -> str:
    return (NOON + timedelta(seconds=seconds)).isoformat()


def rows(plan: list[Planned]) -> list[SampleJob]:
    """Jobs with ids in the order of their start, as the platform numbers them."""
    return [
        plain_job(USER_ID, NOON, 100 + number)._replace(
            recipe_id=job.recipe_id,
            status="pending" if job.seconds is None else job.status,
            started_at=moment(job.start),
            completed_at=None if job.seconds is None else moment(job.start + job.seconds),
        )
        for number, job in enumerate(sorted(plan, key=lambda job: job.start))
    ]


def delays(plan: list[Planned]) -> dict[int | str, Delay]:
    return {
        100 + number: Delay(listed=job.listed_late, finished=job.ended_late)
        for number, job in enumerate(sorted(plan, key=lambda job: job.start))
    }


def source_of(api: LocalWorkato, token: str, **options: Any) -> WorkatoSource:
    client = WorkatoClient(Endpoint(api.url, token), http_session(), Unlimited(), sleep=lambda _: None)

    def now() -> float:
        return api.now.timestamp()

    return WorkatoSource(client, clock=now, **{"longest_job": MAX_JOB, **options})


def read(source: WorkatoSource, window: Window) -> list[JobRecord]:
    with source.listing(USER_ID, window, line_details=False) as listing:
        records = list(listing)
    assert listing.counted == len(records)
    return records


def ids(records: list[JobRecord]) -> list[int]:
    return sorted(int(record.job_id or 0) for record in records)


def ended_in(jobs: list[SampleJob], window: Window) -> list[int]:
    return sorted(
        int(job.job_id) for job in jobs if job.completed_at and datetime.fromisoformat(job.completed_at) in window
    )


@pytest.mark.promise("api-jobs-once")
@settings(max_examples=80)
@given(plan=histories, behaviour=behaviours)
@example(plan=after_a_crowd, behaviour=ordinary)
@example(plan=before_the_stopped_one, behaviour={**ordinary, "jobs_page_size": 1})
@example(
    plan=ends_while_it_is_read,
    behaviour={**ordinary, "jobs_page_size": 1, "listing_order": "completed", "advance_per_request": 45.0},
)
def test_every_finished_job_is_in_just_one_window(plan: list[Planned], behaviour: dict[str, Any]) -> None:
    jobs = rows(plan)
    workspace = Workspace(user_id=USER_ID, jobs=jobs, delays=delays(plan), recipes=[SampleRecipe(recipe_id=3)])
    with local_workato(workspaces=[workspace], direct_limit=None, **behaviour) as api:
        found = []
        for window in WINDOWS:
            api.now = window.end + SETTLE
            source = source_of(api, workspace.token)
            assert source.has_news(USER_ID, window) >= bool(ended_in(jobs, window))
            api.now = window.end + SETTLE
            counted = source.count(USER_ID, window)
            api.now = window.end + SETTLE
            found.append(ids(read(source, window)))
            assert counted == len(found[-1])

    assert found == [ended_in(jobs, window) for window in WINDOWS]


@settings(max_examples=15)
@given(plan=histories, behaviour=behaviours)
def test_windows_read_again_later_and_in_any_order_have_the_same_jobs(
    plan: list[Planned], behaviour: dict[str, Any]
) -> None:
    jobs = rows(plan)
    workspace = Workspace(user_id=USER_ID, jobs=jobs)
    with local_workato(workspaces=[workspace], now=NOON + 30 * HOUR, direct_limit=None, **behaviour) as api:
        found = [ids(read(source_of(api, workspace.token), window)) for window in reversed(WINDOWS)]

    assert found == [ended_in(jobs, window) for window in reversed(WINDOWS)]


def busy_recipe(number: int, *, first_id: int = 1) -> list[SampleJob]:
    """Short jobs, one a minute, back from the end of the first window."""
    return [
        plain_job(USER_ID, NOON, first_id + back)._replace(
            recipe_id=1,
            started_at=moment(3_600 - 60 * (back + 1)),
            completed_at=moment(3_600 - 60 * (back + 1) + 5),
        )
        for back in reversed(range(number))
    ]


def test_a_busy_recipe_is_read_as_far_back_as_the_longest_job_and_no_further() -> None:
    workspace = Workspace(user_id=USER_ID, jobs=busy_recipe(1_000))
    with local_workato(workspaces=[workspace], now=NOON + HOUR + SETTLE, direct_limit=None) as api:
        records = read(source_of(api, workspace.token), WINDOWS[0])
        job_requests = [request for request in api.requests() if "/jobs" in request.path]

    assert ids(records) == list(range(1, 61))
    # An hour of the window and two of the longest job are 180 jobs. The ninth page is the first that is all after them;
    # so it is in the second listing, whose first page is cut in half.
    assert len(job_requests) == 9 + 9


def test_a_job_that_takes_longer_than_the_longest_is_beyond_what_the_api_lets_one_find() -> None:
    long_one = plain_job(USER_ID, NOON, 9_999)._replace(
        recipe_id=1, started_at=moment(-12 * 3_600), completed_at=moment(60)
    )
    workspace = Workspace(user_id=USER_ID, jobs=[long_one, *busy_recipe(1_000)])
    with local_workato(workspaces=[workspace], now=NOON + HOUR + SETTLE, direct_limit=None) as api:
        missed = read(source_of(api, workspace.token), WINDOWS[0])
        found = read(source_of(api, workspace.token, longest_job=13 * HOUR), WINDOWS[0])

    assert (9_999 in ids(missed), 9_999 in ids(found)) == (False, True)


def test_in_a_list_that_is_ordered_by_the_end_the_longest_jobs_are_found_too() -> None:
    """A job of twelve hours that ended in the window comes first, and does not show that the window is over."""
    long_one = plain_job(USER_ID, NOON, 1)._replace(recipe_id=1, started_at=moment(-39_600), completed_at=moment(3_599))
    workspace = Workspace(user_id=USER_ID, jobs=[long_one, *busy_recipe(3, first_id=2)])
    with local_workato(
        workspaces=[workspace], now=NOON + HOUR + SETTLE, jobs_page_size=1, listing_order="completed"
    ) as api:
        records = read(source_of(api, workspace.token), WINDOWS[0])

    assert ids(records) == [1, 2, 3, 4]


def test_a_job_that_shows_up_between_two_listings_fails_the_reading_and_the_next_one_has_it() -> None:
    late = plain_job(USER_ID, NOON, 5_000)._replace(recipe_id=1, started_at=moment(1_000), completed_at=moment(1_001))
    jobs = [*busy_recipe(300), late]
    workspace = Workspace(user_id=USER_ID, jobs=jobs, delays={5_000: Delay(listed=3_600 + 600 - 1_000 + 10)})
    with local_workato(
        workspaces=[workspace], now=NOON + HOUR + SETTLE, advance_per_request=1.0, direct_limit=None
    ) as api:
        source = source_of(api, workspace.token)
        with pytest.raises(TransientError) as raised:
            read(source, WINDOWS[0])
        again = read(source, WINDOWS[0])

    assert "(recipe 1: 60 listed, 61 by a second listing)" in str(raised.value)
    assert ids(again) == [*range(1, 61), 5_000]


def test_the_second_listing_is_cut_at_other_places_than_the_first() -> None:
    workspace = Workspace(user_id=USER_ID, jobs=busy_recipe(300))
    with local_workato(workspaces=[workspace], now=NOON + HOUR + SETTLE, direct_limit=None) as api:
        read(source_of(api, workspace.token), WINDOWS[0])
        offsets = [request.path.partition("offset_job_id=")[2] for request in api.requests() if "/jobs" in request.path]

    first, second = offsets[:9], offsets[9:]
    assert first == ["", *(str(25 * page) for page in range(1, 9))]
    assert second == ["", *(str(25 * page + 12) for page in range(8))]


def test_recipes_made_and_deleted_meanwhile_shift_no_other_recipe_out_of_sight() -> None:
    """With 100 recipes a page: one of the first page is deleted, and one is made, before the second page is asked
    for.
    """
    after_the_first_request = NOON + HOUR + SETTLE + timedelta(seconds=1)
    special = [
        SampleRecipe(recipe_id=150, deleted_at=after_the_first_request),
        SampleRecipe(recipe_id=300, created_at=after_the_first_request),
    ]
    jobs = [plain_job(USER_ID, NOON, number)._replace(recipe_id=number) for number in range(1, 181) if number != 150]
    workspace = Workspace(user_id=USER_ID, jobs=jobs, recipes=special)
    with local_workato(
        workspaces=[workspace], now=NOON + HOUR + SETTLE, advance_per_request=2.0, direct_limit=None
    ) as api:
        found = Counter(ids(read(source_of(api, workspace.token), WINDOWS[0])))

    assert found == Counter(int(job.job_id) for job in jobs)
