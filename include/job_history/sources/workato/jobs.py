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
from job_history.model.job import final_status
from job_history.sources.workato.client import NotFoundError, WorkatoClient
from job_history.sources.workato.fields import Fields, id_field, moment_field, text_field
from job_history.sources.workato.recipes import is_deleted

log = logging.getLogger(__name__)

# Observed: what the product's own pages are given. Asking for more (`per_page`) is not documented.
JOBS_A_PAGE = 25


@dataclass(frozen=True)
class ListedJob:
    """One job of a list, as it is there.

    A field that cannot be read is None here, and named when it becomes a record.
    """

    fields: Fields

    @cached_property
    def id(self) -> Id | None:
        try:
            return id_field(self.fields, "id", "handle")
        except BadRecordError:
            return None

    @property
    def names(self) -> set[str]:
        """Its id and its handle, as far as they are there and can be read."""
        try:
            return {str(value) for name in ("id", "handle") if (value := id_field(self.fields, name)) is not None}
        except BadRecordError:
            return set()

    @property
    def key(self) -> str:
        """What it is recognised by if it is listed twice: its id, or all its fields if its id cannot be read."""
        return str(self.id) if self.id is not None else repr({name: bytes(raw) for name, raw in self.fields.items()})

    @cached_property
    def started_at(self) -> datetime | None:
        return moment_field(self.fields, "started_at")

    @cached_property
    def completed_at(self) -> datetime | None:
        return moment_field(self.fields, "completed_at")

    @property
    def is_open(self) -> bool:
        """It has no `completed_at`, and no status of an ended job."""
        return self._has_no_end and self._final_status is None

    @property
    def is_unplaceable(self) -> bool:
        """It has ended, and no window can contain it, because its end is missing or cannot be read.

        The window of its start is no place for it: that may have been read while it was open.
        """
        return not self.is_open and self.completed_at is None

    @property
    def form_of_its_time(self) -> str:
        """Describe the time that cannot be read, without quoting it."""
        if self._has_no_end:
            return "missing"
        raw = bytes(self.fields["completed_at"])
        return f"text of {len(raw) - 2} characters" if raw[:1] == b'"' else "number" if raw[:1].isdigit() else "no text"

    @property
    def _has_no_end(self) -> bool:
        return bytes(self.fields.get("completed_at", b"null")) == b"null"

    @property
    def _final_status(self) -> str | None:
        try:
            return final_status(text_field(self.fields, "status"))
        except BadRecordError:
            return None

    @property
    def is_erased(self) -> bool:
        """Observed in the product's own pages: swept by retention, and still listed."""
        return bytes(self.fields.get("erased", b"")) == b"true"


@dataclass(frozen=True)
class JobPage:
    """`succeeded`, `failed` and `all` are the recipe's own counters at that moment; None if the API gives none."""

    jobs: list[ListedJob]
    succeeded: int | None = None
    failed: int | None = None
    all: int | None = None


class _Page(msgspec.Struct):
    items: list[Fields]
    job_succeeded_count: int | None = None
    job_failed_count: int | None = None
    job_count: int | None = None


_NAMES = _Page.__struct_fields__


def job_pages(
    client: WorkatoClient, recipe_id: int, *, shifted: bool = False, status: str | None = None
) -> Iterator[JobPage]:
    """Page through a recipe's jobs until an empty page. Raises TransientError if that would never end.

    `shifted`: the first page is cut in half, so that all pages end at other jobs than otherwise; a job which a server
    loses between two pages is not lost in both listings. A recipe that was deleted meanwhile has no jobs that could be
    read. `status`: only the jobs with this one (documented: succeeded, failed or pending).
    """
    offset: Id | None = None
    # With whether it was open: in a list ordered by the end, a job that ends while it is read moves, and is met again.
    used: set[tuple[str, bool]] = set()
    while True:
        page = _page(client, recipe_id, offset, status)
        if page is None:
            return
        if shifted and offset is None:
            page = _first_half(page)
        yield page
        if not page.jobs:
            return
        last = next((job for job in reversed(page.jobs) if job.id is not None), None)
        if last is None or (str(last.id), last.is_open) in used:
            raise TransientError(
                f"{client}: the job list of recipe {recipe_id} turns in a circle (a page ends with "
                f"{'no job id' if last is None else f'job {last.id}, as an earlier one did'}). The next try reads it "
                "again."
            )
        offset = last.id
        used.add((str(offset), last.is_open))


def _first_half(page: JobPage) -> JobPage:
    """Cut a page in half, or after the first job whose id can be the next offset."""
    half = len(page.jobs) // 2
    first = next((number for number, job in enumerate(page.jobs, start=1) if job.id is not None), len(page.jobs))
    return replace(page, jobs=page.jobs[: max(half, first)])


def _page(client: WorkatoClient, recipe_id: int, offset: Id | None, status: str | None) -> JobPage | None:
    """Return a page; None if the recipe was deleted."""
    asked = {"offset_job_id": None if offset is None else str(offset), "status": status}
    try:
        envelope = client.get(
            f"recipes/{recipe_id}/jobs", {name: value for name, value in asked.items() if value is not None}
        )
    except NotFoundError as missing:
        if offset is not None:
            # The offset itself may have been swept meanwhile; or the recipe was deleted, and is not listed the next
            # time.
            raise TransientError(f"{missing} The list moved while it was read; the next try reads it again.") from None
        if not is_deleted(client, recipe_id):
            raise
        log.warning("Recipe %s was deleted since the recipes were listed: its jobs can no longer be read.", recipe_id)
        return None
    try:
        page = msgspec.convert({name: _known(name, envelope[name]) for name in _NAMES if name in envelope}, _Page)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise PermanentError(
            f"{client} lists the jobs of recipe {recipe_id} in a way that is not documented: {fault}. Nothing was read."
        ) from None
    return JobPage(
        [ListedJob(fields) for fields in page.items], page.job_succeeded_count, page.job_failed_count, page.job_count
    )


def _known(name: str, raw: msgspec.Raw) -> object:
    return msgspec.json.decode(raw, type=list[Fields]) if name == "items" else msgspec.json.decode(raw)
