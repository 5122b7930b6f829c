"""Unknown objects: in a bucket, in a folder of documents, and named by no receipt.

An object is judged by its document's own time: the receipt of that hour must name it. Objects of an hour that is not
closed are not judged, because a load that was killed leaves such objects until the hour is run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from job_history.destinations import Listable
from job_history.documents.object_key import began_at
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.limited_log import LimitedLog
from job_history.model.timestamp import parse_time
from job_history.model.window import HOUR, Window, last_full_hour
from job_history.reconciliation.expected_objects import ExpectedObjects
from job_history.reconciliation.findings import Objects, WindowFinding
from job_history.storage import Storage

log = logging.getLogger(__name__)

MAX_READS_PER_FOLDER = 100


def unknown_keys(
    expected: ExpectedObjects,
    reported: list[tuple[WindowFinding, Receipt | None]],
    hours: Window,
    bucket: Listable,
    ledger: Storage,
) -> Objects:
    """Return the unknown objects in the folders that were listed.

    A key is judged if its own time is in the hours that are compared: others belong to hours that this reconciliation
    does not know. At most `MAX_READS_PER_FOLDER` objects of a folder are read, others each day; the log names a folder
    that has more.
    """
    closed = {
        finding.window: receipt
        for finding, receipt in reported
        # One that lacks jobs is run by this reconciliation; an earlier try of that may have left objects.
        if receipt is not None and receipt.state.closed and not finding.missing
    }
    unknown = Objects()
    with LimitedLog(log) as lines:
        for folder in expected.folders():
            keys, left = expected.unlisted(folder, hours, MAX_READS_PER_FOLDER)
            if left:
                lines.warning(
                    "%s: %s objects more that no receipt names were not read; job-history diff reads all.", folder, left
                )
            for key in keys:
                if is_unknown(
                    bucket, key, is_closed=lambda hour: hour in closed and not _has_changed(closed[hour], ledger)
                ):
                    unknown.add(key)
    return unknown


def is_unknown(bucket: Listable, key: str, *, is_closed: Callable[[Window], bool]) -> bool:
    """Return whether an object that no receipt names is no document, or one of an hour that is closed.

    Raises what the bucket raises.
    """
    if not began_at(key):
        return True
    content = bucket.read(key)
    if content is None:
        return False  # deleted since it was listed
    hour = _hour_of(content)
    return hour is None or is_closed(hour)


def _hour_of(content: bytes) -> Window | None:
    """Return the hour that a document belongs to; None if the object is no document."""
    try:
        document = msgspec.json.decode(content, type=_Document)
        moment = parse_time(document.completed_at or document.timestamp or "")
        return last_full_hour(moment + HOUR)
    except (msgspec.DecodeError, ValueError, OverflowError):
        return None


class _Document(msgspec.Struct):
    completed_at: str | None = None
    timestamp: str | None = None


def _has_changed(receipt: Receipt, ledger: Storage) -> bool:
    """Return whether a run has added a revision since the receipt was read: its list may name the object."""
    newest = read_receipt(ledger, receipt.user_id, receipt.kind, receipt.window)
    return newest is None or newest.revision != receipt.revision
