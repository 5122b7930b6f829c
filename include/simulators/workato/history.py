"""The jobs of a workspace as they are at one moment: which are listed, which are finished, in which order.

A job is pending from its start to its completion. Newest first is observed; that "newest" goes by the start is
inferred.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from simulators.job_store import SampleJob

from .settings import ApiSettings, Counters, Moment
from .workspace import Delay, Workspace

PENDING, SUCCEEDED, FAILED = "pending", "succeeded", "failed"
_FAR = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of the store.

    `number` counts the workspace's jobs as they begin, from 1; times are in UTC, None where not known.
    """

    row: SampleJob
    number: int
    started_at: datetime | None
    completed_at: datetime | None
    listed_from: datetime
    finished_from: datetime | None
    is_erased: bool
    was_repeated: bool

    @property
    def status(self) -> str:
        """The status it ends with; `completed` is what the oldest stores say for `succeeded`."""
        return SUCCEEDED if self.row.status == "completed" else self.row.status


@dataclass(frozen=True, slots=True)
class Shown:
    """A job as it is shown at one moment."""

    job: Job
    is_finished: bool
    is_erased: bool

    @property
    def status(self) -> str:
        return self.job.status if self.is_finished else PENDING


@dataclass(frozen=True, slots=True)
class Totals:
    """A recipe's counters at one moment."""

    succeeded: int
    failed: int
    all: int
    last_run_at: datetime | None


class View:
    """What the API shows of jobs at one moment, under the settings of that moment."""

    def __init__(self, settings: ApiSettings, now: datetime) -> None:
        self._settings = settings
        self.now = now

    def show(self, job: Job) -> Shown | None:
        """The job as it is shown now; None if it is not there yet, or no longer."""
        if job.listed_from > self.now or self._ended_before(job, self._settings.retention_days):
            return None
        return Shown(
            job,
            is_finished=self._is_finished(job),
            is_erased=(job.is_erased and self._is_finished(job)) or self._ended_before(job, self._settings.sweep_days),
        )

    def listing(self, jobs: Sequence[Job]) -> list[Shown]:
        """The jobs that are listed now, newest first."""
        shown = [shown for job in jobs if (shown := self.show(job)) is not None]
        return sorted(shown, key=self._newest_last, reverse=True)

    def totals(self, jobs: Sequence[Job]) -> Totals:
        """The counters of one recipe's jobs."""
        forgets = self._settings.counters is Counters.RETAINED
        counted = [job for job in jobs if job.listed_from <= self.now and not (forgets and self.show(job) is None)]
        finished = [job for job in counted if self._is_finished(job)]
        if self._settings.last_run_at is Moment.STARTED:
            runs = [job.started_at or job.completed_at for job in counted]
        else:
            runs = [job.completed_at for job in finished]
        return Totals(
            succeeded=sum(job.status == SUCCEEDED for job in finished),
            failed=sum(job.status == FAILED for job in finished),
            all=len(counted),
            last_run_at=max((run for run in runs if run is not None), default=None),
        )

    def _is_finished(self, job: Job) -> bool:
        return job.finished_from is not None and job.finished_from <= self.now

    def _ended_before(self, job: Job, days: float | None) -> bool:
        if days is None or job.completed_at is None or not self._is_finished(job):
            return False
        return job.completed_at < self.now - timedelta(days=days)

    def _newest_last(self, shown: Shown) -> tuple[datetime, datetime, int]:
        job = shown.job
        began = job.started_at or job.listed_from
        if self._settings.listing_order is Moment.STARTED:
            return began, began, job.number
        return (job.completed_at or _FAR) if shown.is_finished else _FAR, began, job.number


class History:
    """All jobs of a workspace, by recipe and by id."""

    def __init__(self, workspace: Workspace) -> None:
        self.by_recipe: dict[int, list[Job]] = defaultdict(list)
        self.by_id: dict[str, Job] = {}
        rows = sorted(((_began(row, workspace), row) for row in workspace.jobs), key=lambda pair: pair[0])
        repeated = {str(row.parent_id) for _, row in rows if row.parent_id is not None}
        for number, (began, row) in enumerate(rows, start=1):
            job = _job(row, number, began, workspace, was_repeated=str(row.job_id) in repeated)
            self.by_recipe[row.recipe_id].append(job)
            self.by_id.setdefault(str(row.job_id), job)

    def jobs(self, recipe_id: int) -> Sequence[Job]:
        return self.by_recipe.get(recipe_id, ())

    def chain(self, job: Job) -> Iterable[str]:
        """The ids of the job's caller, the caller's caller and so on; the last one is the root."""
        seen = {str(job.row.job_id)}
        calling: Job | None = job
        while calling is not None and calling.row.calling_job_id is not None:
            caller = str(calling.row.calling_job_id)
            if caller in seen:
                return
            seen.add(caller)
            yield caller
            calling = self.by_id.get(caller)


def _began(row: SampleJob, workspace: Workspace) -> datetime:
    began = _instant(row.started_at) or _instant(row.completed_at)
    if began is None:
        raise ValueError(f"Job {row.job_id} of workspace {workspace.user_id} has no time; give it a start or an end.")
    return began


def _job(row: SampleJob, number: int, began: datetime, workspace: Workspace, *, was_repeated: bool) -> Job:
    completed_at = _instant(row.completed_at)
    delay = workspace.delays.get(row.job_id, Delay())
    return Job(
        row=row,
        number=number,
        started_at=_instant(row.started_at),
        completed_at=completed_at,
        listed_from=began + timedelta(seconds=delay.listed),
        finished_from=None if completed_at is None else completed_at + timedelta(seconds=delay.finished),
        is_erased=row.job_id in workspace.erased,
        was_repeated=was_repeated,
    )


def _instant(text: str | None) -> datetime | None:
    """A time of the store; None also for text that is no time, which the API shows as it is."""
    try:
        return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
