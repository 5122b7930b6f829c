"""Compares the receipts of an account with its source: ids that only one of them has."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeGuard

from job_history.accounts.account import Account
from job_history.errors import UnrecoverableError
from job_history.ledger.item import Item
from job_history.ledger.items import item_lists
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.limited_log import LimitedLog
from job_history.model.event_kind import EventKind
from job_history.model.ids import MAX_ID_DIGITS
from job_history.model.record import Record
from job_history.model.window import Window
from job_history.reconciliation.findings import MAX_EXAMPLES, OPEN, WindowFinding
from job_history.sources import RemoteSource, SupportsIdListing
from job_history.storage import Storage

log = logging.getLogger(__name__)

Ids = Callable[[Window], Iterable[str]]
"""Returns the ids of an hour, as its source lists them. Raises what the source raises."""


def no_ids(_hour: Window) -> Iterable[str]:
    """Return the ids of any hour of an account without a job."""
    return ()


@contextmanager
def ids_of(account: Account, hours: Window, source: RemoteSource[Record], counted: int | None) -> Iterator[Ids]:
    """Open how an account's hours are listed. One without any job in `hours` is asked only once.

    `counted`: the number of its jobs there, if that is known.
    """
    if counted is None:
        counted = _count(account, hours, source)
    if counted == 0:
        yield no_ids
    elif isinstance(source, SupportsIdListing):
        with source.id_listing(account.user_id) as listing:
            yield listing
    else:
        yield lambda hour: source.ids(account.user_id, hour)


def _count(account: Account, hours: Window, source: RemoteSource[Record]) -> int | None:
    """Return the number of an account's jobs in these hours; None if the source no longer holds all of them."""
    try:
        return source.count(account.user_id, hours)
    except UnrecoverableError:
        log.info("Account %s: the source no longer holds all of %s, so it is asked hour by hour.", account.label, hours)
        return None


def compared_with_source(
    account: Account, kind: EventKind, hours: Window, ids: Ids, ledger: Storage, *, receipts: list[Receipt | None]
) -> Iterator[tuple[WindowFinding, Receipt | None]]:
    """Yield for each hour its finding and its newest receipt; `receipts` are those of `hours`, as they were read first.

    Raises what the source raises.
    """
    # Prefetched, because each takes its time in a bucket: a thousand accounts have fifty thousand of them.
    lists = item_lists(ledger, [path for receipt in receipts if _is_compared(receipt) for path in receipt.items])
    with LimitedLog(log, at_most=1) as lines:
        for hour, receipt in zip(hours.hours(), receipts, strict=True):
            newest = receipt
            finding = WindowFinding(
                user_id=account.user_id,
                name=account.name,
                kind=kind,
                window=hour,
                state=OPEN if receipt is None else receipt.state,
            )
            if _is_compared(receipt):
                of_hour = islice(lists, len(receipt.items))
                try:
                    listed = [_as_in_documents(each) for each in ids(hour)]
                except UnrecoverableError as gone:
                    lines.info("Not compared with the source: %s (%s)", finding.label, gone)
                    deque(of_hour, maxlen=0)
                else:
                    missing, finding.gone = _differing(listed, _ids_in(of_hour))
                    if missing:
                        # Re-read it: a run may have written one meanwhile.
                        newest = read_receipt(ledger, account.user_id, kind, hour) or receipt
                        missing, finding.gone = _differing(listed, _ids_in(item_lists(ledger, newest.items)))
                    finding.missing, finding.missing_ids = len(missing), missing[:MAX_EXAMPLES]
                    finding.compared = True
            yield finding, newest


def _is_compared(receipt: Receipt | None) -> TypeGuard[Receipt]:
    return receipt is not None and receipt.state.closed


def _ids_in(lists: Iterable[Iterable[Item]]) -> Iterator[str]:
    return (_as_in_documents(item.job_id) for items in lists for item in items)


def _differing(listed: list[str], known: Iterable[str]) -> tuple[list[str], int]:
    """Return the ids that are only in `listed`, sorted, and the number of those only in `known`."""
    left, right = set(listed), set(known)
    return sorted(left - right), len(right - left)


def _as_in_documents(job_id: str) -> str:
    """Write an id of digits alone as a number, however the source writes it."""
    is_number = job_id.isascii() and job_id.isdigit() and len(job_id) <= MAX_ID_DIGITS
    return str(int(job_id)) if is_number else job_id
