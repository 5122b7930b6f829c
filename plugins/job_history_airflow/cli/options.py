"""The options that choose accounts and hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from job_history.errors.quoting import quoted
from job_history.model.ids import MAX_ID_DIGITS
from job_history.model.timestamp import parse_time
from job_history.model.window import EARLIEST, LATEST, Window, last_full_hour
from job_history_verify.moments import parse_duration

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.accounts.variable import Accounts


MAX_HOURS = (LATEST - EARLIEST) // timedelta(hours=1)


class _Moment(click.ParamType[datetime]):
    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = value if isinstance(value, datetime) else parse_time(value)
        except ValueError as error:
            self.fail(f"{error}. Write it as 2018-05-21T00:00:00Z.", param, ctx)
        if not EARLIEST <= moment <= LATEST:
            self.fail(f"{quoted(value)} is not between the years {EARLIEST.year} and {LATEST.year}.", param, ctx)
        return moment


MOMENT = _Moment()
"""ISO 8601 text with a date and a time; UTC if it has no offset."""


class _UserIds(click.ParamType[list[int]]):
    name = "user_id,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        if isinstance(value, list):
            return value
        ids = [text.strip() for text in value.split(",")]
        if not all(text.isascii() and text.isdecimal() and len(text) <= MAX_ID_DIGITS for text in ids):
            self.fail(f"{quoted(value)} is not a list of user_ids separated by commas.", param, ctx)
        return list(dict.fromkeys(int(text) for text in ids))


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


DURATION = _Duration()
"""A whole number of seconds, minutes, hours or days, as `job-history-watch` takes it: 90m, 2h, 3d."""

accounts_option = click.option(
    "--accounts", "chosen", type=_UserIds(), help="user_ids, separated by commas.  [default: all accounts]"
)


def window_options(command: Any) -> Any:
    """Add --since, --until and --hours, which `requested_hours` turns into a window."""
    for option in (
        click.option(
            "--hours", type=click.IntRange(1, MAX_HOURS), help="Number of full hours to include.  [default: 24]"
        ),
        click.option("--until", type=MOMENT, help="End of the last hour.  [default: end of the last full hour]"),
        click.option("--since", type=MOMENT, help="Start of the first hour, instead of --hours."),
    ):
        command = option(command)
    return command


def requested_hours(since: datetime | None, until: datetime | None, hours: int | None) -> Window:
    """Return the full hours that begin within the requested period. Raises UsageError if there is none."""
    if since is not None and hours is not None:
        raise click.UsageError("Give --since or --hours, not both.")
    end = last_full_hour(until or datetime.now(UTC)).end
    start = last_full_hour(since).end if since is not None else end - timedelta(hours=hours or 24)
    if start < EARLIEST:
        raise click.UsageError(f"The hours begin before the year {EARLIEST.year}.")
    if start >= end:
        raise click.UsageError(f"There is no full hour between {start:%Y-%m-%dT%H:%MZ} and {end:%Y-%m-%dT%H:%MZ}.")
    return Window(start, end)


def requested_accounts(accounts: Accounts, chosen: list[int] | None) -> list[Account]:
    """Return the accounts to work on. Raises PermanentError if one that was named is not usable."""
    if chosen is None:
        return list(accounts.usable.values())
    return [accounts.get(user_id) for user_id in chosen]
