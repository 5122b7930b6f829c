"""Notifies that a run has not ended in time: Airflow calls it (`[job_history] notify_deadline_minutes`)."""

from __future__ import annotations

from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from asgiref.sync import sync_to_async

from job_history_airflow.announce.settings import read_deadline, read_notifiers
from job_history_airflow.status_link import status_page_url


def deadline_alerts() -> list[DeadlineAlert]:
    """Return the alert of both DAGs: none without `notify_deadline_minutes`."""
    interval = read_deadline()
    if interval is None:
        return []
    # In the triggerer: a callback in the executor may not read connections (Airflow 3.3).
    callback = AsyncCallback(f"{__name__}.deadline_missed")
    return [DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=interval, callback=callback)]


async def deadline_missed(context: Any = None, **_: Any) -> None:
    """Notify that a run still runs. `context` is what Airflow passes to callbacks of deadlines."""
    # Notifiers look connections up, which the triggerer does on its own event loop: this bridge knows it.
    await sync_to_async(_notify)(context)


def _notify(context: Any) -> None:
    from job_history.pipeline.notification import INSTALLATION, Failing, Message
    from job_history_airflow.announce.notifiers import send

    run = (context or {}).get("dag_run") or {}
    name = f"{_value(run, 'dag_id')}, run {_value(run, 'dag_run_id') or _value(run, 'run_id')}"
    cause = f"{name} has not ended {_value(run, 'queued_at') and 'since ' + str(_value(run, 'queued_at'))}".rstrip()
    fix = "Look which of its tasks is running or queued, and whether workers and triggerer run."
    failing = Failing(INSTALLATION, "", "", "", f"{cause}.", fix)
    url = status_page_url()
    text = f"LATE {name}\n  {failing.cause}\n  {fix}\nStatus page: {url}"
    message = Message("Job history replication: a run is late", text, [failing], [], resolved=False, status_url=url)
    send(message, context or {}, read_notifiers())


def _value(run: Any, name: str) -> Any:
    return run.get(name) if isinstance(run, dict) else getattr(run, name, "")
