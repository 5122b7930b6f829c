"""Counts many accounts at once: one connection for all that share a source, instead of one for each."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from job_history.accounts.account import Account
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.window import Window
from job_history.sources import Source, SupportsBatchCount

log = logging.getLogger(__name__)

Counted = dict[tuple[int, EventKind, Window], int]
"""By user_id, kind of event and hour."""


def count_batch(
    windows: Iterable[tuple[Account, EventKind, Window]],
    source_of: Callable[[Account, EventKind], Source[Record]],
    *,
    is_over: Callable[[], bool] = lambda: False,
    one_question: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Counted:
    """Count the windows of accounts that share a source, if it supports this. The result has no other windows.

    `is_over`: no time is left to ask a further source. `one_question` makes a context in which a source may take so
    long; it raises an Exception.
    """
    counted: Counted = {}
    for (_, kind), group in _by_source(windows).items():
        for hour, accounts in group.items():
            if len(accounts) == 1 or is_over():
                continue
            user_ids = [account.user_id for account in accounts]
            try:
                source = source_of(accounts[0], kind)
                if isinstance(source, SupportsBatchCount):
                    with one_question():
                        numbers = source.counts(user_ids, hour)
                    counted |= {
                        (user_id, kind, hour): number for user_id, number in zip(user_ids, numbers, strict=True)
                    }
            except Exception as error:  # noqa: BLE001 - each account's own count meets it again, and reports it under its name
                log.warning(
                    "The batch count of %s accounts failed, so they are counted one by one: %s", len(accounts), error
                )
                break
    return counted


def _by_source(
    windows: Iterable[tuple[Account, EventKind, Window]],
) -> dict[tuple[str, EventKind], dict[Window, list[Account]]]:
    groups: defaultdict[tuple[str, EventKind], defaultdict[Window, list[Account]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for account, kind, hour in windows:
        groups[account.source.model_dump_json(), kind][hour].append(account)
    return {source: dict(hours) for source, hours in groups.items()}
