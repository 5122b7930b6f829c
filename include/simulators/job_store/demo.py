"""The job store of the demo: five accounts that differ in what matters."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from .database import fill, fill_events
from .events import sample_events
from .rows import SampleEvent, SampleJob
from .sample import Style, sample_jobs
from .schema import create
from .special import example_job

DEMO_SEED = 1


class DemoAccount(NamedTuple):
    """One customer. `office_hours`: the hours of the day, in UTC, that its recipes run in."""

    user_id: int
    name: str
    recipe_ids: tuple[int, ...]
    jobs_per_hour: int
    style: Style = Style()
    events_per_hour: int = 0
    office_hours: range = range(24)

    def jobs(self, seed: int, start: datetime, end: datetime) -> Iterator[SampleJob]:
        """The account's jobs of [start, end), with the example of the feature page in its own hour."""
        example = example_job()
        if self.user_id == example.user_id and _is_in(example.completed_at, start, end):
            yield example
        jobs = sample_jobs(
            seed,
            self.user_id,
            recipe_ids=self.recipe_ids,
            start=start,
            end=end,
            jobs_per_hour=self.jobs_per_hour,
            style=self.style,
        )
        for job in jobs:
            seen_at = datetime.fromisoformat(job.completed_at or job.started_at or "")
            if seen_at.astimezone(UTC).hour in self.office_hours:
                yield job

    def events(self, seed: int, start: datetime, end: datetime) -> Iterator[SampleEvent]:
        """The account's admin events of [start, end)."""
        return sample_events(seed, self.user_id, start, end, self.events_per_hour)


DEMO_ACCOUNTS = (
    DemoAccount(5234, "Acme", (234, 235, 236, 237, 238, 239), jobs_per_hour=120, events_per_hour=6),
    DemoAccount(5235, "Globex", (456, 457, 458), jobs_per_hour=60, style=Style(handles=True, success="succeeded")),
    DemoAccount(5236, "Initech", (610, 612), jobs_per_hour=40),  # replicated without line details
    DemoAccount(5237, "Umbrella", (700, 703), jobs_per_hour=30, office_hours=range(8, 18)),
    DemoAccount(
        5238,
        "Hooli",
        (801, 802, 803),
        jobs_per_hour=30,
        style=Style(success="succeeded", lines="big", failed_percent=30),
    ),
)


def demo_store(path: Path, start: datetime, end: datetime) -> dict[int, int]:
    """Write the SQLite job store of the demo for [start, end) and return the number of jobs by user_id.

    A file that is there is replaced, once the new one is whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # an unfinished file is thrown away anyway
        create(connection, "sqlite")
        counts = {
            account.user_id: fill(connection, "sqlite", account.jobs(DEMO_SEED, start, end))
            for account in DEMO_ACCOUNTS
        }
        for account in DEMO_ACCOUNTS:
            fill_events(connection, "sqlite", account.events(DEMO_SEED, start, end))
    unfinished.replace(path)
    return counts


def _is_in(text: str | None, start: datetime, end: datetime) -> bool:
    return text is not None and start <= datetime.fromisoformat(text) < end
