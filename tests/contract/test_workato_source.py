"""The platform's API as a source, direct and through an embedded partner: the same jobs as in the job store that it
serves.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.job_stores import SqliteStore

from job_history.documents.job_document import DocumentRules, document_of
from job_history.errors import PermanentError, TransientError, UnrecoverableError
from job_history.http.session import http_session
from job_history.model.job import JobRecord, final_status
from job_history.model.timestamp import format_time, parse_time
from job_history.model.window import Window
from job_history.sources import Source
from job_history.sources.workato import (
    ACTIVITY_REQUESTS_A_MINUTE,
    Checkpoint,
    Endpoint,
    SharedRateLimiter,
    Unlimited,
    WorkatoClient,
    WorkatoEventSource,
    WorkatoSource,
)
from job_history.storage import local_storage
from simulators.job_store import SampleJob, Style, plain_job, sample_events, sample_jobs
from simulators.workato import (
    Fault,
    LocalWorkato,
    Partner,
    SampleRecipe,
    Workspace,
    busiest,
    cut_answer,
    local_workato,
    reset,
    throttled,
    truncated,
)

USER_ID = 5234
START = datetime(2018, 5, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Window(START, START + HOUR)
LATER = WINDOW.end + timedelta(minutes=10)
# What this API has no word of, or another word for, than the relations.
OTHERWISE = ("report", "status")


class Way:
    """One way to a workspace: its own token, or a partner's and the customer's id."""

    def __init__(self, workspaces: list[Workspace], partners: list[Partner], token: str, customer: str | None) -> None:
        self.places: dict[str, Any] = {"workspaces": workspaces, "partners": partners}
        self.token = token
        self.customer = customer

    def client(self, api: LocalWorkato, budget: Any = None, waits: list[float] | None = None) -> WorkatoClient:
        sleep = (lambda _: None) if waits is None else waits.append
        return WorkatoClient(
            Endpoint(api.url, self.token),
            http_session(),
            budget or Unlimited(),
            managed_user_id=self.customer,
            sleep=sleep,
            jitter=lambda: 0.0,
        )

    def source(self, api: LocalWorkato, *, waits: list[float] | None = None, **options: Any) -> WorkatoSource:
        def now() -> float:
            return api.now.timestamp()

        return WorkatoSource(self.client(api, waits=waits), clock=now, **options)


def direct(workspace: Workspace) -> Way:
    return Way([workspace], [], workspace.token, None)


def embedded(workspace: Workspace) -> Way:
    partner = Partner(user_id=1, customers=[Workspace(user_id=77), workspace])
    return Way([], [partner], partner.token, str(workspace.user_id))


def by_external_id(workspace: Workspace) -> Way:
    return Way([], [partner := Partner(user_id=1, customers=[workspace])], partner.token, f"E{workspace.external_id}")


every_way = pytest.mark.parametrize("way_to", [direct, embedded, by_external_id])


@contextmanager
def serving(way: Way, **settings: Any) -> Iterator[LocalWorkato]:
    with local_workato(**way.places, now=LATER, **{"direct_limit": None, "partner_limit": None, **settings}) as api:
        yield api


def listed(source: Source[JobRecord], window: Window = WINDOW, *, lines: bool = True) -> list[JobRecord]:
    with source.listing(USER_ID, window, line_details=lines) as listing:
        records = list(listing)
    assert (listing.counted, source.count(USER_ID, window)) == (len(records), len(records))
    return records


def documents(records: list[JobRecord], *, lines: bool = True) -> dict[str, dict[str, Any]]:
    rules = DocumentRules(user_id=USER_ID, prefix="", line_details=lines, max_document_bytes=40_000_000)
    made = [document_of(record, status, rules) for record in records if (status := final_status(record.status))]
    return {document.key: json.loads(document.body) for document in made}


def comparable(document: dict[str, Any]) -> dict[str, Any]:
    """What both sources can say of a job: the fields of every document, times to the millisecond, lines without
    data.
    """
    names = [name for name in list(document)[:12] if name not in OTHERWISE]
    reported = {name: document[name] for name in names}
    for name in ("started_at", "completed_at"):
        moment = parse_time(document[name])
        reported[name] = format_time(moment.replace(microsecond=moment.microsecond // 1_000 * 1_000))
    if "lines" in reported:
        reported["lines"] = [
            {name: line[name] for name in ("recipe_line_number", "adapter_name", "adapter_operation")}
            for line in document["lines"]
        ]
    return reported


def some_jobs(style: Style, *, hours: int = 4) -> list[SampleJob]:
    jobs = sample_jobs(
        7, USER_ID, recipe_ids=[234, 235, 236], start=START - 2 * HOUR, end=START + (hours - 2) * HOUR,
        jobs_per_hour=40, style=style,
    )  # fmt: skip
    return list(jobs)


def plain(number: int | str, **fields: Any) -> SampleJob:
    return plain_job(USER_ID, START, number)._replace(**fields)


@pytest.mark.promise("api-same-documents")
@every_way
@pytest.mark.parametrize("style", [Style(), Style(handles=True, success="succeeded")], ids=["numbers", "handles"])
@pytest.mark.parametrize("lines", [True, False], ids=["with-lines", "without"])
def test_the_same_documents_as_from_the_job_store(way_to: Any, style: Style, lines: bool, tmp_path: Path) -> None:
    jobs = some_jobs(style)
    store = SqliteStore(tmp_path)
    store.fill(jobs)
    way = way_to(Workspace(user_id=USER_ID, external_id="A/1", jobs=jobs, utc_offset_minutes=-420))

    expected = documents(listed(store.source(), lines=lines), lines=lines)
    with serving(way) as api:
        found = documents(listed(way.source(api), lines=lines), lines=lines)

    assert len(found) > 20
    assert {key: comparable(document) for key, document in found.items()} == {
        key: comparable(document) for key, document in expected.items()
    }


def test_what_has_not_ended_is_not_listed_and_what_was_stopped_is_under_its_status() -> None:
    jobs = [
        plain(1),
        plain(2, status="pending", completed_at=None),
        plain(3, status="aborted"),
        plain(4, status="cancelled"),
        plain(5, status="failed"),
    ]
    way = direct(Workspace(user_id=USER_ID, jobs=jobs))
    with serving(way) as api:
        statuses = {str(record.job_id): record.status for record in listed(way.source(api), lines=False)}

    assert statuses == {"1": "succeeded", "3": "aborted", "4": "cancelled", "5": "failed"}


def test_a_document_has_the_api_s_further_fields_and_lines_without_data() -> None:
    original = plain("j-orig", started_at=(START - HOUR).isoformat(), completed_at=(START - HOUR).isoformat())
    way = direct(
        Workspace(user_id=USER_ID, jobs=[original, plain("j-KGAKfhsz-GYoLeD", parent_id="j-orig", status="failed")])
    )
    with serving(way) as api:
        [document] = documents(listed(way.source(api))).values()

    assert json.dumps(document) == json.dumps(
        {
            "id": "j-KGAKfhsz-GYoLeD",
            "flow_id": 234,
            "parent_id": "j-orig",
            "calling_job_id": None,
            "status": "failed",
            "started_at": "2018-05-21T12:30:00Z",
            "completed_at": "2018-05-21T12:30:10Z",
            "error_type": None,
            "error": None,
            "title": "hello world",
            "is_poll_error": False,
            "report": None,
            "lines": [
                {"recipe_line_number": number, "adapter_name": "clock", "adapter_operation": name, "mask_data": False}
                for number, name in enumerate(("timer", "get_time"))
            ],
            "flow_run_id": 2,
            "is_error": True,
            "is_repeat": True,
            "is_test": False,
            "is_test_case_job": False,
            "master_job_handle": "j-orig",
            "master_job_id": "j-orig",
        }
    )


def test_the_counters_count_where_the_whole_history_was_listed_and_a_second_listing_elsewhere() -> None:
    small = [plain(number, recipe_id=1) for number in range(1, 4)]
    old = [
        plain(1_000 + number, recipe_id=2, started_at=(moment := START - HOUR * number).isoformat(), completed_at=moment.isoformat())  # noqa: E501
        for number in range(100)
    ]  # fmt: skip
    found = {}
    for name, jobs in {"small": small, "old": old, "both": small + old, "none": []}.items():
        way = direct(Workspace(user_id=USER_ID, jobs=jobs))
        with serving(way) as api, way.source(api).listing(USER_ID, WINDOW, line_details=False) as listing:
            found[name] = (listing.counted_by, listing.counted, len(list(listing)))

    assert found == {
        "small": ("counters", 3, 3),
        "old": ("second_listing", 1, 1),
        "both": ("counters and second_listing", 4, 4),
        "none": ("counters", 0, 0),
    }


# Retention


def test_swept_job_is_marked_erased_and_has_no_lines() -> None:
    way = direct(Workspace(user_id=USER_ID, jobs=[plain(1), plain(2)], erased=[2]))
    with serving(way) as api:
        found = documents(listed(way.source(api)))
        without = documents(listed(way.source(api), lines=False), lines=False)

    swept = next(document for document in found.values() if document["id"] == 2)
    whole = next(document for document in found.values() if document["id"] == 1)
    assert (swept["erased"], swept["title"], "lines" in swept) == (True, "", False)
    assert ("erased" in whole, len(whole["lines"])) == (False, 2)
    assert sorted(document.get("erased", False) for document in without.values()) == [False, True]


def test_a_window_of_which_everything_is_swept_is_unrecoverable() -> None:
    way = direct(Workspace(user_id=USER_ID, jobs=[plain(1), plain(2)], erased=[1, 2]))
    with serving(way) as api, pytest.raises(UnrecoverableError, match=r"All 2 jobs of the window .* are erased"):
        listed(way.source(api))


def test_a_window_before_the_retention_that_the_account_names_costs_no_request() -> None:
    way = direct(Workspace(user_id=USER_ID, jobs=[plain(1)]))
    with serving(way) as api:
        api.now = START + timedelta(days=31)
        source = way.source(api, retention=timedelta(days=30))
        for ask in (source.count, source.has_news, lambda *of: source.listing(*of, line_details=False).__enter__()):
            with pytest.raises(UnrecoverableError, match=r"source.retention_days is 30"):
                ask(USER_ID, WINDOW)
        assert api.requests() == []


@pytest.mark.parametrize(("days_later", "gone"), [(20, False), (95, True)])
def test_a_window_whose_jobs_the_counters_know_and_the_list_has_no_more_is_unrecoverable(
    days_later: int, gone: bool
) -> None:
    recent = START + timedelta(days=days_later - 1)
    jobs = [plain(1), plain(2, started_at=recent.isoformat(), completed_at=recent.isoformat())]
    way = direct(Workspace(user_id=USER_ID, jobs=jobs))
    with serving(way, retention_days=90) as api:
        api.now = START + timedelta(days=days_later)
        if gone:
            with pytest.raises(UnrecoverableError, match="counters know of 1 jobs that are no longer listed"):
                listed(way.source(api))
        else:
            assert [record.job_id for record in listed(way.source(api))] == ["1"]


def test_old_windows_whose_jobs_are_still_there_are_read() -> None:
    """The counters know of a job that is gone, but an older one than the window is listed: the window is whole."""
    first = START - timedelta(days=100)
    before = START - timedelta(days=1)
    jobs = [
        plain(1, started_at=first.isoformat(), completed_at=first.isoformat()),
        plain(2, started_at=before.isoformat(), completed_at=before.isoformat()),
        plain(3),
    ]
    way = direct(Workspace(user_id=USER_ID, jobs=jobs))
    with serving(way, retention_days=90) as api:
        api.now = START + timedelta(days=45)
        assert [record.job_id for record in listed(way.source(api))] == ["3"]


def test_a_job_that_is_gone_when_its_lines_are_asked_for_is_erased(caplog: pytest.LogCaptureFixture) -> None:
    way = direct(Workspace(user_id=USER_ID, jobs=[plain(1), plain(2)]))
    with serving(way) as api:
        api.script(_at("jobs/2", 404, 404))
        with way.source(api).listing(USER_ID, WINDOW, line_details=True) as listing:
            found = documents(list(listing))

    assert {document["id"]: (document.get("erased"), "lines" in document) for document in found.values()} == {
        1: (None, True),
        2: (True, False),
    }
    assert "Job 2 was listed, and is gone: it is replicated as erased, without lines." in caplog.messages


# Faults and the checkpoint


def _at(path: str, *statuses: int) -> list[Any]:
    return [Fault(status=status, path=path) for status in statuses]


def test_short_faults_are_waited_out() -> None:
    jobs = [plain(number) for number in range(1, 4)]
    way = direct(Workspace(user_id=USER_ID, jobs=jobs))
    waits: list[float] = []
    with serving(way) as api:
        api.script([throttled(), throttled(retry_after="7"), 500, truncated(), reset(), cut_answer(path="/jobs")])
        with way.source(api, waits=waits).listing(USER_ID, WINDOW, line_details=True) as listing:
            found = sorted(str(record.job_id) for record in listing)

    assert found == ["1", "2", "3"]
    # A 429 without Retry-After is waited for longest; each request begins its own count.
    assert waits[:5] == [15.0, 30.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "answered 400 (Bad request). The API does not accept the request as documented"),
        (401, "answered 401 (Unauthorized). The token is not known there"),
        (403, "answered 403 (Forbidden). Give the role of the token's API client the permission"),
        (404, "answered 404 (Not found). Check the connection's host"),
        (302, "answered 302, a redirect. Correct the host."),
    ],
)
def test_wrong_setting_fails_at_once_with_a_fix(status: int, message: str) -> None:
    way = direct(Workspace(user_id=USER_ID, jobs=[plain(1)]))
    with serving(way) as api:
        api.script([status])
        with pytest.raises(PermanentError) as raised:
            listed(way.source(api))
        asked = len(api.requests())

    assert str(raised.value).startswith(f"The API at {api.url}, asked for recipes, {message}")
    assert (asked, way.token in str(raised.value)) == (1, False)


def test_a_workspace_that_is_none_of_the_partner_s_customers_is_a_wrong_setting() -> None:
    way = embedded(Workspace(user_id=USER_ID, jobs=[plain(1)]))
    way.customer = "999"
    with serving(way) as api, pytest.raises(PermanentError, match=r"managed_users/999/recipes, answered 404"):
        listed(way.source(api))


def test_jobs_that_may_not_be_listed_are_no_empty_recipe() -> None:
    way = direct(Workspace(user_id=USER_ID, jobs=[plain(1)]))
    with serving(way) as api:
        api.script(_at("/jobs", 404))
        with pytest.raises(PermanentError, match="recipes/234/jobs, answered 404"):
            listed(way.source(api))


def test_recipe_deleted_during_the_reading_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    recipe = SampleRecipe(recipe_id=9, deleted_at=LATER + timedelta(seconds=1))
    way = direct(Workspace(user_id=USER_ID, jobs=[plain(1), plain(2, recipe_id=9)], recipes=[recipe]))
    with serving(way, advance_per_request=2) as api:
        found = [record.job_id for record in listed_once(way.source(api), lines=False)]

    assert found == ["1"]
    detail = "Recipe 9 was deleted since the recipes were listed: its jobs can no longer be read."
    assert detail in caplog.messages


@pytest.mark.parametrize("lines", [True, False])
def test_a_retried_reading_goes_on_where_it_stopped(lines: bool, tmp_path: Path) -> None:
    jobs = [plain(1_000 * recipe + number, recipe_id=recipe) for recipe in (1, 2, 3) for number in range(120)]
    way = direct(Workspace(user_id=USER_ID, jobs=jobs))
    checkpoint = Checkpoint(local_storage(tmp_path), "slice")
    with serving(way) as api:
        whole = listed_once(way.source(api), lines)
        needed = len(api.requests())
        api.reset()
        # Recipes are listed with the highest id first: 3 and 2 are read by then, and (with lines) portions of 3.
        api.script(_at("recipes/3/jobs/30[0-9]*50$" if lines else "recipes/1/jobs", *[500] * 6))
        with pytest.raises(TransientError, match="this was attempt 6 of 6"):
            listed_once(way.source(api, checkpoint=checkpoint), lines)
        before = len(api.requests())
        again = listed_once(way.source(api, checkpoint=checkpoint), lines)
        spent_again = len(api.requests()) - before

    assert again == whole
    assert len(again) == 360
    kept = 15 if lines else 10
    assert spent_again <= needed - kept
    assert list(checkpoint._storage.paths("")) == []


def listed_once(source: WorkatoSource, lines: bool) -> list[JobRecord]:
    with source.listing(USER_ID, WINDOW, line_details=lines) as listing:
        return list(listing)


# The request budget


def test_500_recipes_of_which_10_have_news_cost_as_10_do(caplog: pytest.LogCaptureFixture) -> None:
    old = START - timedelta(days=10)
    jobs = [
        plain(number, recipe_id=number, started_at=old.isoformat(), completed_at=old.isoformat())
        for number in range(1, 491)
    ] + [plain(number, recipe_id=number) for number in range(491, 501)]
    way = direct(Workspace(user_id=USER_ID, jobs=jobs))
    with serving(way) as api, caplog.at_level(logging.INFO):
        found = listed_once(way.source(api), lines=False)
        asked = [request.path for request in api.requests()]

    assert len(found) == 10
    # Five pages of a hundred recipes and an empty one, the workspace, then one page of jobs for each recipe with news.
    assert (len(asked), sum("/jobs" in path for path in asked)) == (17, 10)
    assert [message for message in caplog.messages if "requests sent" in message or "can have" in message] == [
        "10 of 500 recipes can have jobs that ended in [2018-05-21T12:00:00Z, 2018-05-21T13:00:00Z).",
        "17 requests sent for reading the window from 2018-05-21T12:00:00Z; no rate limit is kept.",
    ]


class SharedTime:
    """A clock for several tasks at once that moves only when one of them waits."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.promise("rate-limit")
def test_50_customers_of_one_partner_stay_below_its_limit_together(tmp_path: Path) -> None:
    customers = [
        Workspace(user_id=number, jobs=[plain(job, user_id=number) for job in range(1, 41)]) for number in range(1, 51)
    ]
    partner = Partner(user_id=9_999, customers=customers)
    storage = local_storage(tmp_path)
    time = SharedTime()
    with local_workato(partners=[partner], now=LATER, clock=time) as api:

        def read(user_id: int) -> tuple[int, int]:
            budget = SharedRateLimiter(storage, "partner-embedded", 1_000, clock=time, sleep=time.sleep)
            way = Way([], [], partner.token, str(user_id))
            source = WorkatoSource(way.client(api, budget), clock=LATER.timestamp)
            with source.listing(user_id, WINDOW, line_details=True) as listing:
                return len(list(listing)), budget.spent

        with ThreadPoolExecutor(4) as tasks:
            results = list(tasks.map(read, range(1, 51)))
        requests = api.requests()

    assert [jobs for jobs, _ in results] == [40] * 50
    assert sum(spent for _, spent in results) == len(requests) > 2_000
    assert {request.status for request in requests} == {200}
    assert busiest(requests, seconds=60) <= 1_000


@pytest.mark.promise("rate-limit")
def test_activity_logs_of_a_partner_s_customers_stay_below_their_own_limit(tmp_path: Path) -> None:
    """Documented: 60 a minute; the jobs of the same customers have 1,000."""
    customers = [
        Workspace(user_id=number, events=list(sample_events(number, number, WINDOW.start, WINDOW.end, 150)))
        for number in range(1, 13)
    ]
    partner = Partner(user_id=9_999, customers=customers)
    storage = local_storage(tmp_path)
    time = SharedTime()
    with local_workato(partners=[partner], now=LATER, clock=time) as api:
        for customer in customers:
            limiter = SharedRateLimiter(
                storage, "partner-embedded-activity", ACTIVITY_REQUESTS_A_MINUTE, clock=time, sleep=time.sleep
            )
            client = Way([], [], partner.token, str(customer.user_id)).client(api, limiter)
            source = WorkatoEventSource(client, clock=LATER.timestamp)
            with source.listing(customer.user_id, WINDOW, line_details=False) as listing:
                assert len(list(listing)) == 150
        requests = api.requests()

    assert {request.status for request in requests} == {200}
    assert len(requests) > 60
    assert busiest(requests, seconds=60) <= 60
