"""What reading through the platform's API costs: requests counted at the local API, for single hours and a day of
backfill.

`python -m tests.benchmarks.workato` prints the table of docs/workato.md. The minutes are the requests at the 50 a
minute that all tasks of a workspace share.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from job_history.http.session import http_session
from job_history.model.window import Window
from job_history.sources.workato import Endpoint, Unlimited, WorkatoClient, WorkatoSource
from job_history.storage import Storage, local_storage
from simulators.job_store import SampleJob, plain_job
from simulators.workato import LocalWorkato, SampleRecipe, Workspace, local_workato

USER_ID = 5234
START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
HISTORY_HOURS = 72
REQUESTS_A_MINUTE = 50


class Workload(NamedTuple):
    """`recipes` in all; each of the `busy` ones has so many jobs in each hour."""

    recipes: int
    busy: int
    jobs_an_hour: int


WORKLOADS = [Workload(300, 10, 1), Workload(300, 10, 10)]


def jobs_of(load: Workload) -> list[SampleJob]:
    step = HOUR / load.jobs_an_hour
    moments = [START + step * number for number in range(-HISTORY_HOURS * load.jobs_an_hour, 24 * load.jobs_an_hour)]
    return [
        plain_job(USER_ID, START, 1 + recipe * len(moments) + number)._replace(
            recipe_id=1 + recipe * (load.recipes // load.busy),
            started_at=(moment + timedelta(seconds=recipe)).isoformat(),
            completed_at=(moment + timedelta(seconds=recipe + 5)).isoformat(),
        )
        for recipe in range(load.busy)
        for number, moment in enumerate(moments)
    ]


def requests_of(api: LocalWorkato, token: str, window: Window, staging: Storage, *, lines: bool) -> int:
    """Plan and read one window, and return how many requests came in."""
    api.reset()
    client = WorkatoClient(Endpoint(api.url, token), http_session(), Unlimited())
    source = WorkatoSource(client, staging=staging, clock=api.now.timestamp)
    if source.has_news(USER_ID, window):
        with source.listing(USER_ID, window, line_details=lines) as listing:
            sum(1 for _ in listing)
    return len(api.requests())


def day(load: Workload, *, live: bool, lines: bool) -> list[int]:
    """Return the requests of each hour of a day, read as it goes (`live`) or backfilled when it is over."""
    recipes = [SampleRecipe(recipe_id=number) for number in range(1, load.recipes + 1)]
    workspace = Workspace(user_id=USER_ID, jobs=jobs_of(load), recipes=recipes)
    windows = [Window(START + number * HOUR, START + (number + 1) * HOUR) for number in range(24)]
    with (
        tempfile.TemporaryDirectory() as folder,
        local_workato(workspaces=[workspace], now=windows[-1].end + HOUR, direct_limit=None) as api,
    ):
        staging = local_storage(Path(folder))
        counted = []
        for window in windows:
            if live:
                api.now = window.end + timedelta(minutes=10)
            counted.append(requests_of(api, workspace.token, window, staging, lines=lines))
        return counted


def main() -> None:
    write = sys.stdout.write
    write(
        "| recipes | of them with jobs | jobs an hour | line details | an hour, live | a day, backfilled | minutes |\n"
    )
    write("|---|---|---|---|---|---|---|\n")
    for load in WORKLOADS:
        for lines in (False, True):
            live, backfilled = max(day(load, live=True, lines=lines)), sum(day(load, live=False, lines=lines))
            write(
                f"| {load.recipes:,} | {load.busy} | {load.busy * load.jobs_an_hour:,} | {'on' if lines else 'off'} | "
                f"{live:,} | {backfilled:,} | {backfilled / REQUESTS_A_MINUTE:,.0f} |\n"
            )


if __name__ == "__main__":
    main()
