"""Sweep: deletes files of the ledger that no receipt names, some days after the runs that may have left them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from enum import Enum, auto

from job_history.errors import ReplicationError
from job_history.ledger.days_to_sweep import note_to_sweep, note_windows, notes_before
from job_history.ledger.superseded_files import KEPT, QuarantineFiles, delete_superseded_files
from job_history.pipeline.results import Plan
from job_history.storage import Storage, at_once

log = logging.getLogger(__name__)

MAX_SECONDS = 300.0


def note_planned_days(ledger: Storage, plans: Iterable[Plan], now: datetime) -> None:
    """Note the days whose files a run is about to write or to supersede. A run that only finds no job notes nothing."""
    windows = (planned for plan in plans for planned in plan.windows)
    to_note = (each.key for each in windows if each.slices or each.receipt_files is None or each.receipt_files)
    note_windows(ledger, to_note, now)


class _Swept(Enum):
    DONE = auto()
    TO_REPEAT = auto()
    NO_TIME = auto()


def sweep(ledger: Storage, now: datetime, clock: Callable[[], float] = time.monotonic) -> None:
    """Delete what is old enough of the days that runs have noted, for at most `MAX_SECONDS`; the next one goes on.

    `clock` is in seconds. An error is a warning, and the day is swept again some days later; so is one that has younger
    files. A day costs a listing or two, and its receipts if it has old files.
    """
    before = now - KEPT
    try:
        notes = []
        folders: dict[str, None] = {}
        for note in notes_before(ledger, before):
            notes.append(note.path)
            folders |= dict.fromkeys(note.folders)
        if not notes:
            return
        end, quarantine = clock() + MAX_SECONDS, QuarantineFiles(ledger, before)

        def swept(folder: str) -> _Swept:
            return _sweep_day(ledger, folder, before, quarantine) if clock() < end else _Swept.NO_TIME

        results = dict(zip(folders, at_once(swept, folders), strict=True))
        note_to_sweep(ledger, _with(results, _Swept.TO_REPEAT), now)
        note_to_sweep(ledger, _with(results, _Swept.NO_TIME), before - timedelta(seconds=1))
        ledger.delete_all(notes)
    except ReplicationError as error:
        log.warning("Superseded files of the ledger are not deleted: %s", error)


def _sweep_day(ledger: Storage, folder: str, before: datetime, quarantine: QuarantineFiles) -> _Swept:
    try:
        return _Swept.DONE if delete_superseded_files(ledger, folder, before, quarantine) else _Swept.TO_REPEAT
    except ReplicationError as error:
        log.warning("Superseded files below %s were not deleted: %s", ledger.url(folder), error)
        return _Swept.TO_REPEAT


def _with(results: dict[str, _Swept], result: _Swept) -> list[str]:
    return [folder for folder, each in results.items() if each is result]
