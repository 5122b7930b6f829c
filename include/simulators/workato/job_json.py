"""Jobs in the API's two shapes: an item of a recipe's job list, and one job with its lines.

Neither has the input or output of a step, nor the job's report: the documents say "run-time data not available". The
list item has the fields of the documented sample and those that a public client (wk) reads from it; the single job has
the documented fields, some of which differ in type (`calling_recipe_id` is a number there, a string here).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from .history import FAILED, History, Job, Shown

_ERROR_PARTS = ("adapter", "error_type", "message", "error_id", "error_at", "input", "inner_message")

WriteTime = Callable[[datetime], str]


class JobJson:
    """Writes the jobs of one workspace."""

    def __init__(self, history: History, write_time: WriteTime, *, integer_ids: bool, lines_null: bool = False) -> None:
        self._history = history
        self._write_time = write_time
        self._integer_ids = integer_ids
        self._lines_null = lines_null

    def item(self, shown: Shown) -> dict[str, Any]:
        """One item of a recipe's job list."""
        job = shown.job
        chain = list(self._history.chain(job))
        root = chain[-1] if chain else None
        document = {
            "id": self._id(job.row.job_id),
            "flow_run_id": job.row.job_id if isinstance(job.row.job_id, int) else job.number,
            **self._course(shown),
            "is_poll_error": shown.is_finished and job.row.is_poll_error,
            **({"error": self._error(shown)} if not shown.is_erased else {}),
            **({"error_parts": _error_parts(job)} if self._has_error(shown) else {}),
            "is_error": shown.status == FAILED,
            "calling_recipe_id": self._recipe_of(job.row.calling_job_id),
            "calling_job_id": self._id(job.row.calling_job_id),
            "root_recipe_id": self._recipe_of(root),
            "root_job_id": self._id(None if root is None else self._spelling(root)),
            "master_job_id": self._master(job),
        }
        return document | _erased(shown)

    def single(self, shown: Shown) -> dict[str, Any]:
        """One job with its lines."""
        job = shown.job
        calling_recipe_id = self._recipe_of(job.row.calling_job_id)
        document = {
            "id": self._id(job.row.job_id),
            "handle": str(job.row.job_id),
            **self._course(shown),
            "is_poll_error": shown.is_finished and job.row.is_poll_error,
            "lines": _lines(shown) or (None if self._lines_null else []),
            **({"error": self._error(shown)} if not shown.is_erased else {}),
            "is_error": shown.status == FAILED,
            "is_repeat": job.row.parent_id is not None,
            "is_test": False,
            "is_test_case_job": False,
            "master_job_id": self._master(job),
            "master_job_handle": _text(self._master(job)),
            "calling_recipe_id": _text(calling_recipe_id),
            "calling_job_id": self._id(job.row.calling_job_id),
            "calling_job_handle": _text(job.row.calling_job_id),
        }
        return document | _erased(shown)

    def _course(self, shown: Shown) -> dict[str, Any]:
        job = shown.job
        completed_at = self._time(job.completed_at, job.row.completed_at) if shown.is_finished else None
        return {
            "recipe_id": job.row.recipe_id,
            "status": shown.status,
            "completed_at": completed_at,
            "started_at": self._time(job.started_at, job.row.started_at),
            "title": "" if shown.is_erased else job.row.title,
        }

    def _time(self, instant: datetime | None, text: str | None) -> str | None:
        return text if instant is None else self._write_time(instant)

    def _has_error(self, shown: Shown) -> bool:
        return not shown.is_erased and self._error(shown) is not None

    def _error(self, shown: Shown) -> str | None:
        return shown.job.row.error if shown.is_finished else None

    def _master(self, job: Job) -> int | str | None:
        """The job that a repeat repeats. Observed: a job that was repeated is its own master."""
        if job.row.parent_id is not None:
            return self._id(job.row.parent_id)
        return self._id(job.row.job_id) if job.was_repeated else None

    def _recipe_of(self, job_id: int | str | None) -> int | None:
        job = None if job_id is None else self._history.by_id.get(str(job_id))
        return None if job is None else job.row.recipe_id

    def _spelling(self, job_id: str) -> int | str:
        job = self._history.by_id.get(job_id)
        return job_id if job is None else job.row.job_id

    def _id(self, job_id: int | str | None) -> int | str | None:
        return job_id if self._integer_ids else _text(job_id)


def _text(value: int | str | None) -> str | None:
    return None if value is None else str(value)


def _erased(shown: Shown) -> dict[str, Any]:
    """Observed in the product's own pages: a swept job has no title and no error. Inferred: so it is in this API."""
    return {"erased": True} if shown.is_erased else {}


def _error_parts(job: Job) -> dict[str, Any]:
    """The fields of the job's error, if it is JSON text; `{}` is possible (documented)."""
    try:
        parts = json.loads(job.row.error or "")
    except ValueError:
        parts = None
    if not isinstance(parts, dict):
        parts = {} if job.row.error_type is None else {"message": job.row.error}
    known = {name: parts[name] for name in _ERROR_PARTS if name in parts}
    return known if job.row.error_type is None else {"error_type": job.row.error_type, **known}


def _lines(shown: Shown) -> list[dict[str, Any]]:
    """The executed lines; of a job that is to complete later, only the trigger's. Observed: none of a swept job."""
    if shown.is_erased:
        return []
    lines = shown.job.row.lines
    if not shown.is_finished and shown.job.completed_at is not None:
        lines = lines[:1]
    return [
        {
            "recipe_line_number": line.recipe_line_number,
            "adapter_name": line.adapter_name,
            "adapter_operation": line.adapter_operation,
        }
        for line in lines
    ]
