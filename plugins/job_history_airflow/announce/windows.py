"""Asset events: one for each window that a run closed, so that other DAGs run when an account's hour is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from airflow.sdk import Asset

if TYPE_CHECKING:
    from job_history.pipeline.run_outcome import RunOutcome
    from job_history.storage import Storage
    from job_history_airflow.announce.settings import AnnounceSettings

# Without a URI: a scheme makes Airflow load every provider to look for a handler, in each process that parses the DAGs.
WINDOWS = Asset("job_history_windows", group="job history")
"""The partition key of its events is `5234/jobs/2018-05-21T00`: user_id, kind of event, start of the window."""


def save_closed_windows(outcome: RunOutcome, staging: Storage, settings: AnnounceSettings) -> None:
    """Leave the keys for the task that adds the events: Airflow adds none for a task that fails, as report may."""
    wanted = settings.asset_events
    if wanted == frozenset():
        return
    keys = [
        f"{receipt.user_id}/{receipt.kind}/{receipt.window.start:%Y-%m-%dT%H}"
        for receipt in outcome.closed_first
        if wanted is None or receipt.user_id in wanted
    ]
    staging.write(_path(outcome.run), msgspec.json.encode(keys))


def closed_windows(run: str, staging: Storage) -> list[str]:
    """Return the keys of the windows that the report of this run closed."""
    content = staging.read(_path(run))
    return [] if content is None else msgspec.json.decode(content, type=list[str])


def _path(run: str) -> str:
    return f"runs/{run}/closed-windows.json"
