"""The lines of jobs, which only the answer for each single job has: one request for each job, in portions that are
kept.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from job_history.errors import BadRecordError, TransientError
from job_history.model.ids import Id, job_id_of
from job_history.model.job import JobRecord
from job_history.sources.workato.checkpoint import Checkpoint
from job_history.sources.workato.client import NotFoundError, WorkatoClient
from job_history.sources.workato.fields import Fields
from job_history.sources.workato.reading import portion_of
from job_history.sources.workato.recipes import is_deleted
from job_history.sources.workato.records import ERASED, mismatch, with_details, without_details

log = logging.getLogger(__name__)

JOBS_A_PORTION = 100
_LOOKS = 2


class _Portion(msgspec.Struct):
    """`read` jobs were found; `gone` ones were not, and nothing but the second look confirms that."""

    read: int = 0
    gone: int = 0


@dataclass(frozen=True)
class DetailReader:
    """Adds the lines to listed jobs.

    A job that was listed and is not found (404) may have been swept meanwhile, or the token's role may list jobs and
    not read them. It is taken for erased only if a second look does not find it either, and another job of its recipe
    can be read, or its recipe is gone; or if the list itself calls it erased.
    """

    client: WorkatoClient
    checkpoint: Checkpoint

    def records(self, recipe_id: int) -> Iterator[JobRecord]:
        """Yield the jobs that were staged of a recipe, with their lines.

        Raises:
            TransientError: none of the recipe's jobs is found, or an answer is not for the job that was asked for.
            PermanentError: the token no longer sees any recipe of a workspace that has some.
        """
        listed = self.checkpoint.records(portion_of(recipe_id), JobRecord)
        number, total = 0, _Portion()
        while batch := list(islice(listed, JOBS_A_PORTION)):
            number += 1
            portion = _lines_of(recipe_id, number)
            kept = self.checkpoint.note(portion, _Portion)
            if kept is None:
                kept = _Portion()
                with self.checkpoint.writer(portion) as staged:
                    for record in batch:
                        staged.append(self._with_lines(record, kept))
                self.checkpoint.keep(portion, kept)
            total = _Portion(total.read + kept.read, total.gone + kept.gone)
            yield from self.checkpoint.records(portion, JobRecord)
        if total.gone and not total.read:
            # The next try would believe what is kept.
            for portion in (portion_of(recipe_id), *(_lines_of(recipe_id, kept) for kept in range(1, number + 1))):
                self.checkpoint.forget(portion)
            raise TransientError(
                f"{self.client} lists {total.gone} jobs of recipe {recipe_id}, and finds none of them when they are "
                "read one by one (404, twice). Nothing was delivered: they may be there. The next try lists the recipe "
                "again. If it persists, let the role of the token's API client get jobs, or switch line_details off "
                "for the account."
            )

    def _with_lines(self, record: JobRecord, portion: _Portion) -> JobRecord:
        if record.fault is not None or not _is_job_id(record.job_id):
            return record  # it will be quarantined, and an odd id must not become a path
        answer = self._answer(record)
        if answer is not None:
            portion.read += 1
            return with_details(record, answer)
        if not self._is_known_to_be_gone(record):
            portion.gone += 1
        log.warning("Job %s was listed, and is gone: it is replicated as erased, without lines.", record.job_id)
        return without_details(record)

    def _answer(self, record: JobRecord) -> Fields | None:
        """Return the answer for a job; None if it is not found, twice."""
        path = f"recipes/{record.recipe_id}/jobs/{record.job_id}"
        problem: str | None = None
        for _ in range(_LOOKS):
            try:
                answer = self.client.get(path)
            except NotFoundError:
                problem = None
                continue
            problem = mismatch(record, answer)
            if problem is None:
                return answer
        if problem is None:
            return None
        raise TransientError(
            f"{self.client}, asked for job {record.job_id} of recipe {record.recipe_id}, answers twice with something "
            f"else: {problem}. Nothing was delivered; the next try asks again. If it persists, compare the API with "
            "docs/workato.md, or switch line_details off for the account."
        )

    def _is_known_to_be_gone(self, record: JobRecord) -> bool:
        return ERASED.items() <= record.extra.items() or is_deleted(self.client, int(record.recipe_id or 0))


def _is_job_id(job_id: Id | None) -> bool:
    try:
        job_id_of(job_id)
    except BadRecordError:
        return False
    return True


def _lines_of(recipe_id: int, number: int) -> str:
    return f"{portion_of(recipe_id)}-lines-{number:04d}"
