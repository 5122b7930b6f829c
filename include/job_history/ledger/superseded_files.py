"""Deletes item lists that no revision names, and quarantine that the newest revision of its window does not name.

Each day's windows are swept once, when the files are old enough, and days on which no reconciliation ran by the next
one. What later runs of a swept day leave is kept.

Killed and repeated tries leave such files. They are kept for some days: another run may be about to name them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from job_history.ledger.quarantine import FOLDER as QUARANTINE
from job_history.ledger.receipt_files import day_folder_of, receipt_files
from job_history.ledger.receipt_history import history_in
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.storage import Storage

KEPT = timedelta(days=7)
DAY = timedelta(days=1)
MAX_DAYS = 31


class OldQuarantine:
    """The quarantine files that were written before a moment, by account, kind of event and day, as one listing shows
    them.
    """

    def __init__(self, ledger: Storage, before: datetime) -> None:
        self._files: dict[str, set[str]] = {}
        for path in ledger.paths_untouched_since(before, below=QUARANTINE):
            try:
                user_id, kind, slug = path.removeprefix(f"{QUARANTINE}/").split("/")[1:4]
                folder = day_folder_of(int(user_id), EventKind(kind), Window.from_slug(slug))
            except ValueError:
                continue  # not ours
            self._files.setdefault(folder, set()).add(path)

    def of(self, day_folder: str) -> set[str]:
        """Return the files of the windows whose receipts are in this folder."""
        return self._files.get(day_folder, set())


def swept_days(now: datetime, reconciled_until: datetime | None) -> list[Window]:
    """Return the days whose superseded files are old enough now, and were not when the last reconciliation ran."""
    end = _midnight(now - KEPT)
    start = end - DAY if reconciled_until is None else _midnight(reconciled_until - KEPT)
    days = min(max((end - start) // DAY, 1), MAX_DAYS)
    return [Window(end - (back + 1) * DAY, end - back * DAY) for back in reversed(range(days))]


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def delete_superseded_files(
    ledger: Storage, user_id: int, kind: EventKind, day: Window, before: datetime, *, old: OldQuarantine
) -> int:
    """Delete such files of the windows that begin on the day of `day`, if they were written before then.

    Returns their number. Costs one listing, and a second one with the revisions if there are item lists or quarantine.
    Raises PermanentError, and deletes nothing, if a receipt is damaged.
    """
    folder = day_folder_of(user_id, kind, day)
    lists = [path for path in ledger.paths_untouched_since(before, below=folder) if path.endswith(".parquet")]
    if not lists and not old.of(folder):
        return 0
    named: set[str] = set()
    quarantine: set[str] = set()
    named_quarantine: set[str] = set()
    for files in receipt_files(ledger.paths(folder)).values():
        history = history_in(ledger, files)
        newest = {*history.newest.quarantine} if history.newest else set()
        named.update(path for each in history.receipts for path in (*each.items, *each.elsewhere))
        earlier = [each for each in history.receipts if parse_time(each.runs[-1].finished_at) < before]
        quarantine |= {path for each in earlier for path in each.quarantine} - newest
        named_quarantine.update(path for each in history.receipts for path in each.quarantine)
    quarantine |= old.of(folder) - named_quarantine
    to_delete = [*(path for path in lists if path not in named), *sorted(quarantine)]
    ledger.delete_all(to_delete)
    return len(to_delete)
