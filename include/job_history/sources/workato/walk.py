"""A walk through one recipe's job list, newest first, for the jobs that ended in a window.

How far back to go. The API lists no jobs by their end, and the key that its list is ordered by is not documented: it
may be when a job was made, when it started, or when it ended. A page that holds an *ended* job which

- started before `window.start - longest_job`, and
- ended before `window.start`

is the last one needed under each of them. Ordered by its end: all jobs after it ended earlier still. Ordered by its
start, or by when it was made (no later than its start): all jobs after it were made before `window.start -
longest_job`, and are in the window only if they took longer than `longest_job` from being made to their end;
open_jobs.py watches those. The walk asks this of *every* ended job of a page, which leaves room for a list that is out
of order by less than a page. Open jobs, and jobs without a time that can be read, prove nothing: where they are in the
list is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from job_history.errors import BadRecordError
from job_history.model.job import final_status
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.sources.workato.client import WorkatoClient
from job_history.sources.workato.jobs import JOBS_A_PAGE, JobPage, ListedJob, job_pages
from job_history.sources.workato.records import status_of


@dataclass
class Walk:
    """Iterate once; the other attributes are right after that.

    `as_counted`: the list was read to its end, and the recipe's own counters of succeeded and failed jobs agree with
    it. `uncounted`: by how many the counters exceed a list that was read to its end. `oldest`, `newest`: the earliest
    end, and the latest start or end, of all jobs seen. `vague`: a time that may be later than `newest` could not be
    read. `open`: the open jobs seen, by id, and when they started. `is_whole`: the list was read to its end.
    `unplaceable`: the ended jobs that belong to no window.
    """

    client: WorkatoClient
    recipe_id: int
    window: Window
    longest_job: timedelta
    shifted: bool = False
    as_counted: bool = False
    is_whole: bool = False
    uncounted: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    vague: bool = False
    open: dict[str, datetime | None] = field(default_factory=dict)
    unplaceable: Unplaceable = field(default_factory=Unplaceable)
    ended: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _unplaceable: int = 0
    _succeeded: int = 0
    _failed: int = 0
    _first_page: JobPage | None = None

    def __iter__(self) -> Iterator[ListedJob]:
        """Yield each job that ended in the window once, whatever its status."""
        for page in job_pages(self.client, self.recipe_id, shifted=self.shifted):
            self._first_page = self._first_page or page
            for job in page.jobs:
                if self._is_new(job):
                    yield job
            if self._is_last(page):
                return

    @property
    def was_read(self) -> bool:
        return self._first_page is not None

    def reaches(self, job: ListedJob) -> bool:
        """Return whether a walk finds the job for certain: it did not take more than `longest_job`."""
        return job.started_at is None or job.started_at >= self.window.start - self.longest_job

    def note(self, job: ListedJob) -> None:
        """Take a job for listed that was found by other means."""
        self.ended.add(job.key)
        self._measure(job)

    def note_unplaceable(self, job: ListedJob) -> None:
        """Take an ended job that was found by other means, and whose end cannot be read, for one that no window has."""
        if job.key not in self.ended:
            self.ended.add(job.key)
            self._add_unplaceable(job)

    def _add_unplaceable(self, job: ListedJob) -> None:
        self._unplaceable += 1
        job_id = None if job.id is None else str(job.id)
        example = self.unplaceable or Unplaceable(0, False, job_id, job.form_of_its_time)
        self.unplaceable = Unplaceable.of_first(self._unplaceable, example.example_id, example.example_form)

    def _measure(self, job: ListedJob) -> None:
        self.newest = max(filter(None, (self.newest, job.started_at, job.completed_at)), default=None)

    def _is_new(self, job: ListedJob) -> bool:
        """Note a job; return whether it belongs to the window and was not seen before, as on pages that shifted."""
        self._seen.add(job.key)
        self._measure(job)
        self.vague = self.vague or (job.started_at if job.is_open else job.completed_at) is None
        if job.is_open:
            if job.id is not None:
                self.open[str(job.id)] = job.started_at
            return False
        if job.key in self.ended:
            return False
        self.ended.add(job.key)
        self._count(job)
        if job.is_unplaceable:
            self._add_unplaceable(job)
            return False
        self.oldest = min(filter(None, (self.oldest, job.completed_at)), default=None)
        return job.completed_at is not None and job.completed_at in self.window

    def _count(self, job: ListedJob) -> None:
        try:
            status = final_status(status_of(job.fields))
        except BadRecordError:
            return
        self._succeeded += status == "succeeded"
        self._failed += status == "failed"

    def _is_last(self, page: JobPage) -> bool:
        if not page.jobs:
            self.is_whole = True
            self.as_counted = self._has_the_same(page)
            self.uncounted = self._missing()
            return True
        if len(page.jobs) < JOBS_A_PAGE and not self.shifted and self._has_the_same(page) and self._has_all(page):
            # A short page, and every job that the recipe counts was listed: the end, without asking for an empty one.
            self.as_counted = self.is_whole = True
            return True
        ended = [job for job in page.jobs if not job.is_open and not job.is_unplaceable]
        return bool(ended) and all(self._is_older(job) for job in ended)

    def _has_all(self, page: JobPage) -> bool:
        # Whether `job_count` includes jobs that neither succeeded nor failed is not documented; if not, it asks for
        # less.
        return page.all is not None and len(self._seen) >= page.all

    def _is_older(self, job: ListedJob) -> bool:
        if job.started_at is None or job.completed_at is None:
            return False
        return job.started_at < self.window.start - self.longest_job and job.completed_at < self.window.start

    def _missing(self) -> int:
        """By the counters of the first page: a job that ended meanwhile was listed while it was open."""
        first = self._first_page
        if first is None or first.succeeded is None or first.failed is None:
            return 0
        return max(first.succeeded + first.failed - self._succeeded - self._failed, 0)

    def _has_the_same(self, page: JobPage) -> bool:
        return (page.succeeded, page.failed) == (self._succeeded, self._failed)
