"""The source lies: counts, lists, details and errors of the platform's API that contradict each other.

Each contradiction fails the window, or has another stated end; none is delivered, and none passes for an hour without
jobs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from job_history.documents.job_document import DocumentRules, document_of
from job_history.errors import PermanentError, QuarantineReason, TransientError
from job_history.errors.code import Code
from job_history.http.session import http_session
from job_history.model.job import JobRecord, final_status
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.sources.workato import (
    Checkpoint,
    Endpoint,
    Unlimited,
    WorkatoClient,
    WorkatoEventSource,
    WorkatoSource,
)
from job_history.storage import local_storage
from simulators.job_store import SampleJob, plain_job
from simulators.workato import Fault, LocalWorkato, Partner, SampleRecipe, Workspace, local_workato

USER_ID = 5234
TOKEN = "CANARY-token"
START = datetime(2018, 5, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Window(START, START + HOUR)
LATER = WINDOW.end + timedelta(minutes=10)
RECIPE = 234


def plain(number: int, **fields: Any) -> SampleJob:
    return plain_job(USER_ID, START, number)._replace(**fields)


@contextmanager
def serving(*jobs: SampleJob, **settings: Any) -> Iterator[LocalWorkato]:
    workspace = Workspace(user_id=USER_ID, token=TOKEN, jobs=jobs)
    with local_workato(workspaces=[workspace], now=LATER, direct_limit=None, **settings) as api:
        yield api


def source_of(api: LocalWorkato, **options: Any) -> WorkatoSource:
    client = WorkatoClient(Endpoint(api.url, TOKEN), http_session(), Unlimited(), sleep=lambda _: None)
    return WorkatoSource(client, clock=api.now.timestamp, **options)


def read(
    source: WorkatoSource, window: Window = WINDOW, *, lines: bool = False
) -> tuple[list[JobRecord], Unplaceable | None]:
    with source.listing(USER_ID, window, line_details=lines) as listing:
        records = list(listing)
    assert listing.counted == len(records)
    return records, listing.unplaceable


def documents(records: list[JobRecord]) -> dict[Any, dict[str, Any]]:
    rules = DocumentRules(user_id=USER_ID, prefix="", line_details=True, max_document_bytes=40_000_000)
    made = [
        json.loads(document_of(each, status, rules).body) for each in records if (status := final_status(each.status))
    ]
    return {document["id"]: document for document in made}


def answers(path: str, *bodies: Any, times: int = 1) -> list[Fault]:
    """Return faults that answer requests to `path` with these bodies, as JSON."""
    return [Fault(body=json.dumps(body), path=path) for body in bodies] * times


EMPTY = {"job_succeeded_count": 30, "job_failed_count": 0, "job_count": 30, "items": []}


# Counts and lists


@pytest.mark.promise("api-contradictions")
def test_counters_that_a_list_contradicts_fail_the_window() -> None:
    """The counters say 30 and the last run lies in the window, and the list is empty."""
    with serving(*(plain(number) for number in range(1, 31))) as api:
        api.script(answers("/jobs", EMPTY, times=4))
        with pytest.raises(TransientError) as raised:
            read(source_of(api))

    assert "recipe 234 counts 30 succeeded and 0 failed jobs and last ran at 2018-05-21T12:30:00.000Z" in str(
        raised.value
    )
    assert "its list has no job" in str(raised.value)


def test_a_list_that_lacks_the_recipe_s_last_run_fails_the_window() -> None:
    jobs = [plain(1), plain(2, started_at="2018-05-21T12:50:00Z", completed_at="2018-05-21T12:50:10Z")]
    item = {
        "id": "1",
        "started_at": "2018-05-21T12:30:00Z",
        "completed_at": "2018-05-21T12:30:10Z",
        "status": "succeeded",
    }
    page = {"job_succeeded_count": 1, "job_failed_count": 0, "job_count": 1, "items": [item]}
    with serving(*jobs) as api:
        api.script(answers("/jobs", page, {**page, "items": []}, times=2))
        with pytest.raises(TransientError, match="last ran at 2018-05-21T12:50:00"):
            read(source_of(api))


def test_a_list_that_ends_before_the_window_fails_it_if_the_recipe_ran_later() -> None:
    """A busy recipe's last run is after the window, whenever the window is read."""
    after = (WINDOW.end + timedelta(minutes=5)).isoformat()
    with serving(*(plain(number) for number in range(1, 4)), plain(4, started_at=after, completed_at=after)) as api:
        api.script(answers("/jobs", EMPTY, times=2))
        with pytest.raises(TransientError, match=r"last ran at 2018-05-21T13:05:00.000Z, and its list has no job"):
            read(source_of(api))
        assert len(read(source_of(api))[0]) == 3


def test_a_job_without_a_start_does_not_excuse_a_list_that_lacks_the_last_run() -> None:
    item = {"id": "9", "started_at": None, "completed_at": "2018-05-21T12:00:10Z", "status": "succeeded"}
    page = {"job_succeeded_count": 1, "job_failed_count": 0, "job_count": 1, "items": [item]}
    with serving(plain(1)) as api:
        api.script(answers("/jobs", page, {**page, "items": []}, times=2))
        with pytest.raises(TransientError, match="last ran at 2018-05-21T12:30:00"):
            read(source_of(api))


@pytest.mark.parametrize("counters", ["lifetime", "retained"])
@pytest.mark.parametrize("last_run_at", ["started", "completed"])
def test_a_recipe_that_did_not_run_in_the_window_is_no_contradiction(counters: str, last_run_at: str) -> None:
    """Its jobs are gone by retention, and lifetime counters still have them."""
    old, newer = START - 40 * HOUR, START + 2 * HOUR
    jobs = [
        plain(1, started_at=old.isoformat(), completed_at=old.isoformat()),
        plain(2, started_at=newer.isoformat(), completed_at=newer.isoformat()),
    ]
    with serving(*jobs, counters=counters, last_run_at=last_run_at, retention_days=1) as api:
        api.now = newer + HOUR
        assert read(source_of(api)) == ([], None)


def test_a_recipe_that_is_listed_twice_is_read_once() -> None:
    recipe = {"id": RECIPE, "last_run_at": "2018-05-21T12:30:00Z"}
    with serving(plain(1)) as api:
        api.script(answers(r"recipes\?", {"items": [recipe, recipe]}))
        records, _ = read(source_of(api))
        listed = [request for request in api.requests() if "/jobs" in request.path]

    assert [record.job_id for record in records] == ["1"]
    assert len(listed) == 1


def test_jobs_and_recipe_not_found_while_the_recipes_list_it_is_no_deletion() -> None:
    """A role that may list recipes, and get neither a recipe nor its jobs, answers 404 for both."""
    with serving(plain(1)) as api:
        api.script([Fault(status=404, path=f"recipes/{RECIPE}")] * 4)
        with pytest.raises(PermanentError) as raised:
            read(source_of(api))

    assert raised.value.code is Code.WORKATO_NOT_FOUND


# Times


@pytest.mark.promise("unplaceable-records")
@pytest.mark.parametrize("time", ["yesterday", "2026-03-09", "1526905800", "9999-99-99 14:00:00"])
def test_jobs_whose_times_cannot_be_read_are_counted_as_unplaceable(time: str) -> None:
    with serving(*(plain(number) for number in range(1, 31))) as api:
        items = [{"id": str(n), "status": "succeeded", "started_at": time, "completed_at": time} for n in range(1, 26)]
        page = {"job_succeeded_count": 30, "job_failed_count": 0, "job_count": 30, "items": items}
        rest = {**page, "items": [{**items[0], "id": str(number)} for number in range(26, 31)]}
        api.script(answers("/jobs", page, rest))
        records, unplaceable = read(source_of(api))

    assert (records, unplaceable) == ([], Unplaceable(30, False, "1", f"text of {len(time)} characters"))


@pytest.mark.promise("unplaceable-records")
def test_a_job_whose_end_alone_cannot_be_read_is_unplaceable() -> None:
    """It started in an earlier hour, which was read while the job was open."""
    odd = {"id": "1", "status": "succeeded", "started_at": "2018-05-21T11:50:00Z", "completed_at": "12:20 PM"}
    page = {"job_succeeded_count": 1, "job_failed_count": 0, "job_count": 1, "items": [odd]}
    with serving(plain(1)) as api:
        api.script(answers("/jobs", page))
        records, unplaceable = read(source_of(api))

    assert (records, unplaceable and unplaceable.count, unplaceable and unplaceable.example_id) == ([], 1, "1")


def test_a_finished_job_without_an_end_is_unplaceable_and_an_open_one_is_not() -> None:
    items = [
        {"id": "1", "status": "succeeded", "started_at": "2018-05-21T12:30:00Z", "completed_at": None},
        {"id": "2", "status": "pending", "started_at": "2018-05-21T12:30:00Z", "completed_at": None},
    ]
    with serving(plain(1)) as api:
        api.script(answers("/jobs", {"items": items}, {"items": []}, times=2))
        records, unplaceable = read(source_of(api))

    assert (records, unplaceable) == ([], Unplaceable(1, False, "1", "missing"))


# Single jobs


@pytest.mark.promise("api-contradictions")
def test_no_job_is_taken_for_erased_if_none_can_be_read(tmp_path: Path) -> None:
    """The role may list jobs and not read them."""
    checkpoint = Checkpoint(local_storage(tmp_path), "slice")
    with serving(*(plain(number) for number in range(1, 31))) as api:
        api.script([Fault(status=404, path=r"/jobs/\d+")] * 60)
        with pytest.raises(TransientError, match="lists 30 jobs of recipe 234, and finds none of them"):
            read(source_of(api, checkpoint=checkpoint), lines=True)

        # It was a passing fault: the next try reads all of them.
        records, _ = read(source_of(api, checkpoint=checkpoint), lines=True)

    assert {len(document["lines"]) for document in documents(records).values()} == {2}
    assert not any("erased" in document for document in documents(records).values())


def test_a_job_that_is_not_found_once_is_read_at_the_second_look() -> None:
    with serving(plain(1), plain(2)) as api:
        api.script([Fault(status=404, path="/jobs/1")])
        found = documents(read(source_of(api), lines=True)[0])

    assert {job_id: (len(document["lines"]), "erased" in document) for job_id, document in found.items()} == {
        1: (2, False),
        2: (2, False),
    }


def test_a_job_that_is_not_found_twice_is_erased_if_another_can_be_read() -> None:
    with serving(plain(1), plain(2)) as api:
        api.script([Fault(status=404, path="/jobs/1")] * 2)
        found = documents(read(source_of(api), lines=True)[0])

    assert {job_id: document.get("erased") for job_id, document in found.items()} == {1: True, 2: None}


def test_jobs_of_a_recipe_that_was_deleted_meanwhile_are_erased() -> None:
    recipe = SampleRecipe(recipe_id=RECIPE, deleted_at=LATER + timedelta(seconds=8))
    workspace = Workspace(user_id=USER_ID, token=TOKEN, jobs=[plain(1), plain(2)], recipes=[recipe])
    with local_workato(workspaces=[workspace], now=LATER, direct_limit=None, advance_per_request=2.0) as api:
        found = documents(read(source_of(api), lines=True)[0])

    assert {job_id: document.get("erased") for job_id, document in found.items()} == {1: True, 2: True}


@pytest.mark.parametrize("meanwhile", ["before the jobs are listed", "before their lines are read"])
def test_a_token_that_loses_its_projects_meanwhile_fails_the_window(meanwhile: str) -> None:
    """No recipe is listed any more, no job is found, and the workspace still counts recipes."""
    not_found = [Fault(status=404, body='{"message": "Not Found"}', path="/jobs") for _ in range(2)]
    lost = [*not_found, *answers(r"/api/recipes\?", {"items": []}, times=4)]
    with serving(plain(1), plain(2)) as api:
        source = source_of(api)
        if meanwhile == "before the jobs are listed":
            recipe = {"id": RECIPE, "last_run_at": "2018-05-21T12:30:00Z"}
            api.script([*answers(r"/api/recipes\?", {"items": [recipe]}, {"items": []}), *lost])
        with pytest.raises(PermanentError) as raised, source.listing(USER_ID, WINDOW, line_details=True) as listing:
            api.script(lost)
            list(listing)

    assert raised.value.code is Code.WORKATO_NO_RECIPES


ANOTHER = {"id": "2", "recipe_id": RECIPE, "status": "succeeded", "lines": []}
OTHER_ANSWERS: dict[str, dict[str, Any]] = {
    "another job": ANOTHER,
    "nothing": {},
    "no success": {"success": False},
    "wrapped": {"result": {**ANOTHER, "id": "1"}},
    "a job of another recipe": {**ANOTHER, "id": "1", "recipe_id": 7},
    "another status": {**ANOTHER, "id": "1", "status": "failed"},
    "an open job": {**ANOTHER, "id": "1", "completed_at": None},
    "a job that ended at another time": {**ANOTHER, "id": "1", "completed_at": "2018-05-21T14:30:10Z"},
    "no lines": {"id": "1", "recipe_id": RECIPE, "status": "succeeded", "completed_at": "2018-05-21T12:30:10Z"},
    "an id of another type": {**ANOTHER, "id": [1]},
}


@pytest.mark.promise("api-contradictions")
@pytest.mark.parametrize("name", OTHER_ANSWERS)
def test_an_answer_that_is_not_the_job_never_becomes_part_of_a_document(name: str) -> None:
    with serving(plain(1)) as api:
        api.script(answers("/jobs/1", OTHER_ANSWERS[name], times=2))
        with pytest.raises(TransientError, match=r"asked for job 1 of recipe 234, answers twice with something else"):
            read(source_of(api), lines=True)

        api.script(answers("/jobs/1", OTHER_ANSWERS[name]))
        found = documents(read(source_of(api), lines=True)[0])

    assert len(found[1]["lines"]) == 2


@pytest.mark.parametrize("lines_null", [True, False])
def test_a_job_without_lines_has_an_empty_list(lines_null: bool) -> None:
    with serving(plain(1, lines=()), lines_null=lines_null) as api:
        found = documents(read(source_of(api), lines=True)[0])

    assert found[1]["lines"] == []


def test_lines_that_are_not_a_list_are_quarantined() -> None:
    with serving(plain(1)) as api:
        detail = {"id": "1", "recipe_id": RECIPE, "status": "succeeded", "lines": "none"}
        api.script(answers("/jobs/1", detail))
        ((record,), _) = read(source_of(api), lines=True)

    assert record.fault is QuarantineReason.BAD_JSON


# The workspace


@pytest.mark.promise("api-workspace")
def test_a_token_of_another_workspace_fails_before_a_job_is_read() -> None:
    workspace = Workspace(user_id=77, token=TOKEN, jobs=[plain(1)])
    with local_workato(workspaces=[workspace], now=LATER, direct_limit=None) as api:
        events = WorkatoEventSource(
            WorkatoClient(Endpoint(api.url, TOKEN), http_session(), Unlimited()), clock=api.now.timestamp
        )
        for source in (source_of(api), events):
            with pytest.raises(PermanentError) as raised, source.listing(USER_ID, WINDOW, line_details=False):
                pass
            assert raised.value.code is Code.WORKATO_WRONG_WORKSPACE
        paths = {request.path.partition("?")[0] for request in api.requests()}

    assert paths == {"/api/recipes", "/api/users/me"}


@pytest.mark.promise("api-workspace")
@pytest.mark.parametrize("user_id", [USER_ID, 77])
def test_the_workspace_is_compared_also_in_an_hour_without_jobs(user_id: int) -> None:
    workspace = Workspace(user_id=77, token=TOKEN, recipes=[SampleRecipe(recipe_id=RECIPE)])
    with local_workato(workspaces=[workspace], now=LATER, direct_limit=None) as api:
        client = WorkatoClient(Endpoint(api.url, TOKEN), http_session(), Unlimited())
        for source in (source_of(api), WorkatoEventSource(client, clock=api.now.timestamp)):
            if user_id == 77:
                assert not source.has_news(user_id, WINDOW)
                continue
            with pytest.raises(PermanentError) as raised:
                source.has_news(user_id, WINDOW)
            assert raised.value.code is Code.WORKATO_WRONG_WORKSPACE


@pytest.mark.promise("api-workspace")
@pytest.mark.parametrize("customer", ["77", "EA/7"])
def test_a_customer_of_another_workspace_fails_before_a_job_is_read(customer: str) -> None:
    other = Workspace(user_id=77, external_id="A/7", jobs=[plain(1)])
    with local_workato(partners=[Partner(user_id=1, token=TOKEN, customers=[other])], now=LATER) as api:
        client = WorkatoClient(Endpoint(api.url, TOKEN), http_session(), Unlimited(), managed_user_id=customer)
        source = WorkatoSource(client, clock=api.now.timestamp)
        with pytest.raises(PermanentError) as raised, source.listing(USER_ID, WINDOW, line_details=False):
            pass
        asked = [request.path for request in api.requests() if "/jobs" in request.path]

    assert (raised.value.code, asked) == (Code.WORKATO_WRONG_WORKSPACE, [])
