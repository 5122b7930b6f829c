"""The pages of a recipe's job list, newest first."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import msgspec

from job_history.errors import BadRecordError, PermanentError, TransientError
from job_history.model.ids import Id
from job_history.sources.workato.client import NotFoundError, WorkatoClient
from job_history.sources.workato.fields import Fields, id_field, moment_field

log = logging.getLogger(__name__)

# Observed: what the product's own pages are given. Asking for more (`per_page`) is not documented.
JOBS_A_PAGE = 25


@dataclass(frozen=True)
class ListedJob:
    """One job of a list, as it is there; what cannot be read of it is None here, and told when it becomes a record."""

    fields: Fields

    @cached_property
    def id(self) -> Id | None:
        try:
            return id_field(self.fields, "id", "handle")
        except BadRecordError:
            return None

    @cached_property
    def started_at(self) -> datetime | None:
        return moment_field(self.fields, "started_at")

    @cached_property
    def completed_at(self) -> datetime | None:
        return moment_field(self.fields, "completed_at")

    @property
    def is_open(self) -> bool:
        """It has no `completed_at` yet."""
        return bytes(self.fields.get("completed_at", b"null")) == b"null"

    @property
    def is_erased(self) -> bool:
        """Observed in the product's own pages: swept by retention, and still listed."""
        return bytes(self.fields.get("erased", b"")) == b"true"


@dataclass(frozen=True)
class JobPage:
    """`succeeded`, `failed` and `all` are the recipe's own counters at that moment; None where the API gives none."""

    jobs: list[ListedJob]
    succeeded: int | None = None
    failed: int | None = None
    all: int | None = None


class _Page(msgspec.Struct):
    items: list[Fields]
    job_succeeded_count: int | None = None
    job_failed_count: int | None = None
    job_count: int | None = None


def job_pages(client: WorkatoClient, recipe_id: int, *, shifted: bool = False) -> Iterator[JobPage]:
    """Page through a recipe's jobs until an empty page. Raises TransientError where that would never end.

    `shifted`: the pages are cut in the middle of where they otherwise are, so that a job which a server loses at the edge
    of two pages is not lost in both listings. A recipe that was deleted meanwhile has no jobs that could be asked for.
    """
    offset: Id | None = None
    # With whether it was open: in a list ordered by the end, a job that ends while it is read moves, and is met again.
    used: set[tuple[str, bool]] = set()
    while True:
        page = _page(client, recipe_id, offset)
        if shifted and offset is None and len(page.jobs) > 1:
            page = replace(page, jobs=page.jobs[: len(page.jobs) // 2])
        yield page
        if not page.jobs:
            return
        last = next((job for job in reversed(page.jobs) if job.id is not None), None)
        if last is None or (str(last.id), last.is_open) in used:
            raise TransientError(
                f"{client}: the job list of recipe {recipe_id} turns in a circle (a page ends with "
                f"{'no job id' if last is None else f'job {last.id}, as an earlier one did'}). It is tried again."
            )
        offset = last.id
        used.add((str(offset), last.is_open))


def _page(client: WorkatoClient, recipe_id: int, offset: Id | None) -> JobPage:
    try:
        envelope = client.get(f"recipes/{recipe_id}/jobs", {} if offset is None else {"offset_job_id": str(offset)})
    except NotFoundError as missing:
        if offset is not None:
            # The offset itself may have been swept meanwhile; or the recipe was deleted, and is not listed the next time.
            raise TransientError(f"{missing} The list moved while it was read; it is tried again.") from None
        if not _is_deleted(client, recipe_id):
            raise
        log.warning("Recipe %s was deleted since the recipes were listed: its jobs can no longer be read.", recipe_id)
        return JobPage([])
    try:
        page = msgspec.convert({name: _known(name, raw) for name, raw in envelope.items()}, _Page)
    except (msgspec.DecodeError, msgspec.ValidationError) as fault:
        raise PermanentError(
            f"{client} lists the jobs of recipe {recipe_id} in a way that is not documented: {fault}. Nothing was read."
        ) from None
    return JobPage(
        [ListedJob(fields) for fields in page.items], page.job_succeeded_count, page.job_failed_count, page.job_count
    )


def _is_deleted(client: WorkatoClient, recipe_id: int) -> bool:
    """A 404 for the jobs alone would be no deletion, but a list that stays empty for ever."""
    try:
        client.get(f"recipes/{recipe_id}")
    except NotFoundError:
        return True
    return False


def _known(name: str, raw: msgspec.Raw) -> object:
    return msgspec.json.decode(raw, type=list[Fields]) if name == "items" else msgspec.json.decode(raw)
