"""`job-history diff`: the source against the destination."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.options import accounts_option, requested_accounts, requested_hours, window_options
from job_history_airflow.cli.printing import as_json, print_json, print_table, say

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.destinations import Destination
    from job_history.inspection.diff import Difference
    from job_history.model.event_kind import EventKind
    from job_history.model.slice import Slice
    from job_history.model.window import Window
    from job_history.storage import Storage
    from job_history_airflow.cli.context import CommandContext


@click.command()
@accounts_option
@window_options
@click.option(
    "--examples", type=click.IntRange(min=0), default=5, show_default=True, help="Most ids told of each sort."
)
@as_json
@click.pass_context
def diff(
    ctx: click.Context,
    *,
    chosen: list[int] | None,
    since: datetime | None,
    until: datetime | None,
    hours: int | None,
    examples: int,
    as_json: bool,
) -> None:
    """Compare the source with the destination, document by document.

    The jobs of each hour are read from the source and made into documents as they would be today; the bucket is asked
    about each. Nothing is written. Sumo Logic cannot be asked: there the receipts stand for it. Paused accounts are left out
    unless they are named.

    Exits with 1 where anything is missing, altered or extra, with 2 where an hour could not be compared.
    """
    from job_history.errors import ReplicationError
    from job_history_airflow.cli.context import load_context

    window = requested_hours(since, until, hours)
    here = load_context()
    accounts = [account for account in requested_accounts(here.accounts, chosen) if account.enabled or chosen]
    compared: list[Difference] = []
    faults = here.accounts.faults if chosen is None else []
    for account, kind, hour in _each(accounts, window):
        try:
            compared.append(_compared(here, account, kind, hour, examples))
        except ReplicationError as fault:
            faults = [*faults, f"{kind.of(f'Account {account.label}')}, window {hour}: {fault}"]
    if as_json:
        print_json({**window.as_dict(), "faults": faults, "windows": compared})
    else:
        _print(compared)
    for said in faults:
        click.echo(f"Error: {said}", err=True)
    ctx.exit(2 if faults else 1 if any(each.differs for each in compared) else 0)


def _each(accounts: list[Account], window: Window) -> Iterator[tuple[Account, EventKind, Window]]:
    for account in accounts:
        for kind in account.events.kinds:
            for hour in window.hours():
                yield account, kind, hour


def _compared(here: CommandContext, account: Account, kind: EventKind, hour: Window, examples: int) -> Difference:
    from job_history.inspection.diff import difference
    from job_history.model.slice import Slice
    from job_history.storage import local_storage
    from job_history_airflow.factories.redaction import redaction_of
    from job_history_airflow.factories.sources import source_of

    slice_ = Slice(
        run="diff", user_id=account.user_id, name=account.name, kind=kind, window=hour.as_dict(), part=hour.as_dict()
    )
    with tempfile.TemporaryDirectory(prefix="job-history-") as folder:
        scratch = local_storage(Path(folder))
        return difference(
            slice_,
            account,
            # The staging of all tasks, because there they keep to the source's request budget together.
            source=source_of(account, kind, max_document_bytes=here.settings.max_document_bytes, staging=here.staging),
            dry_run=_dry_run(here, account, slice_, scratch),
            ledger=here.ledger,
            scratch=scratch,
            max_document_bytes=here.settings.max_document_bytes,
            max_examples=examples,
            redaction=redaction_of(account),
        )


def _dry_run(here: CommandContext, account: Account, slice_: Slice, scratch: Storage) -> Destination:
    from job_history.inspection.diff import ByReceipt
    from job_history_airflow.factories.destinations import s3_destination, sumo_logic_destination

    if account.destination.type == "s3":
        return s3_destination(account, in_flight=here.settings.upload_concurrency, dry_run=True)
    sumo_logic = sumo_logic_destination(
        account, slice_, staging=scratch, max_message_bytes=here.settings.max_message_bytes
    )
    return ByReceipt(sumo_logic, here.ledger, slice_)


def _print(compared: list[Difference]) -> None:
    print_table(
        ["account", "window", "same", "missing", "altered", "extra", "filtered", "quarantined"],
        [
            (
                _whose(each),
                each.window["start"],
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
        for sort, ids in (("missing", each.missing_ids), ("altered", each.altered_ids), ("extra", each.extra_ids)):
            if ids:
                say(f"{sort}: {_whose(each)}, {each.window['start']}: {', '.join(ids)}")


def _whose(each: Difference) -> str:
    return each.kind.of(f"{each.user_id} {each.name}")
