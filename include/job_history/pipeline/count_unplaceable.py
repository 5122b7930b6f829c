"""Counts the records of each planned account that no window can contain, at most once in a plan."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from job_history.accounts.account import Account
from job_history.model.event_kind import EventKind
from job_history.pipeline.results import Plan, PlannedWindow
from job_history.pipeline.slicing import SourceOf
from job_history.sources import SupportsUnplaceable

log = logging.getLogger(__name__)

# A plan has half an hour. Which accounts come first changes each hour.
LIMIT_SECONDS = 300.0
_NOT_COUNTED = "records that are finished and in no window could not be counted"


def count_unplaceable(
    plan: Plan, accounts: Mapping[int, Account], source_of: SourceOf, clock: Callable[[], float]
) -> None:
    """Note in each planned window what its account's source reports; `clock` is in seconds.

    An account that could not be asked is noted in `plan.unchecked`. Its windows go on: their extract meets the error.
    """
    began, skipped = clock(), 0
    for (user_id, kind), windows in _in_turn(plan):
        account = accounts[user_id]
        if clock() - began > LIMIT_SECONDS:
            skipped += 1
            continue
        try:
            source = source_of(account, kind)
            found = source.unplaceable(user_id) if isinstance(source, SupportsUnplaceable) else None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
            plan.unchecked.append(f"Account {kind.of(account.label)}: {_NOT_COUNTED}: {error}")
            continue
        for planned in windows:
            planned.unplaceable = found or None
    if skipped:
        plan.unchecked.append(
            f"{skipped:,} accounts: {_NOT_COUNTED}, because sources took too long. A later run asks them."
        )


def _in_turn(plan: Plan) -> list[tuple[tuple[int, EventKind], list[PlannedWindow]]]:
    """Group the windows by account and kind. First those without a countable record; the rest begin elsewhere each hour."""
    groups: dict[tuple[int, EventKind], list[PlannedWindow]] = {}
    for planned in plan.windows:
        if planned.enabled:
            groups.setdefault((planned.user_id, planned.kind), []).append(planned)
    in_order = list(groups.items())
    first = int(plan.window.start.timestamp() // 3600) % max(len(in_order), 1)
    turned = in_order[first:] + in_order[:first]
    return sorted(turned, key=lambda group: any(planned.counted != 0 for planned in group[1]))
