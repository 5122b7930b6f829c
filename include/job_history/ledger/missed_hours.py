"""Hours that no run has touched, as ranges: the scheduled runs of them never came, because their DAG was paused, the
scheduler was down, or the accounts could not be planned.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime

from job_history.errors import PermanentError
from job_history.ledger.receipt_files import day_folder_of, receipt_files, window_folder
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage

log = logging.getLogger(__name__)


def without(missed: Iterable[Window], window: Window) -> list[Window]:
    """Return the ranges without the hours of a window."""
    return [
        Window(start, end)
        for each in missed
        for start, end in ((each.start, min(each.end, window.start)), (max(each.start, window.end), each.end))
        if start < end
    ]


def since(missed: Iterable[Window], moment: datetime) -> list[Window]:
    """Return the ranges as far as they are not before a moment."""
    return [Window(max(each.start, moment), each.end) for each in missed if each.end > moment]


def without_receipts(ledger: Storage, user_id: int, kind: EventKind, missed: Iterable[Window]) -> list[Window]:
    """Return the ranges without the hours that have a receipt after all. Days that cannot be listed stay missed.

    Of two reports that write the status at the same moment, only one is in it. Raises TransientError.
    """
    left = list(missed)
    hours = [hour for each in left for hour in each.hours()]
    found: set[str] = set()
    for day in {day_folder_of(user_id, kind, hour) for hour in hours}:
        try:
            found |= receipt_files(path for path, _ in ledger.versions(day)).keys()
        except PermanentError as unreadable:
            log.warning("Account %s: hours without a run may have one: %s", user_id, unreadable)
    for hour in hours:
        if window_folder(user_id, kind, hour) in found:
            left = without(left, hour)
    return left
