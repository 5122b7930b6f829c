"""What a failed task leaves for the report of its run: the reason."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.log import redact  # type: ignore[attr-defined]

from job_history.errors import ReplicationError
from job_history.pipeline.run_files import RunFiles
from job_history_airflow.factories.storage import storage_at
from job_history_airflow.operators.quiet_errors import without_traceback
from job_history_airflow.operators.run_places import run_of
from job_history_airflow.settings import read_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def reason_of(error: BaseException) -> str:
    """Return an error's message.

    A foreign exception may repeat anything: Airflow masks the secrets of its connections.
    """
    if isinstance(error, AirflowTaskTimeout):
        return (
            "the task reached its time limit, because its source or destination hangs or is slow. Find out which, then "
            "clear the task. The window stays open, and the next reconciliation runs it again, too."
        )
    return str(error) if isinstance(error, ReplicationError) else str(redact(f"{type(error).__name__}: {error}"))


@contextmanager
def reported_failure(task: str, context: Context) -> Iterator[None]:
    """Save why a task that is not about a slice failed, so that the report can repeat it."""
    try:
        with without_traceback(log):
            yield
    except Exception as error:
        try:
            staging = storage_at(read_settings().staging_path)
            RunFiles(staging, run_of(context)).save_task_failure(task, reason_of(error))
        except ReplicationError as unable:
            log.warning("The report of this run cannot give the reason: %s", unable)
        raise
