"""Watches jobs that are open for so long that the walk through the job list may not find them when they end.

A walk goes back `longest_job` before its window (walk.py). A job that has been open for more than half of that is noted
in the staging area, one small file for each job, and asked about in the following hours until it has ended: by one
request for the recipe's open jobs (`status=pending`), and one for the job itself when it is no longer among them. Its
end stays noted for as long as the window that contains it may be read again.

Open jobs that lie further back than a walk goes are found by the same request, which recipes that ran lately get twice
in each `longest_job`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote
from zlib import crc32

import msgspec

from job_history.errors import PermanentError, TransientError
from job_history.model.timestamp import format_time, parse_time
from job_history.model.window import HOUR, Window
from job_history.sources.workato.client import NotFoundError, WorkatoClient
from job_history.sources.workato.jobs import JOBS_A_PAGE, ListedJob, job_pages
from job_history.sources.workato.walk import Walk
from job_history.storage import Storage

log = logging.getLogger(__name__)

MAX_WATCHED = 1_000
"""For each account: more are logged, and not watched."""
KEPT = timedelta(days=35)
"""After its end, or after it was last seen. Windows may be read again for that long."""
_SURVEYS = 2
_LOOKS = 2
_MAX_PAGES = MAX_WATCHED // JOBS_A_PAGE


class WatchedJob(msgspec.Struct, kw_only=True):
    """One job; times are ISO 8601 text. `completed_at` is None for as long as it is open."""

    recipe_id: int
    job_id: str
    seen_at: str
    completed_at: str | None = None


class OpenJobs:
    """The watched jobs of one account. Without a storage it watches none."""

    def __init__(
        self,
        client: WorkatoClient,
        storage: Storage | None,
        user_id: int,
        longest_job: timedelta,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` is in seconds since 1970."""
        self._client = client
        self._storage = storage
        self._folder = f"open-jobs/{user_id}"
        self._longest_job = longest_job
        self._now = datetime.fromtimestamp(clock(), UTC)
        self._watched = {(job.recipe_id, job.job_id): job for job in self._stored()}

    def recipes(self, window: Window) -> set[int]:
        """Return the recipes with a watched job that is open, or ended in the window."""
        return {
            job.recipe_id
            for job in self._watched.values()
            if job.completed_at is None or parse_time(job.completed_at) in window
        }

    def ended_in(self, window: Window, walk: Walk) -> Iterator[ListedJob]:
        """Yield the watched jobs of the walk's recipe that ended in the window, and that the walk did not find.

        The walk must be over. Notes the open jobs that it met. Raises TransientError if the end of a watched job cannot
        be read.
        """
        if self._storage is None:
            return
        recipe_id = walk.recipe_id
        self._note(recipe_id, walk.open)
        is_pending = self._pending(recipe_id) if self._must_survey(window, walk) else walk.open
        self._note(recipe_id, is_pending)
        for job in [job for (of, _), job in self._watched.items() if of == recipe_id]:
            if job.job_id in is_pending:
                continue
            if job.completed_at is not None and parse_time(job.completed_at) not in window:
                continue
            if job.job_id in walk.ended and job.completed_at is not None:
                continue
            answer = self._answer(job, walk)
            if answer is not None and answer.is_unplaceable:
                walk.note_unplaceable(answer)
            if answer is None or answer.completed_at is None:
                continue
            if job.completed_at is None:
                job.completed_at = format_time(answer.completed_at)
                self._store(job)
            if answer.completed_at in window and job.job_id not in walk.ended:
                log.info("Job %s of recipe %s ended in %s; it was watched.", job.job_id, recipe_id, window)
                walk.note(answer)
                yield answer

    def _must_survey(self, window: Window, walk: Walk) -> bool:
        """An open job that is watched, or it is the recipe's turn; unless the walk has seen the whole list."""
        if walk.is_whole:
            return False
        if any(job.completed_at is None for (of, _), job in self._watched.items() if of == walk.recipe_id):
            return True
        hours = max(int(self._longest_job / HOUR) // _SURVEYS, 1)
        # Spread over the hours, whatever pattern the ids have.
        turn = crc32(str(walk.recipe_id).encode()) % hours
        return walk.was_read and int(window.start.timestamp() // 3_600) % hours == turn

    def _pending(self, recipe_id: int) -> dict[str, datetime | None]:
        """Return the recipe's open jobs by id, and when they started."""
        found: dict[str, datetime | None] = {}
        for number, page in enumerate(job_pages(self._client, recipe_id, status="pending"), start=1):
            found |= {str(job.id): job.started_at for job in page.jobs if job.id is not None and job.is_open}
            # More than that cannot be watched anyway; and the last page is mostly the first one.
            if len(page.jobs) < JOBS_A_PAGE or number == _MAX_PAGES:
                break
        return found

    def _note(self, recipe_id: int, open_jobs: dict[str, datetime | None]) -> None:
        for job_id, started_at in open_jobs.items():
            known = self._watched.get((recipe_id, job_id))
            if known is not None:
                if self._now - parse_time(known.seen_at) > HOUR:
                    known.seen_at = format_time(self._now)
                    self._store(known)
                continue
            if started_at is not None and started_at > self._now - self._longest_job / 2:
                continue
            if len(self._watched) >= MAX_WATCHED:
                log.warning(
                    "Recipe %s has more open jobs than can be watched (%s for an account). One that takes more than "
                    "source.longest_job_hours may be missed: raise it, or cancel jobs that will never end.",
                    recipe_id,
                    f"{MAX_WATCHED:,}",
                )
                return
            job = WatchedJob(recipe_id=recipe_id, job_id=job_id, seen_at=format_time(self._now))
            self._watched[recipe_id, job_id] = job
            self._store(job)

    def _answer(self, job: WatchedJob, walk: Walk) -> ListedJob | None:
        """Ask for the job, twice if need be; None if it is gone.

        Raises TransientError if it is not found, and nothing else shows that it is gone, or the answer is for another.
        """
        for _ in range(_LOOKS):
            answer = self._single(job.recipe_id, job.job_id)
            if answer is not None and job.job_id in answer.names:
                return answer
        if answer is None and (job.completed_at is not None or self._is_gone(walk)):
            log.warning("Job %s of recipe %s was open, and is no longer found.", job.job_id, job.recipe_id)
            return None
        problem = "does not find it" if answer is None else "answers with something else"
        raise TransientError(
            f"{self._client} no longer lists job {job.job_id} of recipe {job.recipe_id} as open, and, asked for it, "
            f"{problem} (twice). Nothing was delivered: it may have ended in the window. The next try asks again. If "
            "it persists, let the role of the token's API client get jobs."
        )

    def _is_gone(self, walk: Walk) -> bool:
        """Return whether a job that is not found is gone: the whole list lacks it, too, or another job is found."""
        another = min(walk.ended, default=None)
        return walk.is_whole or (another is not None and self._single(walk.recipe_id, another) is not None)

    def _single(self, recipe_id: int, job_id: str) -> ListedJob | None:
        try:
            return ListedJob(self._client.get(f"recipes/{recipe_id}/jobs/{quote(job_id, safe='')}"))
        except NotFoundError:
            return None

    def _stored(self) -> Iterator[WatchedJob]:
        if self._storage is None:
            return
        for path in self._storage.paths(self._folder):
            content = self._storage.read(path) if path.endswith(".json") else None
            if content is None:
                continue
            try:
                job = msgspec.json.decode(content, type=WatchedJob)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise PermanentError(
                    f"{self._storage.url(path)} is damaged. It is the note of a job that was open, which may have "
                    "ended in a window since. Delete it, and run the hours since it was written again (mode repair)."
                ) from None
            if self._now - parse_time(job.completed_at or job.seen_at) > KEPT:
                self._storage.delete(path)
            else:
                yield job

    def _store(self, job: WatchedJob) -> None:
        if self._storage is not None:
            path = f"{self._folder}/{job.recipe_id}-{quote(job.job_id, safe='')}.json"
            self._storage.write(path, msgspec.json.encode(job))
