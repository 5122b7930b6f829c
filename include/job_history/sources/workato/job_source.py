"""Jobs of a workspace, from the platform's own API."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from job_history.errors import TransientError, UnrecoverableError
from job_history.model.ids import Id
from job_history.model.job import JobRecord
from job_history.model.timestamp import parse_time
from job_history.model.window import Window, is_older_than
from job_history.sources.listing import StreamedListing
from job_history.sources.workato.checkpoint import Checkpoint, checkpoint_or_passing
from job_history.sources.workato.client import WorkatoClient
from job_history.sources.workato.details import DetailReader
from job_history.sources.workato.reading import COUNTERS, SECOND_LISTING, Reading, RecipeReader, portion_of
from job_history.sources.workato.recipes import Recipe, must_show_recipes, recipes
from job_history.sources.workato.request_log import log_requests

log = logging.getLogger(__name__)

MAX_JOB = timedelta(hours=24)
# Documented (an older FAQ): jobs are kept 30 or 90 days by plan, and for less where a workspace chooses so.
MIN_PLAN_RETENTION = timedelta(days=30)


class _Ended(NamedTuple):
    id: Id | None
    at: datetime


class _Listed(NamedTuple):
    user_id: int
    window: Window
    ended: list[_Ended]


class WorkatoSource:
    """Reads one workspace. How it makes sure that no job is missed, and where it cannot, is in docs/workato.md."""

    counts_by = COUNTERS

    def __init__(
        self,
        client: WorkatoClient,
        *,
        checkpoint: Checkpoint | None = None,
        longest_job: timedelta = MAX_JOB,
        retention: timedelta | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`checkpoint`: where a task that is tried again finds what it has read; without, nothing outlives the listing.

        `longest_job`: the most that a job takes from being made to its end, waiting and pauses included. `retention`: how
        long the platform keeps jobs; None where that is not known. `clock` is in seconds since 1970.
        """
        self._client = client
        self._checkpoint = checkpoint
        self._longest_job = longest_job
        self._retention = retention
        self._clock = clock
        self._listed: _Listed | None = None

    def count(self, user_id: int, window: Window) -> int:
        """Count by listing. Parts of a window that was just counted cost no requests, as what was listed is remembered."""
        return len(self._ended(user_id, window))

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        """Yield the ids of what `count` counts, at the same cost."""
        return (str(job.id) for job in self._ended(user_id, window))

    def _ended(self, user_id: int, window: Window) -> list[_Ended]:
        listed = self._listed
        if (
            listed is None
            or listed.user_id != user_id
            or not (listed.window.start <= window.start < window.end <= listed.window.end)
        ):
            with log_requests(self._client, "counting", window):
                self._refuse_if_too_old(window)
                reader = self._reader(user_id, window)
                ended = [
                    _Ended(job.id, moment)
                    for recipe in self._with_news(window)
                    for job in reader.ended_in_window(recipe.id)
                    if (moment := job.completed_at or job.started_at) is not None
                ]
            listed = self._listed = _Listed(user_id, window, ended)
        return [job for job in listed.ended if job.at in window]

    def has_news(self, user_id: int, window: Window) -> bool:  # noqa: ARG002 - the token, or its customer, is the account
        """Say whether any recipe can have jobs in the window: as much as a plan needs, for a request a hundred recipes."""
        with log_requests(self._client, "looking for news in", window):
            self._refuse_if_too_old(window)
            return bool(self._with_news(window))

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[StreamedListing[JobRecord]]:
        """Read all recipes that can have news, then yield their jobs. Raises UnrecoverableError where they are gone.

        TransientError where two listings of a recipe differ.
        """
        with checkpoint_or_passing(self._checkpoint) as checkpoint, log_requests(self._client, "reading", window):
            self._refuse_if_too_old(window)
            reader = self._reader(user_id, window)
            readings = [reader.read(recipe.id, checkpoint) for recipe in self._with_news(window)]
            _must_agree(window, readings)
            self._refuse_if_swept(window, readings)
            yield StreamedListing(
                counted=sum(reading.counted for reading in readings),
                counted_by=_counted_by(readings),
                records=self._records(readings, checkpoint, line_details=line_details),
            )
            # Whoever clears a task that succeeded wants the platform asked anew.
            checkpoint.clear()

    def check_readable(self, *, line_details: bool) -> None:  # noqa: ARG002 - a job's lines need no right of their own
        """Ask who the token belongs to, and for recipes. Raises PermanentError or TransientError where a listing would."""
        self._client.me()
        if next(recipes(self._client), None) is None:
            must_show_recipes(self._client)

    def _reader(self, user_id: int, window: Window) -> RecipeReader:
        return RecipeReader(self._client, user_id, window, self._longest_job)

    def _with_news(self, window: Window) -> list[Recipe]:
        known = list(recipes(self._client))
        if not known:
            must_show_recipes(self._client)
        asked = [recipe for recipe in known if recipe.can_have_news(window, self._longest_job)]
        log.info("%s of %s recipes can have jobs that ended in %s.", len(asked), len(known), window)
        return asked

    def _records(self, readings: list[Reading], checkpoint: Checkpoint, *, line_details: bool) -> Iterator[JobRecord]:
        details = DetailReader(self._client, checkpoint)
        for reading in readings:
            if line_details:
                yield from details.records(reading.recipe_id)
            else:
                yield from checkpoint.records(portion_of(reading.recipe_id), JobRecord)

    def _refuse_if_too_old(self, window: Window) -> None:
        if self._retention is not None and is_older_than(window, self._retention, self._clock()):
            raise UnrecoverableError(
                f"The window {window} begins before what the platform still holds (source.retention_days is "
                f"{self._retention.days}). Its jobs can no longer be read; what was delivered in time is at the destination."
            )

    def _refuse_if_swept(self, window: Window, readings: list[Reading]) -> None:
        listed, swept = sum(reading.listed for reading in readings), sum(reading.swept for reading in readings)
        if swept:
            log.warning(
                "%s of %s jobs of %s are erased: the platform lists them without their data.", swept, listed, window
            )
        if swept and swept == listed:
            raise UnrecoverableError(
                f"All {listed} jobs of the window {window} are erased: the platform's retention is over, and only their "
                "times are left. What was delivered in time is at the destination."
            )
        if not is_older_than(window, MIN_PLAN_RETENTION, self._clock()):
            return
        # Counters that know of more than the whole list has: some are gone. Of this window, unless an older one is there.
        gone = sum(reading.uncounted for reading in readings)
        oldest = min((parse_time(reading.oldest) for reading in readings if reading.oldest), default=None)
        if gone and (oldest is None or oldest >= window.start):
            raise UnrecoverableError(
                f"The recipes' counters know of {gone} jobs that are no longer listed, and no job is listed that ended before "
                f"the window {window}: the platform has dropped what this window asks for, or a part of it. What was "
                "delivered in time is at the destination."
            )


def _must_agree(window: Window, readings: list[Reading]) -> None:
    """Before a request is spent on the lines of jobs that could not be delivered anyway."""
    differing = [reading for reading in readings if not reading.agrees]
    if differing:
        detail = "; ".join(
            f"recipe {reading.recipe_id}: {reading.listed} listed, {reading.counted} by a second listing"
            for reading in differing[:5]
        )
        raise TransientError(
            f"{len(differing)} recipes show other jobs of the window {window} the second time they are listed ({detail}). "
            "Nothing was delivered, because nobody could say what is missing; the next try reads these recipes anew. Should "
            "it last, raise [job_history] settle_minutes: the platform shows jobs late."
        )


def _counted_by(readings: list[Reading]) -> str:
    """Both are named where some recipes' counters did and others' did not; no recipe to ask means that counters said so."""
    used = Counter(reading.counted_by for reading in readings)
    return " and ".join(way for way in (COUNTERS, SECOND_LISTING) if used[way]) or COUNTERS
