"""What a redrive stages, and leaves if it is killed.

Quarantine that no receipt names any more is left to the reconciliation: another redrive may be about to name it.
"""

from __future__ import annotations

from job_history.model.slice import Slice
from job_history.storage import Storage


def delete_staged_files(staging: Storage, slice_: Slice) -> None:
    """Delete what a redrive staged, if it is there."""
    run = slice_.folder.rpartition("/")[0]
    staging.delete_all(list(staging.paths(run)))
    staging.delete_unfinished(run)
