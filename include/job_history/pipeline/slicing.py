"""Slicing: count each planned window at its source, and cut it into slices that one chain of tasks can handle."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from job_history.accounts.account import Account
from job_history.limited_log import LimitedLog
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.model.window import Window, parts_of_at_most
from job_history.pipeline.fair_order import order_of_hour
from job_history.pipeline.results import Plan, PlannedWindow
from job_history.pipeline.time_of_plan import TimeOfPlan
from job_history.progress import readable_ids
from job_history.sources import Cost, Source, SupportsCost, SupportsQuickCheck
from job_history.sources.count_batch import count_batch

log = logging.getLogger(__name__)

SourceOf = Callable[[Account, EventKind], Source[Record]]


def add_slices(
    plan: Plan,
    accounts: Mapping[int, Account],
    source_of: SourceOf,
    *,
    max_jobs_per_slice: int,
    time: TimeOfPlan,
    clock: Callable[[], float],
) -> set[tuple[int, EventKind]]:
    """Count the plan's windows, and give each its slices. `clock` is in seconds.

    Which accounts come first, and are counted if time is short, changes each hour; `time` is what is left. Returns the
    accounts and kinds whose source could not be asked.
    """
    failed: set[tuple[int, EventKind]] = set()
    in_order = order_of_hour(plan.windows, lambda planned: planned.user_id, plan.window.start)
    to_count = [(planned, accounts[planned.user_id]) for planned in in_order if planned.enabled]
    not_counted: list[int] = []
    with time.counts.spent(clock) as is_over, LimitedLog(log) as lines:
        with time.batches.spent(clock) as are_over:
            counted = count_batch(
                [(account, planned.kind, planned.window) for planned, account in to_count],
                source_of,
                is_over=are_over,
                one_question=time.one_question,
            )
        for planned, account in to_count:
            planned.counted = counted.get((planned.user_id, planned.kind, planned.window))
            if planned.counted == 0:
                continue
            if time.failed_counts.left <= 0 or is_over():
                not_counted.append(planned.user_id)
                planned.slices = _slices(plan.run, planned, [planned.window])
                failed.add((planned.user_id, planned.kind))
                continue
            began = clock()
            source = functools.partial(source_of, account, planned.kind)
            if not _count_and_cut(
                planned, plan.run, source, max_jobs_per_slice, lines=lines, one_question=time.one_question
            ):
                time.failed_counts.left -= clock() - began
                failed.add((planned.user_id, planned.kind))
    if not_counted:
        log.warning(
            "Counting took too long. These accounts were not counted, and their extract tasks do it: %s. Another hour "
            "begins with other accounts.",
            readable_ids(not_counted),
        )
    return failed


def _count_and_cut(
    planned: PlannedWindow,
    run: str,
    source_of: Callable[[], Source[Record]],
    max_jobs_per_slice: int,
    *,
    lines: LimitedLog,
    one_question: Callable[[], AbstractContextManager[None]],
) -> bool:
    """Count a window and cut it. Returns whether its source could be asked."""
    try:
        with one_question():
            parts = _counted_parts(planned, source_of(), max_jobs_per_slice, lines)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
        # Its own extract asks again, with its own retries, and fails under the account's name.
        lines.warning(
            "The source of account %s, window %s could not be counted: %s", planned.label, planned.window, error
        )
        planned.slices = _slices(run, planned, [planned.window])
        return False
    planned.slices = _slices(run, planned, parts)
    return True


def _counted_parts(
    planned: PlannedWindow, source: Source[Record], max_jobs_per_slice: int, lines: LimitedLog
) -> list[Window]:
    """Note what the source counts, and return the parts of the window that are slices."""
    window = planned.window
    if isinstance(source, SupportsQuickCheck):
        has_news = source.has_news(planned.user_id, window)
        planned.counted, planned.counted_by = None if has_news else 0, source.counts_by
        planned.cost = _cost(source, planned, lines) if has_news else None
        return [window] if has_news else []
    if planned.counted is None:
        planned.counted = source.count(planned.user_id, window)
    if not planned.counted:
        return []
    return list(
        parts_of_at_most(max_jobs_per_slice, window, planned.counted, lambda part: source.count(planned.user_id, part))
    )


def _cost(source: object, planned: PlannedWindow, lines: LimitedLog) -> Cost | None:
    if not isinstance(source, SupportsCost):
        return None
    try:
        return source.cost(planned.user_id, planned.window)
    except Exception as error:  # noqa: BLE001 - an estimate stops nothing
        lines.warning("The cost of account %s, window %s is unknown: %s", planned.label, planned.window, error)
        return None


def _slices(run: str, planned: PlannedWindow, parts: list[Window]) -> list[Slice]:
    return [
        Slice(
            run=run,
            user_id=planned.user_id,
            name=planned.name,
            kind=planned.kind,
            window=planned.window,
            part=part,
            number=number,
            of=len(parts),
        )
        for number, part in enumerate(parts, start=1)
    ]
