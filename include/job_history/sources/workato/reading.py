"""The reading of one recipe: its jobs of a window, staged, and how many they are by a second opinion."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.sources.workato.checkpoint import Checkpoint
from job_history.sources.workato.client import WorkatoClient
from job_history.sources.workato.jobs import ListedJob
from job_history.sources.workato.records import job_record
from job_history.sources.workato.walk import Walk

log = logging.getLogger(__name__)

COUNTERS = "counters"
FIRST_LISTING = "listing"
SECOND_LISTING = "second_listing"


class Reading(msgspec.Struct, kw_only=True):
    """What was read of a recipe. `swept`: of those listed, how many are erased by retention.

    `uncounted`: finished jobs that the recipe's counters know and its whole list does not have; `oldest`: the earliest end
    of a job that was seen.
    """

    recipe_id: int
    listed: int
    counted: int
    counted_by: str
    swept: int
    uncounted: int
    oldest: str | None

    @property
    def agrees(self) -> bool:
        return self.listed == self.counted


@dataclass(frozen=True)
class RecipeReader:
    """Reads the jobs of a window, recipe by recipe."""

    client: WorkatoClient
    user_id: int
    window: Window
    longest_job: timedelta

    def read(self, recipe_id: int, checkpoint: Checkpoint) -> Reading:
        """Stage a recipe's jobs, without lines. A reading that was kept, because both its counts agree, is not repeated."""
        portion = portion_of(recipe_id)
        kept = checkpoint.note(portion, Reading)
        if kept is not None:
            log.info("The jobs of recipe %s were read by an earlier try.", recipe_id)
            return kept
        walk = self._walk(recipe_id)
        swept = 0
        with checkpoint.writer(portion) as staged:
            for job in walk:
                staged.append(job_record(job.fields, user_id=self.user_id, recipe_id=recipe_id))
                swept += _is_swept(job)
        self._warn_of_long_jobs(walk)
        reading = Reading(
            recipe_id=recipe_id,
            listed=staged.records,
            # Counters that say as many finished jobs as the whole list has leave no room for one that was not listed.
            counted=staged.records if walk.as_counted else sum(1 for _ in self._walk(recipe_id, shifted=True)),
            counted_by=COUNTERS if walk.as_counted else SECOND_LISTING,
            swept=swept,
            uncounted=walk.uncounted,
            oldest=None if walk.oldest is None else format_time(walk.oldest),
        )
        if reading.agrees:
            checkpoint.keep(portion, reading)
        else:
            log.warning("Recipe %s: %s jobs listed, %s counted.", recipe_id, reading.listed, reading.counted)
        return reading

    def ended_in_window(self, recipe_id: int) -> list[ListedJob]:
        return list(self._walk(recipe_id))

    def _walk(self, recipe_id: int, *, shifted: bool = False) -> Walk:
        return Walk(self.client, recipe_id, self.window, self.longest_job, shifted)

    def _warn_of_long_jobs(self, walk: Walk) -> None:
        if walk.longest > self.longest_job / 2:
            log.warning(
                "Recipe %s has jobs that take %.1f hours. A job that takes more than source.longest_job_hours (%.1f) may be "
                "missed: raise it well above what this recipe needs.",
                walk.recipe_id,
                walk.longest / timedelta(hours=1),
                self.longest_job / timedelta(hours=1),
            )


def portion_of(recipe_id: int) -> str:
    return f"recipe-{recipe_id}"


def _is_swept(job: ListedJob) -> bool:
    """Observed: a recipe may be set to keep no data at all, which says nothing of retention."""
    return job.is_erased and bytes(job.fields.get("zero_retention", b"")) != b"true"
