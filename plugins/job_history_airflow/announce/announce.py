"""Announces the outcome of a run in all ways that the config asks for. None of it can fail the run."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.log import redact  # type: ignore[attr-defined]

from job_history.pipeline.run_outcome import RunOutcome
from job_history.storage import Storage
from job_history_airflow.announce.metrics import emit_metrics
from job_history_airflow.announce.notifiers import notify
from job_history_airflow.announce.settings import read_announce_settings
from job_history_airflow.announce.windows import save_closed_windows

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def announce(outcome: RunOutcome, context: Context, *, ledger: Storage, staging: Storage, status_url: str) -> None:
    """Announce the outcome of a run. An announcement that fails is a warning in the log."""
    with _warnings("The section [job_history] of the config"):
        settings = read_announce_settings()
        with _warnings("The metrics of this run"):
            emit_metrics(outcome, account_tag=settings.account_tag)
        with _warnings("The asset events of this run"):
            save_closed_windows(outcome, staging, settings)
        with _warnings("The notification of this run"):
            notify(outcome, context, settings.notifiers, ledger=ledger, status_url=status_url)


@contextmanager
def _warnings(about: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the verdict of the run stays
        # A foreign exception may repeat anything: Airflow masks the secrets of its connections.
        log.warning("%s could not be used or sent: %s", about, redact(f"{type(error).__name__}: {error}"))
