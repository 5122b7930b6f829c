"""`job-history redrive`: deliver what is in quarantine, once its cause is mended on our side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.options import accounts_option, requested_accounts, requested_hours, window_options
from job_history_airflow.cli.printing import as_json, print_json, print_table, say

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.destinations import Destination
    from job_history.inspection.status import WindowStatus
    from job_history.model.slice import Slice
    from job_history.model.window import Window
    from job_history.redrive import Redriven
    from job_history_airflow.cli.context import CommandContext


@click.command()
@accounts_option
@window_options
@click.option("--replace", is_flag=True, help="Replace objects that have other bytes, too (as mode repair does).")
@as_json
@click.pass_context
def redrive(
    ctx: click.Context,
    *,
    chosen: list[int] | None,
    since: datetime | None,
    until: datetime | None,
    hours: int | None,
    replace: bool,
    as_json: bool,
) -> None:
    """Deliver what is in quarantine and can be delivered now.

    The records are made into documents again, as they were read then, with today's code and settings. Receipts and item
    lists follow; what still cannot be delivered stays. Where the source still holds the jobs and has mended them, run the
    window again instead.

    Exits with 1 where something is left in quarantine, with 2 where a window could not be redriven.
    """
    from job_history.errors import ReplicationError
    from job_history_airflow.cli.context import load_context

    window = requested_hours(since, until, hours)
    here = load_context()
    accounts = {account.user_id: account for account in requested_accounts(here.accounts, chosen)}
    done: list[Redriven] = []
    faults: list[str] = []
    for status in _with_quarantine(here, accounts, window):
        try:
            done.append(_redriven(here, accounts[status.user_id], status, replace=replace))
        except ReplicationError as fault:
            faults.append(str(fault))
    if as_json:
        print_json({**window.as_dict(), "faults": faults, "windows": done})
    else:
        _print(done)
    for said in faults:
        click.echo(f"Error: {said}", err=True)
    ctx.exit(2 if faults else 1 if any(each.left for each in done) else 0)


def _with_quarantine(here: CommandContext, accounts: dict[int, Account], window: Window) -> Iterator[WindowStatus]:
    from job_history.inspection.status import statuses
    from job_history.redrive import was_redriven

    for status in statuses(here.ledger, accounts.values(), window, datetime.now(UTC), here.settings.settle):
        if status.quarantined or was_redriven(status.runs):
            yield status


def _redriven(here: CommandContext, account: Account, status: WindowStatus, *, replace: bool) -> Redriven:
    from job_history import __version__
    from job_history.model.window import Window
    from job_history.redrive import Means, redrive
    from job_history_airflow.factories.redaction import redaction_of

    means = Means(
        ledger=here.ledger,
        staging=here.staging,
        destination_of=_destination_of(here, account, replace=replace),
        max_document_bytes=here.settings.max_document_bytes,
        redaction=redaction_of(account),
    )
    return redrive(
        account,
        status.kind,
        Window.from_dict(status.window),
        means,
        replace=replace,
        finished_at=datetime.now(UTC),
        code_version=__version__,
    )


def _destination_of(here: CommandContext, account: Account, *, replace: bool) -> Callable[[Slice], Destination]:
    from job_history.pipeline.skip_delivered import SkipDelivered
    from job_history_airflow.factories.destinations import s3_destination, sumo_logic_destination

    def destination(slice_: Slice) -> Destination:
        if account.destination.type == "s3":
            return s3_destination(account, in_flight=here.settings.upload_concurrency, repair=replace)
        sumo_logic = sumo_logic_destination(
            account, slice_, staging=here.staging, max_message_bytes=here.settings.max_message_bytes
        )
        return SkipDelivered(sumo_logic, here.ledger, slice_)

    return destination


def _print(done: list[Redriven]) -> None:
    if not done:
        say("Nothing was redriven.")
        return
    print_table(
        ["account", "window", "delivered", "present", "left", "state"],
        [
            (
                each.kind.of(f"{each.user_id} {each.name}"),
                each.window["start"],
                each.delivered,
                each.already_present,
                sum(each.left.values()),
                each.state,
            )
            for each in done
        ],
    )
