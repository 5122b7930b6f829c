"""The windows that the task `close` has closed, for the report of the run.

They are streamed: ten thousand have some 80 MB. A small file beside them is the last one written, and names them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from job_history.errors import PermanentError
from job_history.ledger.receipt_store import first_revision
from job_history.model.slice import RUNS
from job_history.pipeline.close import ClosedWindow
from job_history.storage import Storage
from job_history.storage.staging import NotWholeError, read_json, staged_records, staged_writer

log = logging.getLogger(__name__)


class _Saved(msgspec.Struct):
    """`windows`: the path of the file that has them. `announced`: a report has announced them."""

    windows: str
    announced: bool = False


class ClosedFile:
    """Reads and writes them."""

    def __init__(self, staging: Storage, run: str) -> None:
        self._staging = staging
        self._path = f"{RUNS}/{run}/closed_windows.json"
        self._windows = f"{RUNS}/{run}/closed_windows.jsonl.zst"
        self._saved: _Saved | None = None

    def save(self, windows: Iterable[ClosedWindow]) -> int:
        """Save the windows, and return their number."""
        with staged_writer(self._staging, self._windows) as writer:
            for window in windows:
                writer.append(_without_first_revision(window))
        self._write(_Saved(self._windows))
        return writer.records

    def note_announced(self) -> None:
        """Note that a report has announced the windows that it has read: another try of it does not do so again."""
        if self._saved is not None:
            self._write(replace(self._saved, announced=True))

    def delete(self) -> None:
        self._staging.delete(self._path)
        self._saved = None

    def read(self) -> Iterator[ClosedWindow]:
        """Stream the windows in the order in which they were saved; none if `close` has saved none.

        If a file is damaged or cannot be read, no further ones: the report closes them.
        """
        try:
            saved = read_json(self._staging, self._path, _Saved)
            if saved is None:
                return
            for window in staged_records(self._staging, saved.windows, ClosedWindow):
                yield replace(_with_first_revision(window), announced=saved.announced, is_new=False)
        except (PermanentError, NotWholeError) as unreadable:
            log.warning("What `close` noted counts no more: %s", unreadable)
            return
        self._saved = saved

    def _write(self, saved: _Saved) -> None:
        self._staging.write(self._path, msgspec.json.encode(saved))


def _without_first_revision(window: ClosedWindow) -> ClosedWindow:
    """Leave out a newest revision that can be made of the run's own receipt, as that of most windows."""
    is_first = window.own is not None and window.newest == first_revision(window.own)
    return replace(window, newest=None) if is_first else window


def _with_first_revision(window: ClosedWindow) -> ClosedWindow:
    if window.newest is not None or window.own is None:
        return window
    return replace(window, newest=first_revision(window.own))
