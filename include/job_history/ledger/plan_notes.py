"""Notes of plans: each plan leaves one in its ledger, and the run's other steps look for it in theirs.

The id of the installation does not suffice: a ledger that was copied to another worker has the same one.
"""

from __future__ import annotations

from datetime import datetime

from job_history.storage import Storage

FOLDER = "_control/plans"


def note_plan(ledger: Storage, name: str) -> str:
    """Leave a note with this name, which no other plan has. Returns its path."""
    path = f"{FOLDER}/{name}"
    ledger.create(path, b"")
    return path


def is_noted(ledger: Storage, path: str) -> bool:
    """Return whether a ledger has the note."""
    return ledger.read(path) is not None


def delete_old_plan_notes(ledger: Storage, before: datetime) -> None:
    """Delete the notes of plans that were made before this moment."""
    ledger.delete_all(list(ledger.paths_untouched_since(before, below=FOLDER)))
