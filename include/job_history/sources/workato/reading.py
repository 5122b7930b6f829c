"""The reading of one recipe: its jobs of a window, staged, and their number by a second means."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec

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

    `uncounted`: finished jobs that the recipe's counters have and its whole list does not; `oldest`: the earliest end
    of a job that was seen. `contradiction`: how the recipe's own counters and its list contradict each other.
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
        listed = too_long = swept = 0
        with checkpoint.writer(portion) as staged:

            def stage(job: ListedJob) -> None:
                nonlocal listed, too_long, swept
                staged.append(job_record(job.fields, user_id=self.user_id, recipe_id=recipe.id))
                listed, too_long = listed + walk.reaches(job), too_long + (not walk.reaches(job))
                swept += _is_swept(job)

            if recipe.can_have_news(self.window, self.longest_job):
                for job in walk:
                    stage(job)
            # Counters that equal the whole list leave no room for a job that was not listed.
            is_counted = walk.as_counted or not walk.was_read
            counted = listed if is_counted else self._second_count(walk, stage)
            for job in self.open_jobs.ended_in(self.window, walk):
                stage(job)
        reading = Reading(
            recipe_id=recipe.id,
            listed=listed + too_long,
            counted=counted + too_long,
            counted_by=COUNTERS if is_counted else SECOND_LISTING,
            swept=swept,
            uncounted=walk.uncounted,
            oldest=None if walk.oldest is None else format_time(walk.oldest),
            contradiction=_contradiction(recipe, walk, self.window),
            unplaceable=walk.unplaceable,
        )
        if reading.agrees:
            checkpoint.keep(portion, reading)
        else:
            log.warning("Recipe %s: %s jobs listed, %s counted.", recipe.id, reading.listed, reading.counted)
        return reading

    def ended_in_window(self, recipe: Recipe) -> list[ListedJob]:
        """List the jobs of a recipe that ended in the window."""
        walk = self._walk(recipe.id)
        listed = list(walk) if recipe.can_have_news(self.window, self.longest_job) else []
        return [*listed, *self.open_jobs.ended_in(self.window, walk)]

    def _walk(self, recipe_id: int, *, shifted: bool = False) -> Walk:
        return Walk(self.client, recipe_id, self.window, self.longest_job, shifted)

    def _second_count(self, walk: Walk, stage: Callable[[ListedJob], None]) -> int:
        """Count the jobs by a second listing.

        A job that is too long for a walk to reach may be on the last page of one listing only. It is left out of the
        comparison, and staged if it was not in the first.
        """
        counted = 0
        for job in self._walk(walk.recipe_id, shifted=True):
            if walk.reaches(job):
                counted += 1
            elif job.key not in walk.ended:
                walk.note(job)
                stage(job)
        return counted


def portion_of(recipe_id: int) -> str:
    return f"recipe-{recipe_id}"


def _contradiction(recipe: Recipe, walk: Walk, window: Window) -> str | None:
    if walk.vague or not walk.was_read or not recipe.contradicts(walk.newest, window):
        return None
    last = "no job" if walk.newest is None else f"no job after {format_time(walk.newest)}"
    return (
        f"recipe {recipe.id} counts {recipe.job_succeeded_count} succeeded and {recipe.job_failed_count} failed jobs "
        f"and last ran at {recipe.last_run_at}, and its list has {last}"
    )


def _is_swept(job: ListedJob) -> bool:
    """Observed: a recipe may be set to keep no data at all, which is not retention."""
    return job.is_erased and bytes(job.fields.get("zero_retention", b"")) != b"true"
