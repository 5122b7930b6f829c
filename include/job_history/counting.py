"""Counts of many accounts at once: a connection for all that share a source, instead of one for each."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable

from job_history.account import Account
from job_history.event_kind import EventKind
from job_history.record import Record
from job_history.sources import CountsTogether, Source
from job_history.window import Window

log = logging.getLogger(__name__)

Counted = dict[tuple[int, EventKind, Window], int]
"""By user_id, kind of event and hour."""


def counted_together(
    accounts: Iterable[Account], window: Window, source_of: Callable[[Account, EventKind], Source[Record]]
) -> Counted:
    """Count each hour of the window for the accounts that share a source which can. The others are not in what it returns."""
    counted: Counted = {}
    for (_, kind), group in _by_source(accounts).items():
        if len(group) == 1:
            continue
        user_ids = [account.user_id for account in group]
        try:
            source = source_of(group[0], kind)
            if isinstance(source, CountsTogether):
                for hour in window.hours():
                    numbers = source.counts(user_ids, hour)
                    counted |= {
                        (user_id, kind, hour): number for user_id, number in zip(user_ids, numbers, strict=True)
                    }
        except Exception as fault:  # noqa: BLE001 - each account's own count meets it again, and tells it under its name
            log.warning("%s accounts of one source are counted one by one, for together failed: %s", len(group), fault)
    return counted


def _by_source(accounts: Iterable[Account]) -> dict[tuple[str, EventKind], list[Account]]:
    groups: defaultdict[tuple[str, EventKind], list[Account]] = defaultdict(list)
    for account in accounts:
        for kind in account.events.kinds:
            groups[account.source.model_dump_json(), kind].append(account)
    return groups
