"""Staged files of old runs: what slices that failed have left is deleted days later."""

from __future__ import annotations

from datetime import datetime

from job_history.errors import ReplicationError
from job_history.model.slice import RUNS
from job_history.storage import Storage


def delete_old_runs(staging: Storage, before: datetime) -> list[str]:
    """Delete the staged files that no run has touched since then. Returns a problem if that failed."""
    try:
        # Only below the folder of runs: the same bucket may hold a ledger, or what was delivered.
        staging.delete_all(list(staging.paths_untouched_since(before, below=RUNS)))
    except ReplicationError as error:
        # The rest of the report does not wait for it.
        return [f"Staged files of old runs were not deleted: {error}"]
    return []
