"""The reading of one recipe: its jobs of a window, staged, and their number by a second means."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from job_history.model.job import JobRecord
from job_history.model.timestamp import format_time
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.sources.workato.checkpoint import Checkpoint
from job_history.sources.workato.client import WorkatoClient
from job_history.sources.workato.jobs import ListedJob
from job_history.sources.workato.open_jobs import OpenJobs
from job_history.sources.workato.recipes import Recipe
from job_history.sources.workato.records import job_record
from job_history.sources.workato.walk import Walk

log = logging.getLogger(__name__)

COUNTERS = "counters"
FIRST_LISTING = "listing"
SECOND_LISTING = "second_listing"


class Reading(msgspec.Struct, kw_only=True):
    """The result of reading a recipe. `swept`: number of listed jobs that retention has erased.

    `uncounted`: finished jobs that the recipe's counters have and its whole list does not; `oldest`: the earliest end of a
    job that was seen. `contradiction`: how the recipe's own counters and its list contradict each other.
    """

    recipe_id: int
    listed: int
    counted: int
    counted_by: str
    swept: int
    uncounted: int
    oldest: str | None
    contradiction: str | None = None
    unplaceable: Unplaceable = Unplaceable()

    @property
    def agrees(self) -> bool:
        return self.listed == self.counted and self.contradiction is None


@dataclass(frozen=True)
class RecipeReader:
    """Reads the jobs of a window, recipe by recipe."""

    client: WorkatoClient
    user_id: int
    window: Window
    longest_job: timedelta
    open_jobs: OpenJobs

    def read(self, recipe: Recipe, checkpoint: Checkpoint) -> Reading:
        """Stage a recipe's jobs, without lines. A reading that was kept, because its counts agree, is not repeated."""
        portion = portion_of(recipe.id)
        kept = checkpoint.note(portion, Reading)
        if kept is not None:
            log.info("The jobs of recipe %s were read by an earlier try.", recipe.id)
            return kept
        walk = self._walk(recipe.id)
        swept = 0
        with checkpoint.writer(portion) as staged:
            if recipe.can_have_news(self.window, self.longest_job):
                for job in walk:
                    staged.append(self._record(job, recipe.id))
                    swept += _is_swept(job)
            listed = staged.records
            # Counters that equal the whole list leave no room for a job that was not listed.
            is_counted = walk.as_counted or not walk.was_read
            counted = listed if is_counted else sum(1 for _ in self._walk(recipe.id, shifted=True))
            too_long = list(self.open_jobs.ended_in(self.window, walk))
            for job in too_long:
                staged.append(self._record(job, recipe.id))
        reading = Reading(
            recipe_id=recipe.id,
            listed=staged.records,
            counted=counted + len(too_long),
            counted_by=COUNTERS if is_counted else SECOND_LISTING,
            swept=swept,
            uncounted=walk.uncounted,
            oldest=None if walk.oldest is None else format_time(walk.oldest),
            contradiction=_contradiction(recipe, walk, self.window, too_long),
            unplaceable=walk.unplaceable,
        )
        if reading.agrees:
            checkpoint.keep(portion, reading)
        else:
            log.warning("Recipe %s: %s jobs listed, %s counted.", recipe.id, reading.listed, reading.counted)
        return reading

    def ended_in_window(self, recipe: Recipe) -> list[ListedJob]:
        """List the jobs of a recipe that ended in the window, and those that belong to the window of their start."""
        walk = self._walk(recipe.id)
        listed = list(walk) if recipe.can_have_news(self.window, self.longest_job) else []
        return [*listed, *self.open_jobs.ended_in(self.window, walk)]

    def _walk(self, recipe_id: int, *, shifted: bool = False) -> Walk:
        return Walk(self.client, recipe_id, self.window, self.longest_job, shifted)

    def _record(self, job: ListedJob, recipe_id: int) -> JobRecord:
        return job_record(job.fields, user_id=self.user_id, recipe_id=recipe_id)


def portion_of(recipe_id: int) -> str:
    return f"recipe-{recipe_id}"


def _contradiction(recipe: Recipe, walk: Walk, window: Window, too_long: list[ListedJob]) -> str | None:
    newest = max((moment for job in too_long if (moment := job.completed_at)), default=walk.newest)
    if walk.vague or not walk.was_read or not recipe.contradicts(newest, window):
        return None
    last = "no job" if newest is None else f"no job after {format_time(newest)}"
    return (
        f"recipe {recipe.id} counts {recipe.job_succeeded_count} succeeded and {recipe.job_failed_count} failed jobs and last "
        f"ran at {recipe.last_run_at}, and its list has {last}"
    )


def _is_swept(job: ListedJob) -> bool:
    """Observed: a recipe may be set to keep no data at all, which is not retention."""
    return job.is_erased and bytes(job.fields.get("zero_retention", b"")) != b"true"
