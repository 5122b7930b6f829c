"""Counts many accounts at once: one connection for all that share a source, instead of one for each."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext

from job_history.accounts.account import Account
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.window import Window
from job_history.sources import Source, SupportsBatchCount

log = logging.getLogger(__name__)

ACCOUNTS_AT_ONCE = 500
"""Of one question. If a limit of time ends it, what it has counted is lost; a busy store takes 13 ms for an account."""
MAX_FAILURES = 2
"""A source is not asked for more accounts together if so many questions in a row failed: it may be away."""

Counted = dict[tuple[int, EventKind, Window], int]
"""By user_id, kind of event and hour."""


def count_batch(
    windows: Iterable[tuple[Account, EventKind, Window]],
    source_of: Callable[[Account, EventKind], Source[Record]],
    *,
    is_over: Callable[[], bool] = lambda: False,
    one_question: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Counted:
    """Count the windows of accounts that share a source, if it supports this. The result has no other windows, and none
    of a question that failed.

    `is_over`: no time is left for a further question. `one_question` makes a context in which a source may take so
    long; it raises an Exception.
    """
    counted: Counted = {}
    for (_, kind), group in _by_source(windows).items():
        failures = 0
        for hour, accounts in _questions(group):
            if failures == MAX_FAILURES or is_over():
                break
            user_ids = [account.user_id for account in accounts]
            try:
                source = source_of(accounts[0], kind)
                if isinstance(source, SupportsBatchCount):
                    with one_question():
                        numbers = source.counts(user_ids, hour)
                    counted |= {
                        (user_id, kind, hour): number for user_id, number in zip(user_ids, numbers, strict=True)
                    }
                failures = 0
            except Exception as error:  # noqa: BLE001 - each account's own count meets it again, and reports it under its name
                failures += 1
                log.warning(
                    "The batch count of %s accounts failed, so they are counted one by one: %s", len(accounts), error
                )
    return counted


def _questions(group: dict[Window, list[Account]]) -> Iterator[tuple[Window, list[Account]]]:
    for hour, accounts in group.items():
        if len(accounts) > 1:
            for first in range(0, len(accounts), ACCOUNTS_AT_ONCE):
                yield hour, accounts[first : first + ACCOUNTS_AT_ONCE]


def _by_source(
    windows: Iterable[tuple[Account, EventKind, Window]],
) -> dict[tuple[str, EventKind], dict[Window, list[Account]]]:
    groups: defaultdict[tuple[str, EventKind], defaultdict[Window, list[Account]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for account, kind, hour in windows:
        groups[account.source.model_dump_json(), kind][hour].append(account)
    return {source: dict(hours) for source, hours in groups.items()}
