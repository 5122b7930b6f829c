"""Jobs of a workspace, from the platform's own API."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from job_history.errors import TransientError
from job_history.model.ids import Id
from job_history.model.job import JobRecord
from job_history.model.unplaceable import Unplaceable, largest
from job_history.model.window import Window
from job_history.sources import Cost
from job_history.sources.listing import StreamedListing
from job_history.sources.workato import retention as kept
from job_history.sources.workato.checkpoint import Checkpoint, checkpoint_or_passing
from job_history.sources.workato.client import WorkatoClient
from job_history.sources.workato.details import DetailReader
from job_history.sources.workato.open_jobs import OpenJobs
from job_history.sources.workato.reading import COUNTERS, SECOND_LISTING, Reading, RecipeReader, portion_of
from job_history.sources.workato.recipes import Recipe, must_show_recipes, recipes
from job_history.sources.workato.request_log import log_requests
from job_history.sources.workato.workspace import WorkspaceCheck
from job_history.storage import Storage

log = logging.getLogger(__name__)

MAX_JOB = timedelta(hours=24)
# For a recipe with jobs, two listings of three pages each are usual.
REQUESTS_A_RECIPE = 6


class _Ended(NamedTuple):
    id: Id | None
    at: datetime


class _Listed(NamedTuple):
    user_id: int
    window: Window
    ended: list[_Ended]


class WorkatoSource:
    """Reads one workspace. How it makes sure that no job is missed, and what it cannot see, is in docs/workato.md."""

    counts_by = COUNTERS

    def __init__(
        self,
        client: WorkatoClient,
        *,
        checkpoint: Checkpoint | None = None,
        staging: Storage | None = None,
        longest_job: timedelta = MAX_JOB,
        retention: timedelta | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`checkpoint`: where a task that is tried again finds what it has read; without, it lasts as long as the
        listing.

        `staging`: where open jobs are noted that must be watched; without, none are. `longest_job`: the maximum time
        from when a job is made to its end, waiting and pauses included. `retention`: how long the platform keeps jobs;
        None if that is not known. `clock` is in seconds since 1970.
        """
        self._client = client
        self._checkpoint = checkpoint
        self._staging = staging
        self._longest_job = longest_job
        self._retention = retention
        self._clock = clock
        self._workspace = WorkspaceCheck(client)
        self._listed: _Listed | None = None
        self._recipes_to_read: list[Recipe] | None = None

    def count(self, user_id: int, window: Window) -> int:
        """Count by listing. Parts of a window that was just counted cost no requests, as its jobs are remembered."""
        return len(self._ended(user_id, window))

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        """Yield the ids of the jobs that `count` counts, at the same cost."""
        return (str(job.id) for job in self._ended(user_id, window))

    def has_news(self, user_id: int, window: Window) -> bool:
        """Return whether any recipe can have jobs in the window: a request for each hundred recipes.

        Raises PermanentError if there is nothing to list, and the workspace is not `user_id`.
        """
        with log_requests(self._client, "looking for news in", window):
            self._check_age(window)
            self._recipes_to_read = self._to_read(window, self._open_jobs(user_id))
            if not self._recipes_to_read:
                self._workspace.check(user_id)  # as no listing will
            return bool(self._recipes_to_read)

    def cost(self, user_id: int, window: Window) -> Cost:  # noqa: ARG002 - the token, or its customer, is the account
        """Estimate the requests of a listing without line details, from the recipes that `has_news` found.

        A job's lines cost one request more; how many jobs there are is not known before the listing.
        """
        recipes_to_read = self._recipes_to_read or []
        requests = 1 + REQUESTS_A_RECIPE * len(recipes_to_read)
        return Cost(requests=requests, seconds=requests / self._client.rate_limiter.requests_a_second)

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[StreamedListing[JobRecord]]:
        """Read all recipes that can have news, then yield their jobs.

        Raises:
            PermanentError: the workspace is not `user_id`.
            UnrecoverableError: the platform no longer has the window's jobs.
            TransientError: two listings of a recipe differ, or its counters and its list contradict each other.
        """
        with checkpoint_or_passing(self._checkpoint) as checkpoint, log_requests(self._client, "reading", window):
            self._check_age(window)
            open_jobs = self._open_jobs(user_id)
            to_read = self._to_read(window, open_jobs)
            read_at = self._client.server_time
            self._workspace.check(user_id)
            reader = self._reader(user_id, window, open_jobs)
            readings = [reader.read(recipe, checkpoint) for recipe in to_read]
            kept.check_swept(window, readings, self._clock())
            _check_agreement(window, readings)
            yield StreamedListing(
                counted=sum(reading.counted for reading in readings),
                counted_by=_counted_by(readings),
                records=self._records(readings, checkpoint, line_details=line_details),
                unplaceable=_unplaceable(readings),
                read_at=read_at,
            )
            # If a task that succeeded is cleared, the platform is to be read again.
            checkpoint.clear()

    def check_readable(self, *, line_details: bool) -> None:  # noqa: ARG002 - a job's lines need no permission of their own
        """Ask for the token's workspace and for recipes. Raises PermanentError or TransientError if a listing would."""
        self._workspace.ask()
        if next(recipes(self._client), None) is None:
            must_show_recipes(self._client)

    def check_account(self, user_id: int) -> None:
        """Raise PermanentError if the workspace is not `user_id`."""
        self._workspace.check(user_id)

    def _ended(self, user_id: int, window: Window) -> list[_Ended]:
        listed = self._listed
        if (
            listed is None
            or listed.user_id != user_id
            or not (listed.window.start <= window.start < window.end <= listed.window.end)
        ):
            with log_requests(self._client, "counting", window):
                self._check_age(window)
                open_jobs = self._open_jobs(user_id)
                reader = self._reader(user_id, window, open_jobs)
                ended = [
                    _Ended(job.id, job.completed_at)
                    for recipe in self._to_read(window, open_jobs)
                    for job in reader.ended_in_window(recipe)
                    if job.completed_at is not None
                ]
            listed = self._listed = _Listed(user_id, window, ended)
        return [job for job in listed.ended if job.at in window]

    def _open_jobs(self, user_id: int) -> OpenJobs:
        return OpenJobs(self._client, self._staging, user_id, self._longest_job, self._clock)

    def _reader(self, user_id: int, window: Window, open_jobs: OpenJobs) -> RecipeReader:
        return RecipeReader(self._client, user_id, window, self._longest_job, open_jobs)

    def _to_read(self, window: Window, open_jobs: OpenJobs) -> list[Recipe]:
        """Return the recipes that can have jobs in the window, and those with jobs that are watched."""
        known = {recipe.id: recipe for recipe in recipes(self._client)}
        if not known:
            must_show_recipes(self._client)
        with_news = [recipe for recipe in known.values() if recipe.can_have_news(window, self._longest_job)]
        log.info("%s of %s recipes can have jobs that ended in %s.", len(with_news), len(known), window)
        watched = open_jobs.recipes(window) - {recipe.id for recipe in with_news}
        return [*with_news, *(known[recipe_id] for recipe_id in sorted(watched & known.keys()))]

    def _records(self, readings: list[Reading], checkpoint: Checkpoint, *, line_details: bool) -> Iterator[JobRecord]:
        details = DetailReader(self._client, checkpoint)
        for reading in readings:
            if line_details:
                yield from details.records(reading.recipe_id)
            else:
                yield from checkpoint.records(portion_of(reading.recipe_id), JobRecord)

    def _check_age(self, window: Window) -> None:
        if self._retention is not None:
            kept.check_age(window, self._retention, self._clock())


def _check_agreement(window: Window, readings: list[Reading]) -> None:
    """Raise TransientError if counts differ, before a request is sent for the lines of jobs that cannot be
    delivered.
    """
    differing = [reading for reading in readings if not reading.agrees]
    if differing:
        problems = "; ".join(
            reading.contradiction
            or f"recipe {reading.recipe_id}: {reading.listed} listed, {reading.counted} by a second listing"
            for reading in differing[:5]
        )
        raise TransientError(
            f"{len(differing)} recipes contradict themselves about the jobs of the window {window} ({problems}). "
            "Nothing was delivered, because jobs may be missing; the next try reads these recipes again. If it "
            "persists, the platform may show jobs late: raise [job_history] settle_minutes. Or a job may have taken "
            "more than source.longest_job_hours: raise that. Or the platform no longer holds them: set "
            "source.retention_days."
        )


def _unplaceable(readings: list[Reading]) -> Unplaceable | None:
    """Add up the recipes' numbers, with the example of the largest."""
    example = largest(reading.unplaceable for reading in readings)
    if example is None:
        return None
    total = sum(reading.unplaceable.count + reading.unplaceable.over_limit for reading in readings)
    return Unplaceable.of_first(total, example.example_id, example.example_form)


def _counted_by(readings: list[Reading]) -> str:
    """Return both means if some recipes' counters counted and others' did not; counters if there was no recipe to
    read.
    """
    used = Counter(reading.counted_by for reading in readings)
    return " and ".join(way for way in (COUNTERS, SECOND_LISTING) if used[way]) or COUNTERS
