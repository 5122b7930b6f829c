"""`job-history redact`: what the redaction rules would change, shown without the values."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.options import accounts_option, requested_accounts, requested_hours, window_options
from job_history_airflow.cli.printing import as_json, print_json, print_table, say

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.model.event_kind import EventKind
    from job_history.model.record import Record
    from job_history.model.window import Window
    from job_history.redaction import Sampled
    from job_history.sources import Listing
    from job_history_airflow.cli.context import CommandContext

DIGITS_SHOWN = 12


@click.command()
@accounts_option
@window_options
@click.option(
    "--sample", type=click.IntRange(min=1), default=10, show_default=True, help="Most records of each account and kind."
)
@as_json
@click.pass_context
def redact(
    ctx: click.Context,
    *,
    chosen: list[int] | None,
    since: datetime | None,
    until: datetime | None,
    hours: int | None,
    sample: int,
    as_json: bool,
) -> None:
    """Show what the redaction rules would change, without the values.

    Records of the hours are read from the source, and the rules of the account are applied to them. Nothing is written, and
    nothing is shown of a value but its kind and its length. Accounts without rules are left out.

    Exits with 1 where a record would go to quarantine, with 2 where an account could not be looked at.
    """
    from job_history.errors import ReplicationError
    from job_history_airflow.cli.context import load_context

    window = requested_hours(since, until, hours)
    here = load_context()
    looked_at: list[tuple[str, Sampled]] = []
    faults = here.accounts.faults if chosen is None else []
    for account in requested_accounts(here.accounts, chosen):
        for kind in account.events.kinds if account.redaction else ():
            whose = kind.of(account.label)
            try:
                looked_at += [(whose, each) for each in _sampled(here, account, kind, window, sample)]
            except ReplicationError as fault:
                faults = [*faults, f"Account {whose}, window {window}: {fault}"]
    if as_json:
        records = [{"account": whose, "record": sampled} for whose, sampled in looked_at]
        print_json({**window.as_dict(), "faults": faults, "records": records})
    else:
        _print(looked_at)
    for said in faults:
        click.echo(f"Error: {said}", err=True)
    ctx.exit(2 if faults else 1 if any(sampled.fault for _, sampled in looked_at) else 0)


def _sampled(here: CommandContext, account: Account, kind: EventKind, window: Window, most: int) -> Iterator[Sampled]:
    from job_history.redaction import dry_run
    from job_history_airflow.factories.redaction import redaction_of
    from job_history_airflow.factories.sources import source_of

    source = source_of(account, kind, max_document_bytes=here.settings.max_document_bytes, staging=here.staging)
    # The listing is left in the middle: what reads it must end before the connection does.
    with (
        source.listing(account.user_id, window, line_details=account.events.line_details) as listing,
        closing(_records(listing)) as records,
    ):
        yield from dry_run(records, partial(redaction_of, account), most=most)


def _records(listing: Listing[Record]) -> Generator[Record, None, None]:
    yield from listing


def _print(looked_at: list[tuple[str, Sampled]]) -> None:
    print_table(
        ["account", "record", "path", "rule", "action", "kind", "length", "becomes"],
        [
            (
                whose,
                str(sampled.id),
                change.path,
                change.rule.number,
                change.rule.action,
                change.kind,
                change.length,
                (change.after or "")[:DIGITS_SHOWN],
            )
            for whose, sampled in looked_at
            for change in sampled.changes
        ],
    )
    changed = sum(bool(sampled.changes) for _, sampled in looked_at)
    say(f"\n{changed} of {len(looked_at)} records would be changed.")
    for whose, sampled in looked_at:
        if sampled.fault:
            say(f"to quarantine: {whose}, {sampled.id}: {sampled.fault}")
