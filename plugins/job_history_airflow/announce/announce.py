"""Announces the outcome of a run in all ways that the config asks for. None of it can fail the run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.log import redact  # type: ignore[attr-defined]

from job_history.errors import PermanentError, ReplicationError
from job_history.pipeline.run_outcome import RunOutcome
from job_history.storage import Storage
from job_history_airflow.announce.metrics import emit_metrics
from job_history_airflow.announce.notifiers import notify, notify_unreported
from job_history_airflow.announce.settings import read_announce_settings, read_notifiers
from job_history_airflow.announce.windows import save_closed_windows
from job_history_airflow.factories.storage import storage_at
from job_history_airflow.operators.failures import reason_of
from job_history_airflow.settings import read_settings

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def announce(outcome: RunOutcome, staging: Storage) -> None:
    """Emit the metrics of a run, and note its asset events. What fails is a warning in the log."""
    with _warnings("The section [job_history] of the config"):
        settings = read_announce_settings()
        with _warnings("The metrics of this run"):
            emit_metrics(outcome, account_tag=settings.account_tag)
        with _warnings("The asset events of this run"):
            save_closed_windows(outcome, staging, settings)


def notify_outcome(outcome: RunOutcome, context: Context, *, ledger: Storage, status_url: str) -> None:
    """Notify what has changed with a run. What fails is a warning in the log."""
    with _warnings("The notification of this run"):
        notify(outcome, context, read_notifiers(), ledger=ledger, status_url=status_url)


def notify_failure(error: BaseException, context: Context, *, status_url: str) -> None:
    """Notify that a report failed before it had an outcome, unless it is tried again."""
    ti = context["ti"]
    if not isinstance(error, PermanentError) and ti.try_number <= ti.max_tries:
        return
    with _warnings("The notification of this run"):
        notify_unreported(reason_of(error), context, read_notifiers(), ledger=_ledger(), status_url=status_url)


def _ledger() -> Storage | None:
    """Return the ledger, or None if the config or a connection does not lead to one."""
    try:
        return storage_at(read_settings().ledger_path)
    except ReplicationError:
        return None


@contextmanager
def _warnings(about: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the verdict of the run stays
        # A foreign exception may repeat anything: Airflow masks the secrets of its connections.
        log.warning("%s could not be used or sent: %s", about, redact(f"{type(error).__name__}: {error}"))
