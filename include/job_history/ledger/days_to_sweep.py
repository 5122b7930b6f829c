"""Days to sweep: a run notes the days of its windows before it writes files of them, in `_control/sweep/`.

Some days later a reconciliation reads the notes and deletes what no receipt names. So it sweeps what any run may have
left, whatever the window's age, and also that of accounts which are paused or no longer in the Variable. A note is a
hint: if it is damaged or cannot be written, some old files stay.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec

from job_history.errors import PermanentError, ReplicationError
from job_history.ledger.decoding import decoded
from job_history.ledger.receipt_files import day_folder_of
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time_slug, time_slug
from job_history.model.window import Window
from job_history.storage import Storage

log = logging.getLogger(__name__)

FOLDER = "_control/sweep"


class SweepNote(msgspec.Struct):
    """The folders of receipts to sweep: `receipts/<user_id>/<kind>/<day>`."""

    folders: list[str]


class OldNote(NamedTuple):
    path: str
    folders: list[str]


def note_windows(ledger: Storage, windows: Iterable[tuple[int, EventKind, Window]], now: datetime) -> str | None:
    """Note the days of windows whose files are about to be written or superseded; returns the note's path.

    One request; none without a window. An error is a warning.
    """
    folders = list(dict.fromkeys(day_folder_of(*window) for window in windows))
    try:
        return note_to_sweep(ledger, folders, now)
    except ReplicationError as unwritable:
        log.warning("Superseded files of %s days will stay in the ledger: %s", len(folders), unwritable)
        return None


def note_to_sweep(ledger: Storage, folders: list[str], at: datetime) -> str | None:
    """Note folders whose files are old enough some days after `at`. Raises what the ledger raises."""
    if not folders:
        return None
    path = f"{FOLDER}/{time_slug(at)}-{secrets.token_hex(4)}.json"
    ledger.create(path, msgspec.json.encode(SweepNote(folders)))
    return path


def notes_before(ledger: Storage, before: datetime) -> Iterator[OldNote]:
    """Yield the notes that were written before a moment, the oldest first.

    Raises what the ledger raises. A damaged note is a warning, and stays.
    """
    # A host whose clock is wrong may have named it.
    moments = {path: min(written, _moment(path, written)) for path, written in ledger.written(FOLDER)}
    for path in sorted((path for path, moment in moments.items() if moment < before), key=moments.__getitem__):
        if (content := ledger.read(path)) is None:
            continue  # another reconciliation has swept it
        try:
            yield OldNote(path, decoded(content, SweepNote, ledger.url(path)).folders)
        except PermanentError as damaged:
            log.warning("Superseded files stay in the ledger: %s", damaged)


def _moment(path: str, written: datetime) -> datetime:
    try:
        return parse_time_slug(path.removeprefix(f"{FOLDER}/").partition("-")[0])
    except ValueError:
        return written
