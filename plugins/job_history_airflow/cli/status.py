"""`job-history status`: how each account's windows stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.options import accounts_option, requested_accounts, requested_hours, window_options
from job_history_airflow.cli.printing import as_json, print_json, say

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
@accounts_option
@window_options
@as_json
@click.pass_context
def status(
    ctx: click.Context,
    *,
    chosen: list[int] | None,
    since: datetime | None,
    until: datetime | None,
    hours: int | None,
    as_json: bool,
) -> None:
    """Show how each account's hours stand.

    It goes by the receipts alone, and asks neither source nor destination.

    Exits with 1 where an hour is open (it has settled, and has no receipt), failed or unrecoverable; with 2 where an
    account's settings cannot be used.
    """
    from job_history.inspection.status import statuses
    from job_history_airflow.cli.context import load_context

    window = requested_hours(since, until, hours)
    here = load_context()
    accounts = requested_accounts(here.accounts, chosen)
    faults = here.accounts.faults if chosen is None else []
    told = list(statuses(here.ledger, accounts, window, datetime.now(UTC), here.settings.settle))
    owed = [each for each in told if each.state.owed]
    if as_json:
        print_json({**window.as_dict(), "owed": len(owed), "faults": faults, "windows": told})
    else:
        _print_days(told)
        _print_summary(told, owed)
    for fault in faults:
        click.echo(f"Error: {fault}", err=True)
    ctx.exit(2 if faults else 1 if owed else 0)


def _print_days(told: list[WindowStatus]) -> None:
    """Print a block for each day: a row for each account and kind, a letter for each hour."""
    width = max([len("YYYY-MM-DD"), *(len(_whose(each)) for each in told)])
    by_day = sorted(told, key=lambda each: each.window["start"][:10])
    for day, of_day in groupby(by_day, lambda each: each.window["start"][:10]):
        say(f"{day:<{width}}  " + "".join(f"{hour:<6}" for hour in ("00", "06", "12", "18")).rstrip())
        for whose, row in groupby(of_day, _whose):
            say(f"{whose:<{width}}  {_letters(row)}")
        say()


def _letters(row: Iterable[WindowStatus]) -> str:
    hours = {int(each.window["start"][11:13]): LETTERS[each.state] for each in row}
    return "".join(hours.get(hour, " ") for hour in range(24)).rstrip()


def _print_summary(told: list[WindowStatus], owed: list[WindowStatus]) -> None:
    counts = Counter(sorted(each.state.value for each in told))
    say(", ".join(f"{counts[state]:,} {state} ({LETTERS[state]})" for state in counts))
    for (state, whose, fault), row in groupby(owed, lambda each: (each.state, _whose(each), each.last_fault)):
        starts = [each.window["start"] for each in row]
        hours = starts[0] if len(starts) == 1 else f"{starts[0]} to {starts[-1]} ({len(starts)} hours)"
        say(f"{state}: {whose}, {hours}" + (f": {fault}" if fault else ""))


def _whose(each: WindowStatus) -> str:
    return each.kind.of(f"{each.user_id} {each.name}")
