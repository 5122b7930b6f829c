"""`job-history diff`: compare the source with the destination."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.command import Answer, Request, over_accounts
from job_history_airflow.cli.printing import print_line, print_table

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.destinations import Destination
    from job_history.inspection.diff import Difference
    from job_history.inspection.unknown import UnknownObjects
    from job_history.model.event_kind import EventKind
    from job_history.model.slice import Slice
    from job_history.model.window import Window
    from job_history_airflow.cli.context import CommandContext


@click.command()
@over_accounts()
@click.option(
    "--examples",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Maximum number of ids to list per category.",
)
def diff(request: Request, *, examples: int) -> Answer:
    """Compare the source with the destination, document by document.

    The jobs of each hour are read from the source and made into documents with today's settings; the bucket is asked
    for each of them. The account's whole folder is listed for objects of these hours that no receipt names. Nothing is
    written. A destination that cannot be asked has its receipts compared instead. Paused
    accounts are skipped unless they are named.

    Exits with 1 if anything is missing, altered, extra or unknown, with 2 if an hour could not be compared.
    """
    from job_history.errors import ReplicationError

    accounts = [account for account in request.accounts if account.enabled or request.named]
    compared: list[Difference] = []
    problems = list(request.unusable_accounts)
    failed: set[int] = set()
    for account, kind, hour in _hours_of(accounts, request.window):
        try:
            compared.append(_compare(request.context, account, kind, hour, examples))
        except ReplicationError as error:
            failed.add(account.user_id)
            problems.append(f"{kind.of(f'Account {account.label}')}, window {hour}: {error}")
    unknown: list[UnknownObjects] = []
    for account in [account for account in accounts if account.user_id not in failed]:
        try:
            unknown += _unknown(request.context, account, request.window)
        except ReplicationError as error:
            problems.append(f"Account {account.label}, unknown objects: {error}")
    differs = any(each.differs for each in compared) or bool(unknown)
    found = {"windows": compared, "unknown_objects": unknown}
    return Answer(found, partial(_print, compared, unknown), differs, problems)


def _hours_of(accounts: list[Account], window: Window) -> Iterator[tuple[Account, EventKind, Window]]:
    for account in accounts:
        for kind in account.events.kinds:
            for hour in window.hours():
                yield account, kind, hour


def _compare(context: CommandContext, account: Account, kind: EventKind, hour: Window, examples: int) -> Difference:
    from job_history.inspection.diff import difference
    from job_history.model.slice import Slice
    from job_history.storage import local_storage
    from job_history_airflow.factories.redaction import redaction_of
    from job_history_airflow.factories.sources import source_of

    slice_ = Slice(run="diff", user_id=account.user_id, name=account.name, kind=kind, window=hour, part=hour)
    with tempfile.TemporaryDirectory(prefix="job-history-") as folder:
        scratch = local_storage(Path(folder))
        return difference(
            slice_,
            account,
            # The staging that tasks use, because they share the source's rate limit there.
            source=source_of(
                account, kind, max_document_bytes=context.settings.max_document_bytes, staging=context.staging
            ),
            dry_run=_dry_run(context, account, slice_),
            ledger=context.ledger,
            scratch=scratch,
            max_document_bytes=context.settings.max_document_bytes,
            max_examples=examples,
            redaction=redaction_of(account),
        )


def _unknown(context: CommandContext, account: Account, window: Window) -> list[UnknownObjects]:
    from job_history.destinations.kind import kind_of
    from job_history.inspection.unknown import unknown_objects

    open_listing = kind_of(account).open_listing
    if open_listing is None:
        return []
    found = unknown_objects(account, window, open_listing(account), context.ledger)
    return [found] if found.objects.count else []


def _dry_run(context: CommandContext, account: Account, slice_: Slice) -> Destination:
    from job_history.destinations.kind import kind_of
    from job_history.inspection.diff import ByReceipt
    from job_history_airflow.factories.destinations import opening_of

    kind = kind_of(account)
    opening = opening_of(context.settings, slice_, context.ledger, dry_run=kind.readable)
    destination = kind.open(account, opening)
    return destination if kind.readable else ByReceipt(destination, context.ledger, slice_)


def _print(compared: list[Difference], unknown: list[UnknownObjects]) -> None:
    print_table(
        ["account", "window", "same", "missing", "altered", "extra", "filtered", "quarantined"],
        [
            (
                _label(each),
                each.window.start_text,
                each.same,
                each.missing,
                each.altered,
                each.extra,
                each.filtered,
                each.quarantined,
            )
            for each in compared
        ],
    )
    for each in compared:
        for category, ids in (("missing", each.missing_ids), ("altered", each.altered_ids), ("extra", each.extra_ids)):
            if ids:
                print_line(f"{category}: {_label(each)}, {each.window.start_text}: {', '.join(ids)}")
    for found in unknown:
        keys = ", ".join(found.objects.keys)
        print_line(f"unknown objects: {found.account}: {found.objects.count:,} that no receipt names: {keys}")


def _label(each: Difference) -> str:
    return each.kind.label(each.user_id, each.name)
