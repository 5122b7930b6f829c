"""Deletes item lists that no revision names, and quarantine that the newest revision of its window does not name.

Killed and repeated tries leave such files. They are kept for some days: another run may be about to name them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from job_history.ledger.quarantine import FOLDER as QUARANTINE
from job_history.ledger.receipt_files import day_folder_of, receipt_files
from job_history.ledger.receipt_history import history_in
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.storage import Storage

KEPT = timedelta(days=7)


class QuarantineFiles:
    """The quarantine files, by the folder of their day's receipts, as one listing shows them."""

    def __init__(self, ledger: Storage, before: datetime) -> None:
        """`before`: files that were written earlier are old."""
        self._old: dict[str, set[str]] = {}
        self._young: set[str] = set()
        for path, written in ledger.written(QUARANTINE):
            try:
                user_id, kind, slug = path.removeprefix(f"{QUARANTINE}/").split("/")[1:4]
                folder = day_folder_of(int(user_id), EventKind(kind), Window.from_slug(slug))
            except ValueError:
                continue  # not ours
            if written < before:
                self._old.setdefault(folder, set()).add(path)
            else:
                self._young.add(folder)

    def old(self, day_folder: str) -> set[str]:
        """Return the old files of the windows whose receipts are in this folder."""
        return self._old.get(day_folder, set())

    def has_young(self, day_folder: str) -> bool:
        return day_folder in self._young


def delete_superseded_files(ledger: Storage, day_folder: str, before: datetime, quarantine: QuarantineFiles) -> bool:
    """Delete such files of the windows of an account's day, if they were written before then.

    Returns whether all files of the day are old, so that no later sweep would find more. Costs one listing, and a
    second one with the revisions if there are old item lists or quarantine. Raises PermanentError, and deletes nothing,
    if a receipt is damaged or missing.
    """
    lists = {path: written for path, written in ledger.written(day_folder) if path.endswith(".parquet")}
    old_lists = [path for path, written in lists.items() if written < before]
    if old_lists or quarantine.old(day_folder):
        ledger.delete_all(_superseded(ledger, day_folder, before, old_lists, quarantine.old(day_folder)))
    return len(old_lists) == len(lists) and not quarantine.has_young(day_folder)


def _superseded(
    ledger: Storage, day_folder: str, before: datetime, old_lists: list[str], old_quarantine: set[str]
) -> list[str]:
    named: set[str] = set()
    superseded: set[str] = set()
    named_quarantine: set[str] = set()
    for files in receipt_files(ledger.paths(day_folder)).values():
        history = history_in(ledger, files)
        newest = {*history.newest.quarantine} if history.newest else set()
        named.update(path for each in history.receipts for path in (*each.items, *each.elsewhere))
        earlier = [each for each in history.receipts if parse_time(each.runs[-1].finished_at) < before]
        superseded |= {path for each in earlier for path in each.quarantine} - newest
        named_quarantine.update(path for each in history.receipts for path in each.quarantine)
    superseded |= old_quarantine - named_quarantine
    return [*(path for path in old_lists if path not in named), *sorted(superseded)]
