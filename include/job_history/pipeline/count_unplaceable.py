"""Counts the records of each planned account that no window can contain, at most once in a plan."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import AbstractContextManager, closing

from job_history.accounts.account import Account
from job_history.model.event_kind import EventKind
from job_history.model.unplaceable import Unplaceable
from job_history.pipeline.fair_order import order_of_hour
from job_history.pipeline.results import Plan, PlannedWindow
from job_history.pipeline.slicing import SourceOf
from job_history.pipeline.time_of_plan import TimeOfPlan
from job_history.progress import readable_ids
from job_history.sources import SupportsBatchUnplaceable, SupportsUnplaceable

log = logging.getLogger(__name__)

ACCOUNTS_A_BATCH = 100
_NOT_COUNTED = "records that are finished and in no window could not be counted"

Group = tuple[Account, list[PlannedWindow]]
"""An account, with its planned windows of one kind."""


def count_unplaceable(
    plan: Plan,
    accounts: Mapping[int, Account],
    source_of: SourceOf,
    *,
    failed: Container[tuple[int, EventKind]],
    time: TimeOfPlan,
    clock: Callable[[], float],
) -> None:
    """Note in each planned window what its account's source reports; `clock` is in seconds.

    Which accounts come first, and are asked if time is short, changes each hour; `time` is what is left.

    An account that could not be asked is noted in `plan.unchecked`. Its windows go on: their extract meets the error.
    Those in `failed` are not asked: their source did not answer when it was to count, and their extract reports it.
    """
    skipped: list[int] = []
    with time.unplaceable.spent(clock) as is_over:
        for kind, groups in _batches(plan, accounts, failed):
            if is_over():
                skipped += [account.user_id for account, _ in groups]
                continue
            found = _batch(kind, groups, source_of, is_over, time.one_question)
            for account, windows in groups:
                if account.user_id not in found:
                    if is_over():
                        skipped.append(account.user_id)
                        continue
                    found[account.user_id] = _single(plan, kind, account, source_of, time.one_question)
                for planned in windows:
                    planned.unplaceable = found[account.user_id] or None
    if skipped:
        plan.unchecked.append(
            f"{len(set(skipped)):,} accounts: {_NOT_COUNTED}, because sources took too long. Another hour begins with "
            f"other accounts. They are: {readable_ids(skipped)}"
        )


def _batch(
    kind: EventKind,
    groups: list[Group],
    source_of: SourceOf,
    is_over: Callable[[], bool],
    one_question: Callable[[], AbstractContextManager[None]],
) -> dict[int, Unplaceable | None]:
    """Ask for accounts of one source together, over one connection; return those that answered in time."""
    found: dict[int, Unplaceable | None] = {}
    if len(groups) == 1:
        return found
    try:
        source = source_of(groups[0][0], kind)
        if not isinstance(source, SupportsBatchUnplaceable):
            return found
        user_ids = [account.user_id for account, _ in groups]
        with one_question(), closing(source.unplaceables(user_ids)) as answers:
            for user_id, answer in zip(user_ids, answers, strict=True):
                found[user_id] = answer
                if is_over():
                    break
    except Exception as error:  # noqa: BLE001 - each account is asked alone then, and reports it under its name
        log.warning("%s accounts are asked one by one, because a batch failed: %s", len(groups) - len(found), error)
    return found


def _single(
    plan: Plan,
    kind: EventKind,
    account: Account,
    source_of: SourceOf,
    one_question: Callable[[], AbstractContextManager[None]],
) -> Unplaceable | None:
    try:
        source = source_of(account, kind)
        with one_question():
            return source.unplaceable(account.user_id) if isinstance(source, SupportsUnplaceable) else None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
        plan.unchecked.append(f"Account {kind.of(account.label)}: {_NOT_COUNTED}: {error}")
        return None


def _batches(
    plan: Plan, accounts: Mapping[int, Account], failed: Container[tuple[int, EventKind]]
) -> Iterator[tuple[EventKind, list[Group]]]:
    """Yield accounts that share a source.

    First those without a countable record; in both parts, each hour has an order of its own.
    """
    windows: dict[tuple[int, EventKind], list[PlannedWindow]] = {}
    for planned in plan.windows:
        if planned.enabled and (planned.user_id, planned.kind) not in failed:
            windows.setdefault((planned.user_id, planned.kind), []).append(planned)
    of_hour = order_of_hour(windows.items(), lambda each: each[0][0], plan.window.start)
    in_order = sorted(of_hour, key=lambda each: any(planned.counted != 0 for planned in each[1]))

    by_source: dict[tuple[str, EventKind], list[Group]] = {}
    for (user_id, kind), of_account in in_order:
        account = accounts[user_id]
        by_source.setdefault((account.source.model_dump_json(), kind), []).append((account, of_account))
    for (_, kind), groups in by_source.items():
        for start in range(0, len(groups), ACCOUNTS_A_BATCH):
            yield kind, groups[start : start + ACCOUNTS_A_BATCH]
