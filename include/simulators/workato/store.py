"""Workspaces out of a SQLite sample job store."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from simulators.job_store import DEMO_ACCOUNTS, SampleEvent, SampleJob, SampleLine
from simulators.job_store.rows import EVENT_COLUMNS, JOB_COLUMNS

from .workspace import SampleRecipe, Workspace

_EXTERNAL_ID = "A{user_id}"


def workspaces_of(path: Path) -> list[Workspace]:
    """The accounts of a SQLite job store as workspaces, by user_id.

    In a store with one of the demo's accounts, all of them are there, idle ones too, with their names and recipes.

    Neither the input nor the output of a step is read: the API would not show it. Raises sqlite3.Error for a file that
    is no job store.
    """
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        jobs, events = _jobs(connection), _events(connection)
    demo = {account.user_id: account for account in DEMO_ACCOUNTS}
    user_ids = jobs.keys() | events.keys()
    workspaces = []
    for user_id in sorted(user_ids if user_ids.isdisjoint(demo) else user_ids | demo.keys()):
        account = demo.get(user_id)
        recipe_ids = () if account is None else account.recipe_ids
        workspaces.append(
            Workspace(
                user_id=user_id,
                name="" if account is None else account.name,
                jobs=jobs[user_id],
                events=events[user_id],
                recipes=[SampleRecipe(recipe_id=recipe_id) for recipe_id in recipe_ids],
                external_id=_EXTERNAL_ID.format(user_id=user_id),
            )
        )
    return workspaces


def _jobs(connection: sqlite3.Connection) -> dict[int, list[SampleJob]]:
    lines: dict[tuple[int, int | str], list[SampleLine]] = defaultdict(list)
    for line in _lines(connection):
        lines[line.user_id, line.job_id].append(line)
    jobs: dict[int, list[SampleJob]] = defaultdict(list)
    for row in connection.execute(f"SELECT {', '.join(JOB_COLUMNS)} FROM job_history_jobs ORDER BY rowid"):  # noqa: S608 our own names
        job = SampleJob._make((*row, ()))
        own_lines = tuple(lines.get((job.user_id, job.job_id), ()))
        jobs[job.user_id].append(job._replace(is_poll_error=bool(job.is_poll_error), lines=own_lines))
    return jobs


def _lines(connection: sqlite3.Connection) -> Iterator[SampleLine]:
    columns = (
        "user_id, job_id, line_index, recipe_line_number, adapter_name, adapter_operation, NULL, NULL, error, mask_data"
    )
    for row in connection.execute(f"SELECT {columns} FROM job_history_lines ORDER BY user_id, job_id, line_index"):  # noqa: S608 our own names
        yield SampleLine(*row)


def _events(connection: sqlite3.Connection) -> dict[int, list[SampleEvent]]:
    events: dict[int, list[SampleEvent]] = defaultdict(list)
    for row in connection.execute(f"SELECT {', '.join(EVENT_COLUMNS)} FROM job_history_admin_events ORDER BY rowid"):  # noqa: S608 our own names
        event = SampleEvent(*row)
        events[event.user_id].append(event)
    return events
