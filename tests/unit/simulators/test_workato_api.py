"""The local Workato API keeps to what is documented of the real one, in a time that tests can set."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.waiting import wait_until

from simulators.job_store import DEMO_ACCOUNTS, SampleEvent, SampleJob, SampleLine, demo_store, example_job, sample_jobs
from simulators.workato import (
    Break,
    Delay,
    Fault,
    LocalWorkato,
    Partner,
    SampleRecipe,
    WorkatoProcess,
    Workspace,
    busiest,
    cut_answer,
    local_workato,
    reset,
    slow,
    throttled,
    truncated,
    workato_process,
    workspaces_of,
)

PACKAGES = Path(__file__).parents[3] / "include"
NOON = datetime(2018, 5, 21, 12, tzinfo=UTC)
MADE_AT = "2015-05-26T22:53:36.904Z"
TOKEN = "a-workspace's-token"
NEVER = {"direct_limit": None, "partner_limit": None}


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def text(seconds: float | None) -> str | None:
    return None if seconds is None else at(seconds).isoformat()


def job(job_id: int | str, start: float, end: float | None, **changes: Any) -> SampleJob:
    """A job of recipe 48 that runs from and until so many seconds after noon."""
    status = "pending" if end is None else "completed"
    times = {"job_id": job_id, "recipe_id": 48, "started_at": text(start), "completed_at": text(end)}
    return example_job()._replace(**(times | {"status": status, "title": f"job {job_id}", "lines": ()} | changes))


def workspace(*jobs: SampleJob, **more: Any) -> Workspace:
    return Workspace(**({"user_id": 5234, "name": "Acme", "jobs": jobs, "token": TOKEN} | more))


def get(api: LocalWorkato | WorkatoProcess, path: str, *, token: str = TOKEN, **query: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{api.url}/api{path}", params=query, headers=headers, timeout=10)


def read(api: LocalWorkato | WorkatoProcess, path: str, **query: Any) -> Any:
    answer = get(api, path, **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(api: LocalWorkato, recipe_id: int = 48, **query: Any) -> list[str]:
    return [item["id"] for item in read(api, f"/recipes/{recipe_id}/jobs", **query)["items"]]


def seen(api: LocalWorkato) -> dict[str, str]:
    return {item["id"]: item["status"] for item in read(api, "/recipes/48/jobs")["items"]}


def counters(api: LocalWorkato) -> tuple[int, int, int]:
    answer = read(api, "/recipes/48/jobs")
    return answer["job_succeeded_count"], answer["job_failed_count"], answer["job_count"]


class TestJobs:
    def test_a_list_has_the_counters_and_the_items_newest_first(self) -> None:
        jobs = [
            job("j-AAAAAAAA-AAAAAA", 0, 10),
            job("j-BBBBBBBB-BBBBBB", 5, 20, calling_job_id="j-AAAAAAAA-AAAAAA", recipe_id=49),
            job("j-CCCCCCCC-CCCCCC", 7.5, None, calling_job_id="j-BBBBBBBB-BBBBBB"),
            job("j-DDDDDDDD-DDDDDD", 8, 9, parent_id="j-AAAAAAAA-AAAAAA"),
        ]
        with local_workato(workspaces=[workspace(*jobs)], now=at(60)) as api:
            answer = get(api, "/recipes/48/jobs")
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        shared = {
            "recipe_id": 48,
            "is_poll_error": False,
            "error": None,
            "is_error": False,
            "calling_recipe_id": None,
            "calling_job_id": None,
            "root_recipe_id": None,
            "root_job_id": None,
            "master_job_id": None,
        }
        assert answer.json() == {
            "job_succeeded_count": 2,
            "job_failed_count": 0,
            "job_count": 3,
            "items": [
                shared
                | {
                    "id": "j-DDDDDDDD-DDDDDD",
                    "flow_run_id": 4,
                    "status": "succeeded",
                    "completed_at": "2018-05-21T12:00:09.000Z",
                    "started_at": "2018-05-21T12:00:08.000Z",
                    "title": "job j-DDDDDDDD-DDDDDD",
                    "master_job_id": "j-AAAAAAAA-AAAAAA",
                },
                shared
                | {
                    "id": "j-CCCCCCCC-CCCCCC",
                    "flow_run_id": 3,
                    "status": "pending",
                    "completed_at": None,
                    "started_at": "2018-05-21T12:00:07.500Z",
                    "title": "job j-CCCCCCCC-CCCCCC",
                    "calling_recipe_id": 49,
                    "calling_job_id": "j-BBBBBBBB-BBBBBB",
                    "root_recipe_id": 48,
                    "root_job_id": "j-AAAAAAAA-AAAAAA",
                },
                shared
                | {
                    "id": "j-AAAAAAAA-AAAAAA",
                    "flow_run_id": 1,
                    "status": "succeeded",
                    "completed_at": "2018-05-21T12:00:10.000Z",
                    "started_at": "2018-05-21T12:00:00.000Z",
                    "title": "job j-AAAAAAAA-AAAAAA",
                    "master_job_id": "j-AAAAAAAA-AAAAAA",  # one that was repeated is its own master
                },
            ],
        }

    def test_a_single_job_has_its_lines_but_no_data_of_them(self) -> None:
        line = SampleLine(5234, 7, 0, 3, "salesforce", "search", '{"a":"CANARY"}', '{"b":"CANARY"}', None, True)
        called = job(7, 0.1239, 1, calling_job_id=6, parent_id=5, lines=(line,), report='{"c":"CANARY"}')
        zoned = workspace(called, job(6, 0, 1, recipe_id=50), utc_offset_minutes=-420)
        with local_workato(workspaces=[zoned], now=at(60)) as api:
            answer = get(api, "/recipes/48/jobs/7")
            assert "CANARY" not in answer.text + get(api, "/recipes/48/jobs").text
        assert answer.json() == {
            "id": "7",
            "handle": "7",
            "recipe_id": 48,
            "status": "succeeded",
            "completed_at": "2018-05-21T05:00:01.000-07:00",
            "started_at": "2018-05-21T05:00:00.123-07:00",
            "title": "job 7",
            "is_poll_error": False,
            "lines": [{"recipe_line_number": 3, "adapter_name": "salesforce", "adapter_operation": "search"}],
            "error": None,
            "is_error": False,
            "is_repeat": True,
            "is_test": False,
            "is_test_case_job": False,
            "master_job_id": "5",
            "master_job_handle": "5",
            "calling_recipe_id": "50",  # a string here, a number in the list: documented so
            "calling_job_id": "6",
            "calling_job_handle": "6",
        }

    def test_integer_ids_as_in_the_samples_of_2020(self) -> None:
        jobs = [job(7, 0, 1, parent_id=5, calling_job_id=6), job("j-A", 1, 2)]
        with local_workato(workspaces=[workspace(*jobs)], now=at(60), integer_ids=True) as api:
            handle, number = read(api, "/recipes/48/jobs")["items"]
        assert handle["id"] == "j-A"
        ids = ("id", "flow_run_id", "master_job_id", "calling_job_id", "root_job_id", "calling_recipe_id")
        assert [number[name] for name in ids] == [7, 7, 5, 6, "6", None]

    @pytest.mark.parametrize(
        ("error_type", "error", "parts"),
        [
            ("Bad", '{"adapter":"a","message":"m","unknown":1}', {"error_type": "Bad", "adapter": "a", "message": "m"}),
            (None, '{"error_type":"Own","message":"m"}', {"error_type": "Own", "message": "m"}),
            ("Bad", "plain text", {"error_type": "Bad", "message": "plain text"}),
            (None, "plain text", {}),
            (None, '["a list"]', {}),
        ],
    )
    def test_a_failed_job_has_its_error_and_the_parts_of_it(
        self, error_type: str | None, error: str, parts: dict[str, str]
    ) -> None:
        failed = job(7, 0, 10, status="failed", error=error, error_type=error_type, is_poll_error=True)
        with local_workato(workspaces=[workspace(failed)], now=at(5)) as api:
            [before] = read(api, "/recipes/48/jobs")["items"]
            assert [before[name] for name in ("status", "error", "is_error", "is_poll_error")] == [
                *("pending", None, False, False)
            ]
            api.now = at(10)
            [item] = read(api, "/recipes/48/jobs")["items"]
            single = read(api, "/recipes/48/jobs/7")
        for shown in (item, single):
            values = [shown[name] for name in ("status", "error", "is_error", "is_poll_error")]
            assert values == ["failed", error, True, True]
        assert item["error_parts"] == parts
        assert "error_parts" not in single

    @pytest.mark.parametrize("swept_by", [{"erased": (7,)}, {"sweep_days": 1}])
    def test_a_swept_job_stays_in_the_list_and_looks_as_if_it_had_run_nothing(self, swept_by: dict[str, Any]) -> None:
        erased = {"erased": swept_by.pop("erased")} if "erased" in swept_by else {}
        failed = job(7, 0, 1, status="failed", error="secret", error_type="secret", lines=example_job().lines)
        day = 86_400
        with local_workato(workspaces=[workspace(failed, job(8, day, day + 2), **erased)], **swept_by) as api:
            api.now = at(day + 1.5)
            kept, swept = read(api, "/recipes/48/jobs")["items"]
            single = read(api, "/recipes/48/jobs/7")
        assert "erased" not in kept
        for shown in (swept, single):
            assert (shown["erased"], shown["title"], shown["status"], shown["is_error"]) == (True, "", "failed", True)
            assert not shown.keys() & {"error", "error_parts"}
            assert "secret" not in json.dumps(shown)
        assert single["lines"] == []

    def test_other_ends_keep_their_name(self) -> None:
        with local_workato(workspaces=[workspace(job(1, 0, 1, status="aborted"))], now=at(2)) as api:
            assert seen(api) == {"1": "aborted"}
            assert counters(api) == (0, 0, 1)

    def test_times_that_are_none_are_shown_as_they_are(self) -> None:
        jobs = [job(1, 0, 1, started_at=None), job(2, 0, 2, started_at="yesterday at noon")]
        with local_workato(workspaces=[workspace(*jobs)], now=at(5)) as api:
            shown = read(api, "/recipes/48/jobs")["items"]
            assert [(item["id"], item["started_at"]) for item in shown] == [("2", "yesterday at noon"), ("1", None)]

    def test_a_job_without_any_time_is_refused(self) -> None:
        with pytest.raises(ValueError, match="Job 1 of workspace 5234 has no time; give it a start or an end"):
            local_workato(workspaces=[workspace(job(1, 0, 1, started_at=None, completed_at=None))]).__enter__()


class TestErrors:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": f"Basic {TOKEN}"},
            {"X-USER-TOKEN": TOKEN, "X-USER-EMAIL": "a@example.com"},  # rejected since 2024
        ],
    )
    def test_401(self, headers: dict[str, str]) -> None:
        with local_workato(workspaces=[workspace(job(1, 0, 1))]) as api:
            answer = requests.get(f"{api.url}/api/users/me", headers=headers, timeout=10)
            assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})
            [request] = api.requests()
            assert (request.status, request.holder) == (401, "")

    @pytest.mark.parametrize(
        "path",
        [
            "/recipes/49",
            "/recipes/48x",
            "/recipes/49/jobs",
            "/recipes/48/jobs/2",
            "/recipes/49/jobs/1",
            "/recipes/48/jobs?offset_job_id=2",
            "/recipes/job_counts",
            "/connections",
            "/recipes/48/jobs/1/lines",
        ],
    )
    def test_404(self, path: str) -> None:
        with local_workato(workspaces=[workspace(job(1, 0, 1))], now=at(5)) as api:
            answer = get(api, path)
            assert (answer.status_code, answer.json()) == (404, {"message": "Not found"})

    def test_what_would_change_something_is_not_there(self) -> None:
        with local_workato(workspaces=[workspace(job(1, 0, 1))], now=at(5)) as api:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            assert requests.post(f"{api.url}/api/recipes", headers=headers, timeout=10).status_code == 404
            assert requests.put(f"{api.url}/api/recipes/48/stop", headers=headers, timeout=10).status_code == 404

    @pytest.mark.parametrize(
        "path",
        [
            "/recipes/48/jobs?status=aborted",
            "/recipes/48/jobs?prev=perhaps",
            "/recipes?page=0",
            "/recipes?per_page=many",
            "/recipes?updated_after=soon",
            "/activity_logs?page[size]=0",
            "/activity_logs?page[after]=12",
        ],
    )
    def test_400(self, path: str) -> None:
        with local_workato(workspaces=[workspace(job(1, 0, 1))], now=at(5)) as api:
            answer = get(api, path)
            assert (answer.status_code, answer.json()) == (400, {"message": "Bad request"})

    def test_one_workspace_does_not_see_the_other(self) -> None:
        other = Workspace(user_id=1, jobs=[job(2, 0, 1, recipe_id=49)])
        with local_workato(workspaces=[workspace(job(1, 0, 1)), other], now=at(5)) as api:
            assert [recipe["id"] for recipe in read(api, "/recipes")["items"]] == [48]
            assert [recipe["id"] for recipe in read(api, "/recipes", token=other.token)["items"]] == [49]
            assert get(api, "/recipes/49/jobs").status_code == 404

    def test_two_workspaces_with_one_token_are_refused(self) -> None:
        with pytest.raises(ValueError, match="The token of workspace 1 is that of another"):
            local_workato(workspaces=[workspace(), workspace(user_id=1)]).__enter__()

    def test_tokens_are_in_no_record_and_no_representation(self) -> None:
        acme = workspace(job(1, 0, 1))
        partner = Partner(user_id=1, customers=[acme], token=TOKEN + "2")
        with local_workato(workspaces=[acme], partners=[partner], now=at(5)) as api:
            get(api, "/recipes")
            get(api, "/recipes", token=TOKEN + "2")
            assert [request.holder for request in api.requests()] == ["workspace 5234", "partner 1"]
            assert TOKEN not in f"{api.requests()} {acme} {partner}"


class TestSimulatedTime:
    def test_a_job_begins_and_ends_by_the_clock(self) -> None:
        jobs = [job(1, 0, 10), job(2, 5, 7, status="failed", error="e")]
        with local_workato(workspaces=[workspace(*jobs)], now=at(-1)) as api:
            history = []
            for second in (-1, 0, 5, 7, 10):
                api.now = at(second)
                history.append((seen(api), counters(api), read(api, "/recipes/48")["last_run_at"]))
        at_noon, at_five = "2018-05-21T12:00:00.000Z", "2018-05-21T12:00:05.000Z"
        assert history == [
            ({}, (0, 0, 0), None),
            ({"1": "pending"}, (0, 0, 1), at_noon),
            ({"2": "pending", "1": "pending"}, (0, 0, 2), at_five),
            ({"2": "failed", "1": "pending"}, (0, 1, 2), at_five),
            ({"2": "failed", "1": "succeeded"}, (1, 1, 2), at_five),
        ]

    def test_a_pending_job_cannot_be_had_before_it_begins_and_shows_its_trigger_while_it_runs(self) -> None:
        two_lines = job(1, 0, 10, lines=example_job().lines)
        endless = job(2, 0, None, lines=example_job().lines)
        with local_workato(workspaces=[workspace(two_lines, endless)], now=at(-1)) as api:
            assert get(api, "/recipes/48/jobs/1").status_code == 404
            api.advance(2)
            assert api.now == at(1)
            lines = [len(read(api, f"/recipes/48/jobs/{job_id}")["lines"]) for job_id in (1, 2)]
            assert lines == [1, 2]
            api.advance(9)
            assert len(read(api, "/recipes/48/jobs/1")["lines"]) == 2

    def test_a_job_may_appear_late_and_end_late(self) -> None:
        delays = {"late": Delay(listed=30), "slow": Delay(finished=30)}
        jobs = [job("late", 0, 10), job("slow", 1, 10), job("new", 20, 21)]
        with local_workato(workspaces=[workspace(*jobs, delays=delays)], now=at(25)) as api:
            assert list(seen(api).items()) == [("new", "succeeded"), ("slow", "pending")]
            assert counters(api) == (1, 0, 2)
            assert get(api, "/recipes/48/jobs/late").status_code == 404
            api.now = at(30)
            assert list(seen(api).items()) == [("new", "succeeded"), ("slow", "pending"), ("late", "succeeded")]
            api.now = at(40)
            assert set(seen(api).values()) == {"succeeded"}

    def test_time_moves_on_after_each_request(self) -> None:
        jobs = [job(number, number, number + 0.5) for number in range(4)]
        with local_workato(workspaces=[workspace(*jobs)], now=at(0), advance_per_request=1) as api:
            assert [listed(api) for _ in range(4)] == [["0"], ["1", "0"], ["2", "1", "0"], ["3", "2", "1", "0"]]
            assert [request.simulated_at for request in api.requests()] == [at(second) for second in range(4)]
            assert api.now == at(4)

    def test_a_hook_may_move_it_before_an_answer(self) -> None:
        asked = []

        def on_request(number: int, path: str) -> None:
            asked.append((number, path))
            api.now = at(10 * number)

        with local_workato(workspaces=[workspace(job(1, 15, 25))], on_request=on_request) as api:
            assert [seen(api) for _ in range(3)] == [{}, {"1": "pending"}, {"1": "succeeded"}]
        assert asked == [(number, "/api/recipes/48/jobs") for number in (1, 2, 3)]

    def test_without_one_it_is_now(self) -> None:
        with local_workato(workspaces=[workspace(job(1, 0, 1))]) as api:
            assert abs(api.now - datetime.now(UTC)) < timedelta(seconds=5)
            assert seen(api) == {"1": "succeeded"}
            api.advance(86_400)
            assert abs(api.now - datetime.now(UTC) - timedelta(days=1)) < timedelta(seconds=5)

    def test_a_time_without_offset_is_refused(self) -> None:
        with local_workato() as api, pytest.raises(ValueError, match="it has no offset"):
            api.now = datetime(2018, 5, 21)  # noqa: DTZ001 the point of the test

    def test_jobs_out_of_retention_are_gone(self) -> None:
        jobs = [job(1, 0, 10), job(2, 1, 20, status="failed"), job(3, 2, None)]
        with local_workato(workspaces=[workspace(*jobs)], now=at(86_410), retention_days=1) as api:
            assert seen(api) == {"3": "pending", "2": "failed", "1": "succeeded"}
            api.advance(5)
            assert seen(api) == {"3": "pending", "2": "failed"}
            assert get(api, "/recipes/48/jobs/1").status_code == 404
            assert get(api, "/recipes/48/jobs", offset_job_id=1).status_code == 404
            assert counters(api) == (1, 1, 3)
            api.change(counters="retained")
            assert counters(api) == (0, 1, 2)
            api.advance(10)
            assert counters(api) == (0, 0, 1)

    def test_the_last_run_may_be_the_last_end(self) -> None:
        jobs = [job(1, 0, 100), job(2, 50, 60)]
        with local_workato(workspaces=[workspace(*jobs)], now=at(59), last_run_at="completed") as api:
            runs = []
            for second in (59, 60, 100):
                api.now = at(second)
                runs.append(read(api, "/recipes")["items"][0]["last_run_at"])
        assert runs == [None, "2018-05-21T12:01:00.000Z", "2018-05-21T12:01:40.000Z"]


class TestPagesOfJobs:
    @pytest.fixture
    def api(self) -> Iterator[LocalWorkato]:
        jobs = [
            job(
                number,
                number,
                None if number % 10 == 0 else number + 100 - number % 3 * 40,
                status="failed" if number % 10 == 1 else "pending" if number % 10 == 0 else "completed",
                parent_id=1 if number % 20 == 2 else None,
            )
            for number in range(1, 61)
        ]
        with local_workato(workspaces=[workspace(*jobs)], now=at(1_000), **NEVER) as running:
            yield running

    def test_older_ones_by_offset(self, api: LocalWorkato) -> None:
        assert listed(api) == [str(number) for number in range(60, 35, -1)]
        assert listed(api, per_page=100) == listed(api)
        assert listed(api, offset_job_id=36) == [str(number) for number in range(35, 10, -1)]
        assert listed(api, offset_job_id=11) == [str(number) for number in range(10, 0, -1)]
        assert listed(api, offset_job_id=1) == []

    def test_newer_ones_next_to_the_offset(self, api: LocalWorkato) -> None:
        assert listed(api, offset_job_id=10, prev="true") == [str(number) for number in range(35, 10, -1)]
        assert listed(api, offset_job_id=59, prev="true") == ["60"]
        assert listed(api, offset_job_id=60, prev="true") == []
        assert listed(api, offset_job_id=10, prev="false") == [str(number) for number in range(9, 0, -1)]

    def test_filters(self, api: LocalWorkato) -> None:
        assert listed(api, status="failed") == ["51", "41", "31", "21", "11", "1"]
        assert listed(api, status="failed", offset_job_id=30) == ["21", "11", "1"]
        assert listed(api, status="pending") == ["60", "50", "40", "30", "20", "10"]
        assert len(listed(api, status="succeeded")) == 25
        assert listed(api, rerun_only="true") == ["42", "22", "2"]
        answer = read(api, "/recipes/48/jobs", status="failed")
        assert [answer[name] for name in ("job_succeeded_count", "job_failed_count", "job_count")] == [48, 6, 60]

    def test_size(self, api: LocalWorkato) -> None:
        api.change(jobs_page_size=2)
        assert listed(api, offset_job_id=50) == ["49", "48"]
        assert listed(api, offset_job_id=50, prev="1") == ["52", "51"]

    def test_by_completion_the_running_ones_come_first(self) -> None:
        jobs = [job("long", 0, 100), job("short", 10, 20), job("middle", 5, 50), job("open", 1, None)]
        with local_workato(workspaces=[workspace(*jobs)], now=at(60), listing_order="completed") as api:
            assert listed(api) == ["open", "long", "middle", "short"]
            api.now = at(100)
            assert listed(api) == ["open", "long", "middle", "short"]
            api.change(listing_order="started")
            assert listed(api) == ["short", "middle", "open", "long"]

    def test_a_page_boundary_in_the_same_instant_loses_nothing(self) -> None:
        jobs = [job(number, 0, 1) for number in range(9)]
        with local_workato(workspaces=[workspace(*jobs)], now=at(5), jobs_page_size=4) as api:
            assert walk(api) == [str(number) for number in range(8, -1, -1)]

    @settings(max_examples=25)
    @given(
        runs=st.lists(st.tuples(st.integers(0, 40), st.none() | st.integers(0, 30)), max_size=30),
        begin=st.integers(0, 50),
        step=st.integers(0, 5),
    )
    def test_a_walk_while_jobs_begin_and_end_meets_every_job_that_was_there(
        self, runs: list[tuple[int, int | None]], begin: int, step: int
    ) -> None:
        jobs = [
            job(number, start, None if length is None else start + length)
            for number, (start, length) in enumerate(runs)
        ]
        recipes = [SampleRecipe(recipe_id=48)]
        changes = {"jobs_page_size": 3, "advance_per_request": step, **NEVER}
        with local_workato(workspaces=[workspace(*jobs, recipes=recipes)], now=at(begin), **changes) as api:
            met = walk(api)
            there = sorted(((start, number) for number, (start, _) in enumerate(runs) if start <= begin), reverse=True)
            assert met == [str(number) for _, number in there]


def walk(api: LocalWorkato, recipe_id: int = 48) -> list[str]:
    """The ids of all pages, from the newest to the oldest."""
    met = page = listed(api, recipe_id)
    while page:
        page = listed(api, recipe_id, offset_job_id=page[-1])
        met = met + page
    return met


class TestRecipes:
    def test_one_has_all_fields_that_a_strict_client_asks_for(self) -> None:
        with local_workato(workspaces=[workspace(job(1, 0, 1))], now=at(5)) as api:
            recipe = read(api, "/recipes/48")
            assert read(api, "/recipes") == {"items": [recipe]}
            assert read(api, "/recipes", exclude_code="true") == {"items": [recipe | {"code": ""}]}
        assert json.loads(recipe.pop("code"))["provider"] == "clock"
        names = ["clock", "salesforce", "logger"]
        assert recipe == {
            "id": 48,
            "user_id": 5234,
            "name": "Recipe 48",
            "created_at": MADE_AT,
            "updated_at": MADE_AT,
            "copy_count": 1,
            "trigger_application": "clock",
            "action_applications": names[1:],
            "applications": names,
            "description": "Recipe description 48",
            "parameters_schema": [],
            "parameters": {},
            "webhook_url": None,
            "folder_id": 1,
            "running": True,
            "job_succeeded_count": 1,
            "job_failed_count": 0,
            "lifetime_task_count": 1,
            "last_run_at": "2018-05-21T12:00:00.000Z",
            "stopped_at": None,
            "version_no": 1,
            "stop_cause": None,
            "trigger_closure": None,
            "config": [
                {"keyword": "application", "name": name, "provider": name, "skip_validation": False, "account_id": None}
                for name in names
            ],
            "author_name": "Jane Doe",
            "version_author_name": "Jane Doe",
            "version_author_email": "janedoe@example.com",
            "version_comment": None,
            "tags": [],
        }

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            ({}, range(230, 130, -1)),
            ({"page": 2}, range(130, 30, -1)),
            ({"page": 3, "per_page": 100}, range(30, 0, -1)),
            ({"page": 4}, []),
            ({"per_page": 1_000}, range(230, 130, -1)),
            ({"page": 2, "per_page": 10}, range(220, 210, -1)),
            ({"since_id": 5}, [4, 3, 2, 1]),
            ({"running": "true", "since_id": 9}, [8, 6, 4, 2]),
            ({"active": "true", "since_id": 9}, [8, 6, 4, 2]),
            ({"running": "false", "since_id": 4}, [3, 2, 1]),
            ({"folder_id": 7}, [40, 20]),
            ({"updated_after": "2018-05-21T00:00:00Z"}, [20]),
            ({"stopped_after": "2015-01-01T00:00:00Z", "since_id": 4}, [3, 1]),
            ({"adapter_names_any": "jira,csv_parser", "since_id": 7}, [5, 4, 3]),
            ({"adapter_names_all": "sftp,salesforce", "since_id": 7}, [5]),
            ({"stop_cause": "trial_expired"}, []),
            ({"order": "activity", "per_page": 2}, [3, 9]),
        ],
    )
    def test_the_list_by_page_by_id_and_filtered(self, query: dict[str, Any], ids: Any) -> None:
        recipes = [
            SampleRecipe(
                recipe_id=number,
                running=number % 2 == 0,
                folder_id=7 if number in {20, 40} else 1,
                created_at=at(-10) if number == 20 else datetime(2016, 1, 1, tzinfo=UTC),
            )
            for number in range(1, 231)
        ]
        jobs = [job(1, 10, 11, recipe_id=9), job(2, 20, 21, recipe_id=3)]
        with local_workato(workspaces=[workspace(*jobs, recipes=recipes)], now=at(60)) as api:
            assert [recipe["id"] for recipe in read(api, "/recipes", **query)["items"]] == list(ids)

    def test_recipes_come_and_go(self) -> None:
        recipes = [SampleRecipe(recipe_id=1, deleted_at=at(10)), SampleRecipe(recipe_id=2, created_at=at(5))]
        with local_workato(workspaces=[workspace(job(1, 0, 1, recipe_id=1), recipes=recipes)], now=at(0)) as api:
            there = []
            for second in (0, 5, 10):
                api.now = at(second)
                found = [recipe["id"] for recipe in read(api, "/recipes")["items"]]
                there.append((found, get(api, "/recipes/1/jobs").status_code))
        assert there == [([1], 200), ([2, 1], 200), ([2], 404)]


class TestAccounts:
    def test_the_workspace_of_a_token(self) -> None:
        stopped = SampleRecipe(recipe_id=1, running=False)
        with local_workato(workspaces=[workspace(job(1, 0, 1), recipes=[stopped])], now=at(0)) as api:
            assert read(api, "/users/me") == {
                "id": 5234,
                "name": "Acme",
                "created_at": MADE_AT,
                "handle": "workspace5234",
                "expert": False,
                "avatar_url": "http://www.example.com/assets/default-avatar_large.png",
                "recipes_count": 2,
                "interested_applications": ["salesforce", "netsuite"],
                "company_name": "Acme",
                "location": None,
                "last_seen": "2018-05-21T12:00:00.000Z",
                "contact_phone": None,
                "contact_email": "workspace5234@example.com",
                "about_me": None,
                "email": "workspace5234@example.com",
                "phone": None,
                "active_recipes_count": 1,
                "plan_id": "business_yearly",
                "current_billing_period_start": "2018-05-01T00:00:00.000Z",
                "current_billing_period_end": "2018-06-01T00:00:00.000Z",
                "root_folder_id": 1,
            }
            api.now = datetime(2018, 12, 31, tzinfo=UTC)
            assert read(api, "/users/me")["current_billing_period_end"] == "2019-01-01T00:00:00.000Z"


class TestCustomersOfAPartner:
    @pytest.fixture
    def partner(self) -> Partner:
        lines = example_job().lines
        globex = workspace(job(2, 0, 1, recipe_id=49), user_id=5235, name="Globex", token="globex's")
        return Partner(
            user_id=1,
            name="Partner",
            customers=[workspace(job(1, 0, 1, lines=lines), external_id="A 29/8"), globex],
            token="partner's",
        )

    @pytest.fixture
    def api(self, partner: Partner) -> Iterator[LocalWorkato]:
        with local_workato(workspaces=partner.customers, partners=[partner], now=at(5)) as running:
            yield running

    def test_who_they_are(self, api: LocalWorkato) -> None:
        acme = {
            "id": 5234,
            "external_id": "A 29/8",
            "name": "Acme",
            "notification_email": "workspace5234@example.com",
            "plan_id": "business_yearly",
            "in_trial": False,
            "created_at": MADE_AT,
            "updated_at": MADE_AT,
        }
        globex = acme | {
            "id": 5235,
            "external_id": None,
            "name": "Globex",
            "notification_email": "workspace5235@example.com",
        }
        assert read(api, "/managed_users", token="partner's") == {"result": [acme, globex]}
        assert read(api, "/managed_users", token="partner's", page=2, per_page=1) == {"result": [globex]}
        assert read(api, "/managed_users/5234", token="partner's") == acme
        assert read(api, "/managed_users/EA%2029%2F8", token="partner's") == acme
        own = read(api, "/users/me", token="partner's")
        assert (own["id"], own["name"], own["recipes_count"]) == (1, "Partner", 0)

    @pytest.mark.parametrize("customer", ["5234", "EA%2029%2F8"])
    def test_everything_of_theirs_is_as_they_see_it_themselves(self, api: LocalWorkato, customer: str) -> None:
        for path in ("/recipes/48", "/recipes/48/jobs", "/recipes/48/jobs/1", "/activity_logs"):
            twin = read(api, f"/managed_users/{customer}{path}", token="partner's")
            assert twin == read(api, path)
            assert twin
        twin = read(api, f"/managed_users/{customer}/recipes", token="partner's")
        assert twin == {"result": read(api, "/recipes")["items"]}

    @pytest.mark.parametrize("path", ["5236", "E", "EA", "A%2029%2F8", "5234/recipes/49", "5235/recipes/48/jobs"])
    def test_404(self, api: LocalWorkato, path: str) -> None:
        answer = get(api, f"/managed_users/{path}", token="partner's")
        assert (answer.status_code, answer.json()) == (404, {"message": "Not found"})

    @pytest.mark.parametrize("path", ["", "/5234", "/5234/recipes"])
    def test_only_a_partner_may_ask(self, api: LocalWorkato, path: str) -> None:
        assert get(api, f"/managed_users{path}").status_code == 401


class TestActivityLog:
    @pytest.fixture
    def api(self) -> Iterator[LocalWorkato]:
        user = '{"id":9,"handle":"jd","email":"jd@example.com","name":"Jane"}'
        events = [
            SampleEvent(
                user_id=5234,
                event_id=None if number == 3 else number,
                event="recipe_started" if number % 2 else "user_login",
                details='{"request":{"ip_address":"203.0.113.1"}}' if number else None,
                actor=None if number == 3 else user,
                team=user,
                resource='{"type":"Flow","id":1}' if number % 2 else '{"type":"User","id":9}',
                occurred_at=at(number).isoformat(),
            )
            for number in range(150)
        ]
        with local_workato(workspaces=[workspace(events=events)], now=at(119), **NEVER) as running:
            yield running

    def ids(self, api: LocalWorkato, **query: Any) -> list[int]:
        answer = read(api, "/activity_logs", **query)
        assert answer["total"] == len(answer["data"])
        return [entry["id"] for entry in answer["data"]]

    def test_entries_newest_first(self, api: LocalWorkato) -> None:
        entries = read(api, "/activity_logs", **{"page[after]": 5, "page[size]": 2})["data"]
        acme = {"id": 5234, "name": "Acme", "email": "workspace5234@example.com", "environment": "prod"}
        shared = {"workspace": acme, "details": {"request": {"ip_address": "203.0.113.1"}}}
        assert entries == [
            {
                **shared,
                "id": 4,
                "event_type": "user_login",
                "timestamp": "2018-05-21T12:00:04.000Z",
                "resource": {"type": "User", "id": 9},
                "user": {"id": 9, "name": "Jane", "email": "jd@example.com"},
            },
            {
                **shared,
                "id": 9_000_000_004,  # without an id in the store, and without a user: the system's
                "event_type": "recipe_started",
                "timestamp": "2018-05-21T12:00:03.000Z",
                "resource": {"type": "Flow", "id": 1},
            },
        ]

    def test_pages(self, api: LocalWorkato) -> None:
        assert self.ids(api) == list(range(119, 19, -1))
        assert self.ids(api, **{"page[size]": 500}) == list(range(119, 19, -1))
        assert self.ids(api, **{"page[after]": 20}) == [*range(19, 3, -1), 9_000_000_004, 2, 1, 0]
        assert self.ids(api, **{"page[after]": 0}) == []

    def test_filters(self, api: LocalWorkato) -> None:
        span = {"from": "2018-05-21T12:00:10.000Z", "to": "2018-05-21T12:00:14.000Z"}
        assert self.ids(api, **span) == [14, 13, 12, 11, 10]
        assert self.ids(api, **span, **{"include_resource_types[]": "flow"}) == [13, 11]
        assert self.ids(api, **span, **{"exclude_resource_types[]": "Flow"}) == [14, 12, 10]
        assert self.ids(api, **span, **{"include_event_types[]": ["user_login", "x"]}) == [14, 12, 10]
        assert self.ids(api, **span, **{"exclude_event_types[]": "user_login"}) == [13, 11]
        assert self.ids(api, **span, **{"users_ids[]": 9}) == [14, 13, 12, 11, 10]
        assert self.ids(api, **span, **{"users_ids[]": 8}) == []


class TestQuota:
    def test_a_workspace_has_sixty_requests_in_any_minute(self) -> None:
        seconds = [0.0]
        with local_workato(workspaces=[workspace(job(1, 0, 1))], clock=lambda: seconds[0], now=at(5)) as api:
            statuses = []
            for _ in range(61):
                statuses.append(get(api, "/recipes/48").status_code)
                seconds[0] += 0.5
            assert statuses == [200] * 60 + [429]
            refused = get(api, "/recipes/48/jobs")
            assert (refused.status_code, refused.json()) == (429, {"message": "Too many requests"})
            assert "Retry-After" not in refused.headers
            api.change(retry_after=True)
            assert get(api, "/users/me").headers["Retry-After"] == "30"  # of the 29.5 s that are left, the whole ones
            seconds[0] = 60.0
            assert [get(api, "/users/me").status_code for _ in range(2)] == [200, 429]
            assert busiest(api.requests(), seconds=60) == 64
            assert busiest((r for r in api.requests() if r.status == 200), seconds=60) == 60
            api.reset()
            assert get(api, "/users/me").status_code == 200
            assert len(api.requests()) == 1

    def test_customers_of_a_partner_share_its_quota_and_not_their_own(self) -> None:
        customers = [Workspace(user_id=number, jobs=[job(1, 0, 1)]) for number in (1, 2, 3)]
        partner = Partner(user_id=9, customers=customers)
        limits = {"partner_limit": 6, "direct_limit": 1}
        with local_workato(workspaces=customers, partners=[partner], clock=lambda: 0.0, **limits) as api:
            statuses = [
                get(api, f"/managed_users/{number}/recipes", token=partner.token).status_code
                for number in (1, 2, 3, 1, 2, 3, 1)
            ]
            assert statuses == [200] * 6 + [429]
            assert [get(api, "/recipes", token=customers[0].token).status_code for _ in range(2)] == [200, 429]
            assert get(api, "/recipes", token=customers[1].token).status_code == 200

    def test_activity_logs_have_a_limit_of_their_own_for_customers_too(self) -> None:
        partner = Partner(user_id=9, customers=[Workspace(user_id=number, jobs=[job(1, 0, 1)]) for number in (1, 2)])
        with local_workato(partners=[partner], clock=lambda: 0.0) as api:
            logs = [
                get(api, f"/managed_users/{1 + number % 2}/activity_logs", token=partner.token) for number in range(61)
            ]
            assert [answer.status_code for answer in logs] == [200] * 60 + [429]
            assert get(api, "/managed_users/1/recipes", token=partner.token).status_code == 200


class TestFaults:
    @pytest.fixture
    def api(self) -> Iterator[LocalWorkato]:
        with local_workato(workspaces=[workspace(job(1, 0, 1))], now=at(5)) as running:
            yield running

    def test_statuses_one_by_one(self, api: LocalWorkato) -> None:
        api.script([500, 401, 404, 400, throttled(), throttled(retry_after="3"), 503])
        answers = [get(api, "/recipes/48/jobs") for _ in range(8)]
        assert [answer.status_code for answer in answers] == [500, 401, 404, 400, 429, 429, 503, 200]
        server_error = answers[0].json()
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", server_error.pop("id"))
        assert server_error == {"message": "Server error"}
        assert answers[6].json()["message"] == "Server error"
        assert [answer.json()["message"] for answer in answers[1:4]] == ["Unauthorized", "Not found", "Bad request"]
        assert [answer.headers.get("Retry-After") for answer in answers[4:6]] == [None, "3"]
        assert [request.note for request in api.requests()][:2] == ["scripted: 500", "scripted: 401"]

    def test_only_for_some_paths(self, api: LocalWorkato) -> None:
        api.script([Fault(status=500, path="offset_job_id"), Fault(status=503, path="/jobs")])
        paths = ("/recipes", "/recipes/48/jobs?offset_job_id=1", "/recipes/48/jobs", "/recipes/48/jobs")
        assert [get(api, path).status_code for path in paths] == [200, 500, 503, 200]

    def test_half_of_the_json(self, api: LocalWorkato) -> None:
        whole = get(api, "/recipes").content
        api.script([truncated()])
        half = get(api, "/recipes")
        assert (half.status_code, half.content) == (200, whole[: len(whole) // 2])

    @pytest.mark.parametrize("fault", [reset(), cut_answer()])
    def test_broken_connections(self, api: LocalWorkato, fault: Fault) -> None:
        api.script([fault])
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            get(api, "/recipes")
        assert get(api, "/recipes").status_code == 200
        assert [(request.status, request.note) for request in api.requests()] == [
            (None, f"scripted: {fault.breaks}"),
            (200, ""),
        ]

    def test_slow_answers_and_the_time_limit(self, api: LocalWorkato) -> None:
        api.change(request_timeout=0.3)
        api.script([slow(0.2), slow(30)])
        begin = time.monotonic()
        assert get(api, "/recipes").status_code == 200
        assert time.monotonic() - begin >= 0.2
        answer = get(api, "/recipes")
        assert time.monotonic() - begin >= 0.5
        assert (answer.status_code, answer.json()["message"]) == (504, "Server error")

    def test_others_are_served_meanwhile(self, api: LocalWorkato) -> None:
        api.script([slow(25)])
        parts = urlsplit(api.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            head = f"GET /api/recipes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
            connection.sendall(head.encode())
            assert wait_until(lambda: len(api.requests()) == 1)
            assert get(api, "/recipes").status_code == 200
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "jobs.sqlite"
    demo_store(path, at(-3_600), at(0))
    return path


class TestStore:
    def test_the_accounts_of_the_demo(self, store: Path) -> None:
        found = workspaces_of(store)
        assert [(w.user_id, w.name, w.external_id) for w in found] == [
            (account.user_id, account.name, f"A{account.user_id}") for account in DEMO_ACCOUNTS
        ]
        assert [tuple(recipe.recipe_id for recipe in w.recipes) for w in found] == [a.recipe_ids for a in DEMO_ACCOUNTS]
        for account, served in zip(DEMO_ACCOUNTS, found, strict=True):
            expected = list(account.jobs(1, at(-3_600), at(0)))
            without_data = [
                job._replace(lines=tuple(line._replace(input=None, output=None) for line in job.lines))
                for job in expected
            ]
            assert list(served.jobs) == without_data
            assert list(served.events) == list(account.events(1, at(-3_600), at(0)))
        assert len({w.token for w in found}) == len(found)

    def test_another_store_has_only_its_own(self, store: Path, tmp_path: Path) -> None:
        copy = tmp_path / "copy.sqlite"
        copy.write_bytes(store.read_bytes())
        with closing(sqlite3.connect(copy)) as connection:
            for table in ("jobs", "lines", "admin_events"):
                connection.execute(f"UPDATE job_history_{table} SET user_id = 7")
            connection.commit()
        [served] = workspaces_of(copy)
        assert (served.user_id, served.name, list(served.recipes)) == (7, "", [])


class TestProcess:
    def test_it_serves_a_store_and_is_controlled_over_http(self, store: Path) -> None:
        acme = workspaces_of(store)[0]
        with workato_process(store, now=at(-1_800), jobs_page_size=3, direct_limit=None) as api:
            assert set(api.tokens) == {account.user_id for account in DEMO_ACCOUNTS}
            assert api.now == at(-1_800)
            with local_workato(workspaces=[acme], now=at(-1_800), jobs_page_size=3) as same:
                here = read(same, "/recipes/234/jobs", token=acme.token)
            assert read(api, "/recipes/234/jobs", token=api.tokens[5234]) == here
            assert len(here["items"]) == 3
            customer = "/managed_users/EA5234/recipes/234/jobs"
            assert read(api, customer, token=api.partner_token) == here
            api.advance(60)
            assert api.now == at(-1_740)
            api.now = at(0)
            assert read(api, "/users/me", token=api.tokens[5237])["last_seen"] == "2018-05-21T12:00:00.000Z"
            api.reset()
            api.script([500, Fault(breaks=Break.TRUNCATED)])
            assert get(api, "/users/me", token=api.tokens[5234]).status_code == 500
            assert get(api, "/users/me", token=api.tokens[5234]).text.endswith("}") is False
            api.change(direct_limit=2)
            assert get(api, "/users/me", token=api.tokens[5234]).status_code == 429
            assert [(r.status, r.holder, r.simulated_at) for r in api.requests()] == [
                (500, "workspace 5234", at(0)),
                (200, "workspace 5234", at(0)),
                (429, "workspace 5234", at(0)),
            ]
            with pytest.raises(ValueError, match="Expected `int` >= 1"):
                api.change(jobs_page_size=0)
            with pytest.raises(ValueError, match="no regular expression"):
                api.script([Fault(path="(")])
            with pytest.raises(ValueError, match="it has no offset"):
                api.now = datetime(2018, 5, 21)  # noqa: DTZ001 the point of the test

    def test_it_ends_with_its_input_or_on_a_signal(self, store: Path) -> None:
        command = [sys.executable, "-m", "simulators.workato", f"--store={store}"]
        environment = {"PYTHONPATH": str(PACKAGES)}
        for arguments, stop in ((["--until-input-ends"], None), ([], signal.SIGTERM)):
            with subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                start_new_session=True,
            ) as process:
                started = json.loads(process.stdout.readline())
                assert started.keys() == {"url", "tokens", "partner_token"}
                if stop is None:
                    process.stdin.close()
                else:
                    process.send_signal(stop)
                assert process.wait(60) == 0


def test_the_sample_jobs_are_all_served() -> None:
    jobs = list(sample_jobs(3, 5234, recipe_ids=[1, 2], start=at(0), end=at(3_600), jobs_per_hour=120))
    with local_workato(workspaces=[workspace(*jobs)], now=at(3_600), **NEVER) as api:
        for recipe_id in (1, 2):
            expected = [job for job in jobs if job.recipe_id == recipe_id]
            met = walk(api, recipe_id)
            assert sorted(met) == sorted(str(job.job_id) for job in expected)
            assert len(met) > 25
