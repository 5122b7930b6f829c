"""Open windows: `_control/open/<user_id>/<kind>/<window>` is in the ledger while an account's window needs a run.

One listing returns them all, however old they are. A report marks a window before it writes a failed revision, and
deletes the mark after a closed or an unrecoverable one; the reconciliation marks settled hours without a receipt. A
process that is killed between the two leaves a mark too many, never one too few: the mark of a closed window is deleted
by the next report or reconciliation that meets it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from job_history.errors import PermanentError
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_store import read_receipt
from job_history.ledger.window_mark import WindowMark
from job_history.model.window import Window
from job_history.storage import Storage, at_once

log = logging.getLogger(__name__)

FOLDER = "_control/open"


class OpenWindow(WindowMark):
    """A window of an account that needs a run."""

    folder = FOLDER


class OpenWindows:
    """The marks as one listing of the ledger showed them, and as this process has changed them since.

    A report calls `before(own)`, adds the revision, and calls `after(newest)`.

    `unreadable`: paths below the folder that mark no window. Methods may be called from several threads.
    """

    def __init__(self, ledger: Storage) -> None:
        """List the marks: one request for each thousand.

        Raises TransientError if the ledger cannot be asked. If there is a file in place of the folder, no window is
        known: that is a problem, and those that fail get no receipt.
        """
        self._ledger = ledger
        self.windows: set[OpenWindow] = set()
        self.unreadable: list[str] = []
        self._not_listed: list[str] = []
        try:
            for path in ledger.paths(FOLDER):
                try:
                    self.windows.add(OpenWindow.at(path))
                except ValueError:
                    self.unreadable.append(path)
        except PermanentError as not_listed:
            self._not_listed = [f"It is not known which windows are open: {not_listed}"]
            log.warning("%s", self._not_listed[0])

    def mark(self, windows: Iterable[OpenWindow]) -> None:
        """Mark windows that need a run. Those that were marked already cost no request."""
        new = [window for window in windows if window not in self.windows]
        at_once(lambda window: window.write(self._ledger), new)
        self.windows.update(new)

    def remove(self, windows: Iterable[OpenWindow]) -> None:
        """Delete the marks of windows that need no run any more. Windows without a mark cost no request."""
        marked = [window for window in windows if window in self.windows]
        at_once(lambda window: self._ledger.delete(window.path), marked)
        self.windows.difference_update(marked)

    def before(self, receipt: Receipt) -> None:
        """Call this before a receipt becomes a revision: a window that failed is marked first."""
        if receipt.state is WindowState.FAILED:
            self.mark([OpenWindow.of(receipt)])

    def after(self, newest: Receipt) -> None:
        """Call this with the newest revision of the window: the mark of one that no run can change is deleted.

        Another report may have deleted the mark of a window that has failed again since.
        """
        if newest.state is WindowState.FAILED and newest.has_history:
            OpenWindow.of(newest).write(self._ledger)
        if newest.state.closed or newest.state is WindowState.UNRECOVERABLE:
            self.settle([newest])

    def settle(self, receipts: Iterable[Receipt]) -> None:
        """Delete the marks of windows that no run can change any more, by their receipts.

        A window that its source no longer holds may have failed again since its receipt was read; the report of that
        saw the mark. So it is looked at once more. A closed window stays closed.
        """
        marked = [receipt for receipt in receipts if OpenWindow.of(receipt) in self.windows]
        self.remove(OpenWindow.of(receipt) for receipt in marked)
        for receipt in marked:
            if receipt.state is WindowState.UNRECOVERABLE:
                now = read_receipt(self._ledger, receipt.user_id, receipt.kind, receipt.window)
                if now is not None and now.state is WindowState.FAILED:
                    self.mark([OpenWindow.of(now)])

    def unreadable_problems(self) -> list[str]:
        """Return a problem for each file below the folder that marks no window, or for the folder itself."""
        return self._not_listed + [
            f"{self._ledger.url(path)} is in the folder of open windows and names none "
            f"({FOLDER}/<user_id>/<kind>/<start>-<end>). Find out which window it was meant for, run it, and delete "
            "the file."
            for path in self.unreadable
        ]


def open_by_account(marks: set[OpenWindow]) -> dict[str, list[Window]]:
    """Return the marked windows of each account and kind, the oldest first."""
    found: dict[str, list[Window]] = {}
    for mark in sorted(marks):
        found.setdefault(f"{mark.user_id}/{mark.kind}", []).append(mark.window)
    return found
