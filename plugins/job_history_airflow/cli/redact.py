"""`job-history redact`: show what the redaction rules would change, without the values."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.command import Answer, Request, over_accounts
from job_history_airflow.cli.printing import print_line, print_table

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
@over_accounts()
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Maximum number of records per account and kind.",
)
def redact(request: Request, *, sample: int) -> Answer:
    """Show what the redaction rules would change, without the values.

    Records of the hours are read from the source, and the rules of the account are applied to them. Nothing is written.
    Of a value, only its kind and its length are shown. Accounts without rules are skipped.

    Exits with 1 if a record would go to quarantine, with 2 if an account could not be read.
    """
    from job_history.errors import ReplicationError

    sampled: list[tuple[str, Sampled]] = []
    problems = list(request.unusable_accounts)
    for account in request.accounts:
        for kind in account.events.kinds if account.redaction else ():
            label = kind.of(account.label)
            try:
                sampled += [(label, each) for each in _sampled(request.context, account, kind, request.window, sample)]
            except ReplicationError as error:
                problems.append(f"Account {label}, window {request.window}: {error}")
    records = [{"account": label, "record": each} for label, each in sampled]
    without_rules = [account.label for account in request.accounts if not account.redaction]
    quarantined = any(each.fault for _, each in sampled)
    values = {"records": records, "without_rules": without_rules}
    return Answer(values, partial(_print, sampled, without_rules), quarantined, problems)


def _sampled(
    context: CommandContext, account: Account, kind: EventKind, window: Window, most: int
) -> Iterator[Sampled]:
    from job_history.redaction import dry_run
    from job_history_airflow.factories.redaction import redaction_of
    from job_history_airflow.factories.sources import source_of

    source = source_of(account, kind, max_document_bytes=context.settings.max_document_bytes, staging=context.staging)
    # The listing is not read to its end: the generator must be closed before the connection is.
    with (
        source.listing(account.user_id, window, line_details=account.events.line_details) as listing,
        closing(_records(listing)) as records,
    ):
        yield from dry_run(records, partial(redaction_of, account), most=most)


def _records(listing: Listing[Record]) -> Generator[Record, None, None]:
    yield from listing


def _print(records: list[tuple[str, Sampled]], without_rules: list[str]) -> None:
    from job_history.errors.quoting import on_one_line

    if without_rules:
        print_line(f"Without redaction rules, so nothing is changed: {', '.join(without_rules)}.\n")
    if not records:
        print_line("No record was read: no account with rules has any in these hours.")
        return
    print_table(
        ["account", "record", "path", "rule", "action", "kind", "length", "becomes"],
        [
            (
                label,
                str(each.id),
                change.path,
                change.rule.number,
                change.rule.action,
                change.kind,
                change.length,
                (change.after or "")[:DIGITS_SHOWN],
            )
            for label, each in records
            for change in each.changes
        ],
    )
    changed = sum(bool(each.changes) for _, each in records)
    print_line(f"\n{changed} of {len(records)} records would be changed.")
    for label, each in records:
        if each.fault:
            print_line(f"to quarantine: {label}, {on_one_line(str(each.id))}: {each.fault}")
