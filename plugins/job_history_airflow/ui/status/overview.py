"""The overview of the status page: accounts by hours or days, sums, lag and lateness. Made from receipts alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

import msgspec

from job_history.inspection.status import HourState, WindowStatus
from job_history.ledger.lateness import BUCKETS
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time, parse_time
from job_history.model.window import HOUR, Window
from job_history_airflow.ui.status.period import DAY

# A day is shown in the state of the hour that needs the most attention.
WORST_FIRST = (
    HourState.FAILED,
    HourState.UNRECOVERABLE,
    HourState.OPEN,
    HourState.COMPLETE_WITH_QUARANTINE,
    HourState.LATE,
    HourState.WAITING,
    HourState.COMPLETE,
    HourState.DISABLED,
)
WORDS = {state: state.value.replace("_", " ") for state in HourState} | {
    HourState.COMPLETE_WITH_QUARANTINE: "quarantined",
}


class Sums(msgspec.Struct, kw_only=True):
    """Counts of the jobs (or events) of several windows. `bytes` are those of their documents."""

    listed: int = 0
    delivered: int = 0
    already_present: int = 0
    filtered: int = 0
    quarantined: int = 0
    late: int = 0
    bytes: int = 0

    def add(self, window: WindowStatus | Sums) -> None:
        self.listed += window.listed
        self.delivered += window.delivered
        self.already_present += window.already_present
        self.filtered += window.filtered
        self.quarantined += window.quarantined
        self.late += window.late
        self.bytes += window.bytes


class Lag(msgspec.Struct, kw_only=True):
    """Seconds from the end of a window until a run closed it: the median and the 95th percentile."""

    p50: int | None = None
    p95: int | None = None


class Cell(msgspec.Struct, kw_only=True, gc=False):
    """An hour of an account, or a day with the state of its worst hour."""

    start: str
    end: str
    state: HourState
    listed: int


class AccountRow(msgspec.Struct, kw_only=True):
    """One account, or its admin events. `last_success` is the end of the last run that closed a window of it."""

    user_id: int
    name: str
    kind: EventKind
    cells: list[Cell]
    sums: Sums
    lag: Lag
    last_success: str = ""
    last_error: str | None = None
    last_error_window: str = ""

    @property
    def needs_run(self) -> bool:
        return any(cell.state.needs_run for cell in self.cells)


class Overview(msgspec.Struct, kw_only=True):
    """The whole overview.

    `states` counts hours; `throughput` counts the delivered or present documents of each column.
    """

    window: Window
    columns: list[str]
    by_day: bool
    rows: list[AccountRow]
    states: dict[HourState, int]
    sums: Sums
    lag: Lag
    throughput: list[int]
    lateness: dict[str, int]


def overview_of(statuses: Iterable[WindowStatus], window: Window, *, by_day: bool) -> Overview:
    """Make the overview from windows in the order of `job_history.inspection.status.statuses`: account by account."""
    columns = [format_time(start) for start in _steps(window, DAY if by_day else HOUR)]
    place = {start: number for number, start in enumerate(columns)}
    throughput = [0] * len(columns)
    states: Counter[HourState] = Counter()
    found_after: Counter[str] = Counter()
    sums = Sums()
    lags: list[int] = []
    rows: list[AccountRow] = []
    for _, of_account in groupby(statuses, key=attrgetter("user_id", "kind")):
        windows = list(of_account)
        of_row = _lags(windows)
        rows.append(_row(windows, of_row, by_day=by_day))
        sums.add(rows[-1].sums)
        lags += of_row
        for one in windows:
            states[one.state] += 1
            found_after.update(one.found_after)
            column = f"{one.window.start_text[:10]}T00:00:00Z" if by_day else one.window.start_text
            if column in place:
                throughput[place[column]] += one.delivered + one.already_present
    return Overview(
        window=window,
        columns=columns,
        by_day=by_day,
        rows=rows,
        states={state: states[state] for state in HourState},
        sums=sums,
        lag=_lag(lags),
        throughput=throughput,
        lateness={bucket: found_after[bucket] for bucket in BUCKETS},
    )


def _row(windows: list[WindowStatus], lags: list[int], *, by_day: bool) -> AccountRow:
    first = windows[0]
    sums = Sums()
    for window in windows:
        sums.add(window)
    failed = [window for window in windows if window.last_fault is not None]
    # An error that a later run fixed is shown only if no window needs a run.
    unfixed = [window for window in failed if window.state.needs_run] or failed
    return AccountRow(
        user_id=first.user_id,
        name=first.name,
        kind=first.kind,
        cells=list(_days(windows)) if by_day else [_cell(window) for window in windows],
        sums=sums,
        lag=_lag(lags),
        last_success=max((window.closed_at for window in windows), default=""),
        last_error=unfixed[-1].last_fault if unfixed else None,
        last_error_window=unfixed[-1].window.start_text if unfixed else "",
    )


def _cell(window: WindowStatus) -> Cell:
    return Cell(start=window.window.start_text, end=window.window.end_text, state=window.state, listed=window.listed)


def _days(windows: list[WindowStatus]) -> Iterator[Cell]:
    for _, of_day in groupby(windows, key=lambda window: window.window.start_text[:10]):
        hours = list(of_day)
        yield Cell(
            start=hours[0].window.start_text,
            end=hours[-1].window.end_text,
            state=min((hour.state for hour in hours), key=WORST_FIRST.index),
            listed=sum(hour.listed for hour in hours),
        )


def _lags(windows: list[WindowStatus]) -> list[int]:
    return [
        int((parse_time(window.closed_at) - window.window.end).total_seconds())
        for window in windows
        if window.closed_at
    ]


def _lag(seconds: list[int]) -> Lag:
    ordered = sorted(seconds)
    return Lag(p50=_percentile(ordered, 0.5), p95=_percentile(ordered, 0.95))


def _percentile(ordered: list[int], share: float) -> int | None:
    """Return the smallest value that at least this share of the values do not exceed; None if there are none."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


def _steps(window: Window, step: timedelta) -> Iterator[datetime]:
    start = window.start
    while start < window.end:
        yield start
        start += step
