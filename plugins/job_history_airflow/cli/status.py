"""`job-history status`: show the state of each account's windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

import click

from job_history.tables import padded, width_of
from job_history_airflow.cli.command import Answer, Request, over_accounts
from job_history_airflow.cli.options import DURATION
from job_history_airflow.cli.printing import print_line

if TYPE_CHECKING:
    from job_history.inspection.status import WindowStatus

LETTERS = {
    "complete": ".",
    "late": "l",
    "complete_with_quarantine": "q",
    "open": "O",
    "failed": "F",
    "unrecoverable": "U",
    "disabled": "-",
    "waiting": "w",
}


@click.command()
@over_accounts(quickly=True)
@click.option(
    "--fail-after",
    type=DURATION,
    help="For monitoring: judge the installation by _control/status.json alone. Exit with 1 if a scheduled run did not "
    "report in time, or if a window of any account needs a run for longer (2h, 90m).",
)
def status(request: Request, *, fail_after: timedelta | None) -> Answer:
    """Show the state of each account's hours.

    Only the ledger is read, neither source nor destination. Windows that wait for a seal are counted, of any time.

    Exits with 1 if an hour is open (it has settled and has no receipt), failed or unrecoverable; with 2 if an account's
    settings cannot be used.
    """
    from job_history.inspection.status import statuses
    from job_history.seals.unsealed import unsealed_of

    if fail_after is not None:
        _refuse_a_choice()
        return _overdue(request, fail_after)
    settle = request.context.settings.settle
    windows = list(statuses(request.context.ledger, request.accounts, request.window, datetime.now(UTC), settle))
    missing = [each for each in windows if each.state.needs_run]
    unsealed = len(unsealed_of(request.context.ledger, [account.user_id for account in request.accounts]))
    values = {"owed": len(missing), "unsealed": unsealed, "windows": windows}
    return Answer(values, partial(_print, windows, missing, unsealed), bool(missing), request.unusable_accounts)


def _refuse_a_choice() -> None:
    """Raise UsageError if accounts or hours are chosen: the status file is judged as a whole."""
    given = click.get_current_context().params
    if any(given[name] is not None for name in ("chosen", "hours", "since", "until")):
        raise click.UsageError("--fail-after judges all accounts at any time: leave out the options that choose some.")


def _overdue(request: Request, fail_after: timedelta) -> Answer:
    """Judge the status file as `job-history-watch` does."""
    from job_history.ledger.status_file import PATH
    from job_history_verify.watch import StatusError, judge

    content = request.context.ledger.read(PATH)
    where = request.context.ledger.url(PATH)
    if content is None:
        return _unreadable(f"{where} is missing: no run has reported yet.")
    try:
        found = judge(content, fail_after, datetime.now(UTC))
    except StatusError as error:
        return _unreadable(f"{where} cannot be read as a status: {error}. The next report writes it again.")

    def print_late() -> None:
        for sentence in [*(found.problems or ["Nothing is overdue."]), *found.notes]:
            print_line(sentence)

    return Answer({"overdue": found.problems, "notes": found.notes}, print_late, bool(found.problems))


def _unreadable(problem: str) -> Answer:
    return Answer({"overdue": []}, lambda: None, differs=False, problems=[problem])


def _print(windows: list[WindowStatus], missing: list[WindowStatus], unsealed: int) -> None:
    _print_days(windows)
    _print_summary(windows, missing)
    if unsealed:
        print_line(f"{unsealed:,} windows wait for a seal; the log of the last report has the reason.")


def _print_days(windows: list[WindowStatus]) -> None:
    """Print a block for each day: a row for each account and kind, a letter for each hour."""
    width = max([len("YYYY-MM-DD"), *(width_of(each.label) for each in windows)])
    by_day = sorted(windows, key=lambda each: each.window.start_text[:10])
    for day, of_day in groupby(by_day, lambda each: each.window.start_text[:10]):
        print_line(f"{padded(day, width)}  " + "".join(f"{hour:<6}" for hour in ("00", "06", "12", "18")).rstrip())
        for label, row in groupby(of_day, attrgetter("label")):
            print_line(f"{padded(label, width)}  {_letters(row)}")
        print_line()


def _letters(row: Iterable[WindowStatus]) -> str:
    hours = {int(each.window.start_text[11:13]): LETTERS[each.state] for each in row}
    return "".join(hours.get(hour, " ") for hour in range(24)).rstrip()


def _print_summary(windows: list[WindowStatus], missing: list[WindowStatus]) -> None:
    counts = Counter(sorted(each.state.value for each in windows))
    print_line(", ".join(f"{counts[state]:,} {state} ({LETTERS[state]})" for state in counts))
    for (state, label, fault), row in groupby(missing, lambda each: (each.state, each.label, each.last_fault)):
        starts = [each.window.start_text for each in row]
        hours = starts[0] if len(starts) == 1 else f"{starts[0]} to {starts[-1]} ({len(starts)} hours)"
        print_line(f"{state}: {label}, {hours}" + (f": {fault}" if fault else ""))
