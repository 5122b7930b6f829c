"""The log of a report: what failed, why and what to do, then a row for each window.

Airflow's log viewer shows about 110 characters in a line on a screen of 1,280 pixels.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator
from heapq import nsmallest
from textwrap import wrap

from job_history.errors.problem import Problem, parse_problem
from job_history.errors.quoting import on_one_line
from job_history.ledger.receipt import Receipt, WindowState
from job_history.progress import readable_bytes
from job_history.tables import text_table

log = logging.getLogger(__name__)

WIDTH = 110
MAX_LABEL = 20
MAX_FAILURES = 100
MAX_ROWS = 200
STATE_WORDS = {WindowState.COMPLETE_WITH_QUARANTINE: "quarantined"}
_DEFAULT_FIX = "Fix the cause, then clear the failed task, or run the hour again."
# Columns that are left out of the table if they are 0 in each row.
_OPTIONAL = ("present", "filtered", "quarantined")


def log_run_summary(receipts: Collection[Receipt], problems: list[str], claim: str, status_url: str) -> None:
    """Log a run's failures and its windows. `claim`: what holds for all that no problem names."""
    if problems:
        log.error("%s", failures_text(receipts, problems, claim))
    if receipts:
        log.info("%s\n%s", _totals(receipts), run_table(receipts))
    if status_url:
        log.info("Status page: %s", status_url)


def failures_text(receipts: Iterable[Receipt], problems: list[str], claim: str) -> str:
    """Return three short lines for each problem: account and window, the cause, what to do."""
    clock = _Clock(receipts)
    lines: list[str] = []
    for problem in problems[:MAX_FAILURES]:
        lines += _failure_lines(parse_problem(problem), clock)
    if len(problems) > MAX_FAILURES:
        lines.append(f"... and {len(problems) - MAX_FAILURES:,} more; the receipts of their windows have them.")
    return "\n".join([f"{_places(len(problems))} failed; {claim}.", *lines])


def run_table(receipts: Collection[Receipt]) -> str:
    """Return a row for each account and window; at most `MAX_ROWS`: first those that need attention."""
    clock, number = _Clock(receipts), len(receipts)
    rows = [_row(receipt, clock) for receipt in nsmallest(MAX_ROWS, receipts, key=_worst_first)]
    shown = [name for name in rows[0] if name not in _OPTIONAL or any(row[name] != "0" for row in rows)]
    table = text_table(shown, [[row[name] for name in shown] for row in rows])
    return table if number <= MAX_ROWS else f"{table}\n... and {number - MAX_ROWS:,} windows more."


def _failure_lines(problem: Problem, clock: _Clock) -> Iterator[str]:
    heading = " ".join(filter(None, ("FAILED", problem.account, problem.start and clock.text(problem.start))))
    yield on_one_line(heading)
    cause = f"{problem.code}: {problem.cause}" if problem.code else problem.cause
    for sentence in (cause, problem.fix or _DEFAULT_FIX):
        yield from wrap(
            on_one_line(sentence),
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _row(receipt: Receipt, clock: _Clock) -> dict[str, str]:
    counts = receipt.counts
    return {
        "state": STATE_WORDS.get(receipt.state, receipt.state.value),
        "account": _short(receipt.label),
        "window": clock.text(receipt.window.start_text),
        "counted": f"{counts.counted:,}",
        "delivered": f"{counts.delivered:,}",
        "present": f"{counts.already_present:,}",
        "filtered": f"{sum(counts.filtered.values()):,}",
        "quarantined": f"{sum(counts.quarantined.values()):,}",
        "size": readable_bytes(counts.bytes),
    }


def _worst_first(receipt: Receipt) -> int:
    return 2 if receipt.state is WindowState.COMPLETE else 1 if receipt.state.closed else 0


def _totals(receipts: Collection[Receipt]) -> str:
    starts = sorted({receipt.window.start_text for receipt in receipts})
    hours = starts[0] if len(starts) == 1 else f"{starts[0]} to {starts[-1]}"
    delivered = sum(receipt.counts.delivered for receipt in receipts)
    seconds = sum(receipt.seconds.get("load", 0) for receipt in receipts)
    rate = f" at {delivered / seconds:,.0f} a second" if delivered and seconds else ""
    return f"Windows {hours} (UTC): {len(receipts):,}; {delivered:,} documents delivered{rate}."


def _places(number: int) -> str:
    return "1 place of this run" if number == 1 else f"{number:,} places of this run"


def _short(label: str) -> str:
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"


class _Clock:
    """Writes a window's start as `03:00`, with its day if the run has windows of several days."""

    def __init__(self, receipts: Iterable[Receipt]) -> None:
        self.one_day = len({receipt.window.start_text[:10] for receipt in receipts}) <= 1

    def text(self, start: str) -> str:
        return start[11:16] if self.one_day else f"{start[5:10]} {start[11:16]}"
