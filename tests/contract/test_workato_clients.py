"""The local Workato API understands clients that others wrote for the real one, and what they read is in the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.workato_clients import cli, cli_models, tap

from simulators.job_store import DEMO_ACCOUNTS, demo_store
from simulators.workato import LocalWorkato, Partner, SampleRecipe, Workspace, local_workato, workspaces_of

START = datetime(2018, 5, 21, 8, tzinfo=UTC)
NOW = datetime(2018, 5, 21, 11, 30, tzinfo=UTC)
END = datetime(2018, 5, 21, 12, tzinfo=UTC)
JOBS_PAGE = 25

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]  # the first run installs the clients


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "jobs.sqlite"
    demo_store(path, START, END)
    return path


@pytest.fixture(scope="module")
def workspaces(store: Path) -> dict[int, Workspace]:
    return {workspace.user_id: workspace for workspace in workspaces_of(store)}


@pytest.fixture(scope="module")
def partner(workspaces: dict[int, Workspace]) -> Partner:
    return Partner(user_id=1, name="Partner", customers=list(workspaces.values()))


@pytest.fixture
def api(workspaces: dict[int, Workspace], partner: Partner) -> Iterator[LocalWorkato]:
    with local_workato(workspaces=list(workspaces.values()), partners=[partner], now=NOW) as running:
        yield running


class Store:
    """What the store holds at the simulated time, by SQL."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def jobs(self, user_id: int, recipe_id: int) -> list[dict[str, Any]]:
        """The jobs of a recipe that have begun, newest first."""
        with closing(sqlite3.connect(self._path)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(
                "SELECT * FROM job_history_jobs WHERE user_id = ? AND recipe_id = ?", (user_id, recipe_id)
            ).fetchall()
        jobs = [dict(row) for row in rows if instant(row["started_at"]) <= NOW]
        jobs.sort(key=lambda job: instant(job["started_at"]), reverse=True)
        for job in jobs:
            job["is_finished"] = job["completed_at"] is not None and instant(job["completed_at"]) <= NOW
        return jobs

    def counters(self, user_id: int, recipe_id: int) -> tuple[int, int, int]:
        """Succeeded, failed, and all."""
        jobs = self.jobs(user_id, recipe_id)
        ended = [job["status"] for job in jobs if job["is_finished"]]
        succeeded = ended.count("completed") + ended.count("succeeded")
        return succeeded, ended.count("failed"), len(jobs)

    def last_run_at(self, user_id: int, recipe_id: int) -> datetime:
        return max(cut(instant(job["started_at"])) for job in self.jobs(user_id, recipe_id))


@pytest.fixture
def held(store: Path) -> Store:
    return Store(store)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def cut(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1_000 * 1_000)


def recipe_ids(user_id: int) -> list[int]:
    [account] = [account for account in DEMO_ACCOUNTS if account.user_id == user_id]
    return sorted(account.recipe_ids, reverse=True)


def records(messages: list[dict[str, Any]], stream: str) -> list[dict[str, Any]]:
    """The records of a stream, each of which the tap's own schema accepts."""
    schema = next(m["schema"] for m in messages if m["type"] == "SCHEMA" and m["stream"] == stream)
    found = [m["record"] for m in messages if m["type"] == "RECORD" and m["stream"] == stream]
    for record in found:
        jsonschema.validate(record, schema, format_checker=jsonschema.FormatChecker())
    return found


class TestTapWorkato:
    @pytest.mark.parametrize("user_id", [5234, 5235])
    def test_recipes_and_jobs(
        self, api: LocalWorkato, workspaces: dict[int, Workspace], held: Store, tmp_path: Path, user_id: int
    ) -> None:
        messages = tap(api.url, workspaces[user_id].token, streams={"recipes", "jobs"}, scratch=tmp_path)
        recipes, jobs = records(messages, "recipes"), records(messages, "jobs")
        assert [recipe["id"] for recipe in recipes] == recipe_ids(user_id)
        assert [record["recipe_id"] for record in jobs] == recipe_ids(user_id)
        for recipe, record in zip(recipes, jobs, strict=True):
            succeeded, failed, everything = held.counters(user_id, recipe["id"])
            assert (recipe["job_succeeded_count"], recipe["job_failed_count"]) == (succeeded, failed)
            assert (record["job_succeeded_count"], record["job_failed_count"]) == (succeeded, failed)
            assert record["job_count"] == everything
            assert instant(recipe["last_run_at"]) == held.last_run_at(user_id, recipe["id"])
            assert_same_jobs(record["items"], held.jobs(user_id, recipe["id"]))
        statuses = {item["status"] for record in jobs for item in record["items"]}
        assert statuses >= {"succeeded", "failed", "pending"}
        ids = recipe_ids(user_id)
        assert [request.path for request in api.requests()] == [
            "/api/recipes?per_page=100",
            *(f"/api/recipes/{recipe_id}/jobs?per_page=100" for recipe_id in ids),
        ]

    def test_customers_and_their_recipes_however_throttled(
        self, api: LocalWorkato, partner: Partner, held: Store, tmp_path: Path
    ) -> None:
        api.script([429])
        messages = tap(api.url, partner.token, streams={"customer_accounts", "customer_recipes"}, scratch=tmp_path)
        customers, recipes = records(messages, "customer_accounts"), records(messages, "customer_recipes")
        assert [(customer["id"], customer["name"], customer["external_id"]) for customer in customers] == [
            (account.user_id, account.name, f"A{account.user_id}") for account in DEMO_ACCOUNTS
        ]
        by_customer = [(recipe["user_id"], recipe["id"]) for recipe in recipes]
        assert by_customer == [(a.user_id, recipe_id) for a in DEMO_ACCOUNTS for recipe_id in recipe_ids(a.user_id)]
        counted = [(recipe["job_succeeded_count"], recipe["job_failed_count"]) for recipe in recipes]
        assert counted == [held.counters(user_id, recipe_id)[:2] for user_id, recipe_id in by_customer]
        assert sum(map(sum, counted)) > 500
        assert [request.status for request in api.requests()] == [429, 200, *(200 for _ in DEMO_ACCOUNTS)]


class TestWorkatoPlatformCli:
    def test_its_strict_models_take_the_workspace_and_its_recipes(
        self, api: LocalWorkato, workspaces: dict[int, Workspace], held: Store, tmp_path: Path
    ) -> None:
        api.script([429])
        read = cli_models(api.url, workspaces[5234].token, scratch=tmp_path)
        user = {name: read["user"][name] for name in ("id", "name", "recipes_count", "active_recipes_count")}
        assert user == {"id": 5234, "name": "Acme", "recipes_count": 6, "active_recipes_count": 6}
        assert [recipe["id"] for recipe in read["recipes"]] == recipe_ids(5234)
        for recipe in read["recipes"]:
            succeeded, failed, _ = held.counters(5234, recipe["id"])
            assert (recipe["job_succeeded_count"], recipe["job_failed_count"]) == (succeeded, failed)
            assert recipe["lifetime_task_count"] == succeeded + failed
            assert instant(recipe["last_run_at"]) == held.last_run_at(5234, recipe["id"])
        assert [request.status for request in api.requests()] == [429, 200, 200]

    def test_it_pages_through_many_recipes(self, tmp_path: Path) -> None:
        many = [SampleRecipe(recipe_id=number, running=number % 2 == 0) for number in range(1, 231)]
        workspace = Workspace(user_id=7, recipes=many)
        with local_workato(workspaces=[workspace], now=NOW) as api:
            read = cli_models(api.url, workspace.token, scratch=tmp_path)
            assert [recipe["id"] for recipe in read["recipes"]] == list(range(230, 0, -1))
            assert [request.path for request in api.requests()] == [
                "/api/users/me",
                *(f"/api/recipes?page={page}&per_page=100&running=false" for page in (1, 2, 3)),
            ]

    def test_its_commands_show_what_the_store_holds(
        self, api: LocalWorkato, workspaces: dict[int, Workspace], held: Store, tmp_path: Path
    ) -> None:
        token = workspaces[5236].token
        listed = cli(api.url, token, "recipes", "list", "--folder-id", "1", scratch=tmp_path)
        shown = [line.split(": ")[1] for line in listed.splitlines() if "Jobs:" in line]
        counters = [held.counters(5236, recipe_id) for recipe_id in recipe_ids(5236)]
        assert shown == [f"{succeeded} succeeded, {failed} failed" for succeeded, failed, _ in counters]
        workspace = cli(api.url, token, "workspace", scratch=tmp_path)
        assert [line.strip() for line in workspace.splitlines()][1:4] == [
            "Name: Initech",
            "Email: workspace5236@example.com",
            "ID: 5236",
        ]


def assert_same_jobs(items: list[dict[str, Any]], jobs: list[dict[str, Any]]) -> None:
    """The items of a first page are the newest jobs of the store, as they stand at the simulated time."""
    assert len(items) == min(len(jobs), JOBS_PAGE)
    by_id = {str(job["job_id"]): job for job in jobs}
    starts = [instant(by_id[item["id"]]["started_at"]) for item in items]
    assert starts == [instant(job["started_at"]) for job in jobs[:JOBS_PAGE]]
    for item in items:
        job = by_id[item["id"]]
        status = {"completed": "succeeded"}.get(job["status"], job["status"]) if job["is_finished"] else "pending"
        assert (item["status"], item["is_error"], item["title"]) == (status, status == "failed", job["title"])
        assert item["error"] == (job["error"] if job["is_finished"] else None)
        assert item.get("error_parts", {}).get("error_type") == (job["error_type"] if status == "failed" else None)
        assert item["is_poll_error"] is (status == "failed" and bool(job["is_poll_error"]))
        assert instant(item["started_at"]) == cut(instant(job["started_at"]))
        completed_at = cut(instant(job["completed_at"])) if job["is_finished"] else None
        assert (item["completed_at"] and instant(item["completed_at"])) == completed_at
