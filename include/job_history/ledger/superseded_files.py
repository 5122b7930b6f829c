"""Deletes item lists that no revision names, and quarantine that the newest revision of its window does not name.

Killed and repeated tries leave such files. They are kept for some days: another run may be about to name them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from job_history.ledger.decoding import decoded
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import VERSION_1, day_folder_of, receipt_files, revision_path
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.storage import Storage


def delete_superseded_files(ledger: Storage, user_id: int, kind: EventKind, day: Window, before: datetime) -> int:
    """Delete such files of the windows that begin on the day of `day`, if they were written before then.

    Returns their number. Costs one listing, and a second one with the revisions if there are item lists. Raises
    PermanentError, and deletes nothing, if a receipt is damaged.
    """
    folder = day_folder_of(user_id, kind, day)
    lists = [path for path in ledger.paths_untouched_since(before, below=folder) if path.endswith(".parquet")]
    if not lists:
        return 0
    named: set[str] = set()
    quarantine: list[str] = []
    for revisions in _revisions(ledger, folder):
        named.update(path for each in revisions for path in (*each.items, *each.elsewhere))
        earlier = [each for each in revisions if each.runs and parse_time(each.runs[-1].finished_at) < before]
        quarantine += {path for each in earlier for path in each.quarantine} - {*revisions[-1].quarantine}
    to_delete = [*(path for path in lists if path not in named), *quarantine]
    ledger.delete_all(to_delete)
    return len(to_delete)


def _revisions(ledger: Storage, folder: str) -> Iterator[list[Receipt]]:
    """Yield for each window all revisions of its receipt, the oldest first."""
    for window, files in receipt_files(ledger.paths(folder)).items():
        paths = [revision_path(window, number) for number in range(1, files.revision + 1)]
        if files.has_version_1:
            paths.insert(0, f"{window}/{VERSION_1}")
        yield [
            decoded(content, Receipt, ledger.url(path))
            for path, content in zip(paths, ledger.read_all(paths), strict=True)
            if content is not None
        ]
