"""Unsealed windows: `_control/unsealed/<user_id>/<kind>/<window>` is in the ledger while a revision waits for its seal.

Written if sealing failed, before a redrive adds a revision, and by a reconciliation that finds a revision without a
mark, which a killed report may leave. One listing returns them all. The next report seals them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from job_history.ledger.receipt_files import day_folder_of, receipt_files, revision_path
from job_history.ledger.window_mark import WindowMark
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage

FOLDER = "_control/unsealed"


class UnsealedWindow(WindowMark):
    """A window whose newest revision has no seal yet."""

    folder = FOLDER


def unsealed_windows(ledger: Storage, *, since_before: datetime | None = None) -> list[UnsealedWindow]:
    """List the windows that wait for a seal; with `since_before` only those that have waited since then."""
    paths = ledger.paths(FOLDER) if since_before is None else ledger.paths_untouched_since(since_before, below=FOLDER)
    found = []
    for path in paths:
        try:
            found.append(UnsealedWindow.at(path))
        except ValueError:
            continue
    return sorted(found)


def unsealed_of(ledger: Storage, user_ids: Iterable[int]) -> list[UnsealedWindow]:
    """List the windows of some accounts that wait for a seal, of any time."""
    wanted = set(user_ids)
    return [window for window in unsealed_windows(ledger) if window.user_id in wanted]


def find_unsealed(ledger: Storage, user_id: int, kind: EventKind, hours: Window) -> list[UnsealedWindow]:
    """Return the windows of an account whose newest revision has no mark of a seal; one listing for each day.

    A receipt of version 1 alone is of a release without seals: `job-history seal` seals those.
    """
    found = []
    days = dict.fromkeys(day_folder_of(user_id, kind, hour) for hour in hours.hours())
    for day in days:
        paths = set(ledger.paths(day))
        for folder, files in receipt_files(paths).items():
            path = revision_path(folder, files.revision)
            if files.revision and mark_path_of(path) not in paths:
                found.append(UnsealedWindow(user_id, kind, Window.from_slug(folder.rpartition("/")[2])))
    return [window for window in found if window.window.start in hours]


def mark_path_of(revision: str) -> str:
    """Return the path of a revision's mark: `r000002.sealed`, beside `r000002.json`."""
    return f"{revision.removesuffix('.json')}.sealed"
