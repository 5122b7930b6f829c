"""Jobs that are open for longer than the walk goes back are watched, and found in the window of their end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from job_history.errors import PermanentError, TransientError
from job_history.http.session import http_session
from job_history.model.window import Window
from job_history.sources.workato import Endpoint, Unlimited, WorkatoClient, WorkatoSource
from job_history.sources.workato.open_jobs import KEPT, MAX_WATCHED, OpenJobs
from job_history.sources.workato.walk import Walk
from job_history.storage import Storage, local_storage
from simulators.job_store import SampleJob, plain_job
from simulators.workato import Fault, LocalWorkato, SampleRecipe, Workspace, local_workato

USER_ID = 5234
NOON = datetime(2018, 5, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTLE = timedelta(minutes=10)
MAX_JOB = timedelta(hours=4)
LONG = "999999"


def window_of(hour: int) -> Window:
    return Window(NOON + hour * HOUR, NOON + (hour + 1) * HOUR)


def job(number: int, start: timedelta, length: timedelta = timedelta(seconds=5)) -> SampleJob:
    began = NOON + start
    return plain_job(USER_ID, NOON, number)._replace(
        recipe_id=1, started_at=began.isoformat(), completed_at=(began + length).isoformat()
    )


def busy(first_hour: int, last_hour: int) -> list[SampleJob]:
    """A short job each minute: more than a page in each hour."""
    return [job(minute + 10_000, timedelta(minutes=minute)) for minute in range(first_hour * 60, last_hour * 60)]


def source_of(api: LocalWorkato, token: str, staging: Storage | None) -> WorkatoSource:
    client = WorkatoClient(Endpoint(api.url, token), http_session(), Unlimited(), sleep=lambda _: None)
    return WorkatoSource(client, staging=staging, longest_job=MAX_JOB, clock=api.now.timestamp)


def read(api: LocalWorkato, token: str, staging: Storage | None, hour: int) -> list[str]:
    """Read a window as an hourly run does: the plan first, then the listing if there can be anything."""
    window = window_of(hour)
    api.now = window.end + SETTLE
    source = source_of(api, token, staging)
    if not source.has_news(USER_ID, window):
        return []
    with source.listing(USER_ID, window, line_details=False) as listing:
        records = list(listing)
    assert listing.counted == len(records)
    return [str(record.job_id) for record in records]


@dataclass(frozen=True)
class BusyRecipe:
    """A short job each minute, and a long one that was open before the first window and ends in window 3."""

    api: LocalWorkato
    token: str
    staging: Storage

    def read(self, hour: int) -> list[str]:
        return read(self.api, self.token, self.staging, hour)

    def read_until_the_long_job_ends(self) -> None:
        for hour in range(3):
            self.read(hour)


@pytest.fixture
def recipe(tmp_path: Path) -> Iterator[BusyRecipe]:
    jobs = [job(int(LONG), timedelta(hours=-40), timedelta(hours=43, minutes=30)), *busy(-6, 6)]
    workspace = Workspace(user_id=USER_ID, jobs=jobs)
    with local_workato(workspaces=[workspace], now=NOON, direct_limit=None) as api:
        yield BusyRecipe(api, workspace.token, local_storage(tmp_path))


def windows_with(found: dict[int, list[str]], job_id: str) -> list[int]:
    return [hour for hour, ids in found.items() for each in ids if each == job_id]


@pytest.mark.promise("api-jobs-once")
@pytest.mark.parametrize("length", [3, 5, 11, 30])
@pytest.mark.parametrize("order", ["started", "completed"])
@pytest.mark.parametrize("is_busy", [True, False], ids=["busy", "idle"])
def test_a_job_of_any_length_is_in_the_window_of_its_end(
    length: int, order: str, is_busy: bool, tmp_path: Path
) -> None:
    crowd = busy(-6, length + 2) if is_busy and length < 30 else []
    long_job = job(int(LONG), timedelta(minutes=30), timedelta(hours=length))
    workspace = Workspace(user_id=USER_ID, jobs=[long_job, *crowd])
    staging = local_storage(tmp_path)
    with local_workato(workspaces=[workspace], now=NOON, direct_limit=None, listing_order=order) as api:
        found = {hour: read(api, workspace.token, staging, hour) for hour in range(length + 3)}

    assert windows_with(found, LONG) == [length]


def test_a_job_that_was_open_before_the_first_window_is_found_in_a_busy_recipe(recipe: BusyRecipe) -> None:
    """No walk reaches it; the recipe's open jobs are asked for once in each hour of this setting."""
    found = {hour: recipe.read(hour) for hour in range(5)}

    assert windows_with(found, LONG) == [3]


def test_a_window_that_is_read_again_has_the_watched_job_again(recipe: BusyRecipe) -> None:
    first = [recipe.read(hour) for hour in range(5)]
    again = recipe.read(3)
    counted = source_of(recipe.api, recipe.token, recipe.staging).count(USER_ID, window_of(3))

    assert sorted(again) == sorted(first[3])
    assert LONG in again
    assert counted == len(again) == 61


@pytest.mark.promise("api-contradictions")
@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=404, path="/jobs/"),  # the role may list jobs and not get them
        Fault(body='{"id": "7", "status": "succeeded", "completed_at": "2018-05-21T12:00:00Z"}', path="/jobs/"),
        Fault(body="{}", path="/jobs/"),
    ],
    ids=["not found", "another job", "nothing"],
)
def test_a_watched_job_whose_end_cannot_be_read_fails_the_window(fault: Fault, recipe: BusyRecipe) -> None:
    recipe.read_until_the_long_job_ends()
    recipe.api.script([fault] * 3)
    with pytest.raises(TransientError, match=f"no longer lists job {LONG} of recipe 1 as open"):
        recipe.read(3)
    recipe.api.script([])

    assert LONG in recipe.read(3)


@pytest.mark.promise("unplaceable-records")
@pytest.mark.parametrize("end", [None, "2018-05-21 15:30:00 UTC"])
def test_a_watched_job_whose_end_is_no_time_is_unplaceable(end: str | None, recipe: BusyRecipe) -> None:
    answer = {"id": LONG, "status": "succeeded", "started_at": "2018-05-19T20:00:00Z", "completed_at": end}
    recipe.read_until_the_long_job_ends()
    recipe.api.now = window_of(3).end + SETTLE
    recipe.api.script([Fault(body=json.dumps(answer), path="/jobs/")])
    source = source_of(recipe.api, recipe.token, recipe.staging)
    with source.listing(USER_ID, window_of(3), line_details=False) as listing:
        assert len(list(listing)) == 60

    assert listing.unplaceable is not None
    assert (listing.unplaceable.count, listing.unplaceable.example_id) == (1, LONG)


def test_a_watched_job_that_is_not_found_is_gone_if_another_is_found(recipe: BusyRecipe) -> None:
    recipe.read_until_the_long_job_ends()
    recipe.api.script([Fault(status=404, path=f"/jobs/{LONG}")] * 2)

    assert len(recipe.read(3)) == 60


def test_without_a_staging_area_nothing_is_watched() -> None:
    jobs = [job(int(LONG), timedelta(hours=-40), timedelta(hours=40, minutes=30)), *busy(-6, 2)]
    workspace = Workspace(user_id=USER_ID, jobs=jobs)
    with local_workato(workspaces=[workspace], now=NOON, direct_limit=None) as api:
        assert LONG not in read(api, workspace.token, None, 0)
        assert not any("status=pending" in request.path for request in api.requests())


@pytest.mark.promise("api-requests")
@pytest.mark.parametrize("step", [1, 29, 30])
def test_300_recipes_of_which_10_have_jobs_cost_at_most_74_requests_an_hour(step: int, tmp_path: Path) -> None:
    """Counted at the server: plan and listing of each of 24 hours, with one job an hour in each of the ten."""
    jobs = [
        job(10_000 * recipe + hour + 200, timedelta(hours=hour, minutes=recipe))._replace(
            recipe_id=1_000 + step * recipe
        )
        for recipe in range(10)
        for hour in range(-72, 25)
    ]
    recipes = [SampleRecipe(recipe_id=1_000 + number) for number in range(300)]
    workspace = Workspace(user_id=USER_ID, jobs=jobs, recipes=recipes)
    staging = local_storage(tmp_path)
    cost = []
    with local_workato(workspaces=[workspace], now=NOON, direct_limit=None) as api:
        for hour in range(24):
            api.reset()
            window = window_of(hour)
            api.now = window.end + SETTLE
            client = WorkatoClient(Endpoint(api.url, workspace.token), http_session(), Unlimited())
            source = WorkatoSource(client, staging=staging, clock=api.now.timestamp)
            assert source.has_news(USER_ID, window)
            with source.listing(USER_ID, window, line_details=False) as listing:
                assert len(list(listing)) == 10
            cost.append(len(api.requests()))

    assert max(cost) <= 74, cost


# The notes


class Counted:
    """A client that answers each request with nothing, and counts them."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> None:
        self.paths: list[str] = []
        self._answer = answer

    def get(self, path: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
        import msgspec

        self.paths.append(path)
        return {
            name: msgspec.Raw(json.dumps(value).encode())
            for name, value in self._answer(path, parameters or {}).items()
        }


def test_more_open_jobs_than_can_be_watched_are_logged_and_bounded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = local_storage(tmp_path)
    client: Any = Counted(lambda _, __: {"items": []})
    book = OpenJobs(client, storage, USER_ID, MAX_JOB, (NOON + 30 * HOUR).timestamp)
    walk = Walk(client, 1, window_of(29), MAX_JOB)
    walk.open = {f"j-{number}": NOON for number in range(MAX_WATCHED + 5)}
    walk.is_whole = True

    assert list(book.ended_in(window_of(29), walk)) == []
    assert len(list(storage.paths("open-jobs"))) == MAX_WATCHED
    assert any("more open jobs than can be watched" in message for message in caplog.messages)


def test_notes_are_deleted_when_no_window_can_need_them(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    client: Any = Counted(lambda _, __: {"items": []})
    walk = Walk(client, 1, window_of(29), MAX_JOB)
    walk.open, walk.is_whole = {"j-1": NOON}, True
    assert (
        list(OpenJobs(client, storage, USER_ID, MAX_JOB, (NOON + 30 * HOUR).timestamp).ended_in(window_of(29), walk))
        == []
    )

    later = OpenJobs(client, storage, USER_ID, MAX_JOB, (NOON + 30 * HOUR + KEPT).timestamp)
    assert later.recipes(window_of(30)) == {1}
    gone = OpenJobs(client, storage, USER_ID, MAX_JOB, (NOON + 31 * HOUR + KEPT).timestamp)
    assert (gone.recipes(window_of(30)), list(storage.paths("open-jobs"))) == (set(), [])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"recipe_id":1}'])
def test_a_damaged_note_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    """The job of the note may have ended since: to leave the note out could lose it."""
    staging = local_storage(tmp_path)
    staging.write("open-jobs/5234/234-j-1.json", content)
    with local_workato(workspaces=[Workspace(user_id=5234, token="token-1")]) as api:
        with pytest.raises(PermanentError, match=r"234-j-1\.json is damaged"):
            read(api, "token-1", staging, 1)

        staging.delete("open-jobs/5234/234-j-1.json")
        staging.write("open-jobs/5234/.nfs00000000018", content)
        assert read(api, "token-1", staging, 1) == []
