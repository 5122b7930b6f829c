"""Deletes the acknowledgements of windows that were closed some days ago: their receipts know what was delivered."""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from job_history.errors import ReplicationError
from job_history.ledger.acknowledgements import FOLDER
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipts_in_bulk import AskedReceipts, read_receipts_in_bulk
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.storage import Storage

log = logging.getLogger(__name__)

DAYS_AT_ONCE = 64
"""The receipts of so many accounts' days are in memory together."""


class _Day(NamedTuple):
    """One listing returns the receipts of an account's day."""

    user_id: int
    kind: EventKind
    day: str


def delete_old_acknowledgements(ledger: Storage, before: datetime) -> int:
    """Delete what was acknowledged to loads of a window before it was closed, if that was before this moment.

    Returns their number. Files of a load that is later than the closing run are kept: a rerun that failed is in no item
    list. Costs one listing of all acknowledgements, one listing for each account and day that has such old ones, and a
    request for each receipt there. An account's day with a receipt that cannot be read is left, with a warning.
    """
    written = {path: moment for path, moment in ledger.written(FOLDER) if moment < before}
    days: dict[_Day, dict[Window, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in written:
        try:
            user_id, kind, slug = path.removeprefix(f"{FOLDER}/").split("/")[:3]
            window = Window.from_slug(slug)
            day = _Day(int(user_id), EventKind(kind), f"{window.start:%Y%m%d}")
        except ValueError:
            continue  # not ours
        days[day][window].append(path)
    to_delete: list[str] = []
    left = iter(days.items())
    while some := list(islice(left, DAYS_AT_ONCE)):
        asked = [AskedReceipts(day.user_id, day.kind, list(windows)) for day, windows in some]
        for (_, windows), receipts in zip(some, read_receipts_in_bulk(ledger, asked), strict=True):
            if isinstance(receipts, ReplicationError):
                log.warning("Old acknowledgements are kept: %s", receipts)
                continue
            for paths, receipt in zip(windows.values(), receipts, strict=True):
                closed_at = _closed_at(receipt, before)
                to_delete += [path for path in paths if closed_at is not None and written[path] <= closed_at]
    ledger.delete_all(to_delete)
    return len(to_delete)


def _closed_at(receipt: Receipt | None, before: datetime) -> datetime | None:
    """Return when a run last closed the window before a moment; None if none did, or if it is open now."""
    if receipt is None or not receipt.state.closed:
        return None
    ends = [parse_time(run.finished_at) for run in receipt.runs if run.state.closed]
    return max((end for end in ends if end < before), default=None)
