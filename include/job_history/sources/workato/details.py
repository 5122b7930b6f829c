"""The lines of jobs, which only the answer to each single job has: a request a job, in portions that are kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import quote

import msgspec

from job_history.model.job import JobRecord
from job_history.sources.workato.checkpoint import Checkpoint
from job_history.sources.workato.client import NotFoundError, WorkatoClient
from job_history.sources.workato.reading import portion_of
from job_history.sources.workato.records import with_details, without_details

log = logging.getLogger(__name__)

JOBS_A_PORTION = 100


class _Portion(msgspec.Struct):
    jobs: int


@dataclass(frozen=True)
class DetailReader:
    """Gives listed jobs their lines."""

    client: WorkatoClient
    checkpoint: Checkpoint

    def records(self, recipe_id: int) -> Iterator[JobRecord]:
        """Yield the jobs that were staged of a recipe, with their lines."""
        listed = self.checkpoint.records(portion_of(recipe_id), JobRecord)
        number = 0
        while batch := list(islice(listed, JOBS_A_PORTION)):
            number += 1
            portion = f"{portion_of(recipe_id)}-lines-{number:04d}"
            if self.checkpoint.note(portion, _Portion) is None:
                with self.checkpoint.writer(portion) as staged:
                    for record in batch:
                        staged.append(self._with_lines(record))
                self.checkpoint.keep(portion, _Portion(len(batch)))
            yield from self.checkpoint.records(portion, JobRecord)

    def _with_lines(self, record: JobRecord) -> JobRecord:
        if record.fault is not None or record.job_id is None:
            return record
        try:
            # A handle needs no quoting; an odd id, which ends in quarantine, must not choose the path.
            job_id = quote(str(record.job_id), safe="")
            return with_details(record, self.client.get(f"recipes/{record.recipe_id}/jobs/{job_id}"))
        except NotFoundError:
            log.warning("Job %s was listed, and is gone: it is replicated as erased, without lines.", record.job_id)
            return without_details(record)
