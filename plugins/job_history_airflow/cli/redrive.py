"""`job-history redrive`: deliver quarantined records after their cause was fixed on our side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.command import Answer, Request, over_accounts
from job_history_airflow.cli.printing import print_line, print_table

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.destinations import Destination
    from job_history.inspection.status import WindowStatus
    from job_history.model.slice import Slice
    from job_history.model.window import Window
    from job_history.redrive import Redriven
    from job_history_airflow.cli.context import CommandContext


@click.command()
@over_accounts()
@click.option("--replace", is_flag=True, help="Also replace objects that have other bytes (as mode repair does).")
def redrive(request: Request, *, replace: bool) -> Answer:
    """Deliver quarantined records that can be delivered now.

    The records are made into documents again, as they were read then, with today's code and settings. Receipts and item
    lists are updated; what still cannot be delivered stays in quarantine. If the jobs were fixed at the source, run the
    window again instead.

    Exits with 1 if something is left in quarantine, with 2 if a window could not be redriven.
    """
    from job_history.errors import ReplicationError

    accounts = {account.user_id: account for account in request.accounts}
    done: list[Redriven] = []
    problems = list(request.unusable_accounts)
    for status in _with_quarantine(request.context, accounts, request.window):
        if status.is_unreadable:
            problems.append(f"{status.label}, window {status.window}: {status.last_fault}")
            continue
        try:
            done.append(_redriven(request.context, accounts[status.user_id], status, replace=replace))
        except ReplicationError as error:
            problems.append(str(error))
    return Answer({"windows": done}, partial(_print, done), any(each.left for each in done), problems)


def _with_quarantine(context: CommandContext, accounts: dict[int, Account], window: Window) -> Iterator[WindowStatus]:
    from job_history.inspection.status import statuses
    from job_history.redrive import was_redriven

    for status in statuses(context.ledger, accounts.values(), window, datetime.now(UTC), context.settings.settle):
        if status.quarantined or status.is_unreadable or was_redriven(status.runs):
            yield status


def _redriven(context: CommandContext, account: Account, status: WindowStatus, *, replace: bool) -> Redriven:
    from job_history import __version__
    from job_history.destinations.kind import kind_of
    from job_history.pipeline.run_slice import SliceTools
    from job_history.redrive import redrive
    from job_history_airflow.factories.redaction import redaction_of

    tools = SliceTools(
        staging=context.staging,
        ledger=context.ledger,
        max_document_bytes=context.settings.max_document_bytes,
        redaction=redaction_of(account),
        skip_delivered=not kind_of(account).recognises_repeats,
    )
    return redrive(
        account,
        status.kind,
        status.window,
        _destination_of(context, account, replace=replace),
        tools,
        replace=replace,
        finished_at=datetime.now(UTC),
        code_version=__version__,
    )


def _destination_of(context: CommandContext, account: Account, *, replace: bool) -> Callable[[Slice], Destination]:
    from job_history.destinations.kind import kind_of
    from job_history_airflow.factories.destinations import opening_of

    def destination(slice_: Slice) -> Destination:
        return kind_of(account).open(account, opening_of(context.settings, slice_, context.ledger, repair=replace))

    return destination


def _print(done: list[Redriven]) -> None:
    if not done:
        print_line("Nothing was redriven.")
        return
    print_table(
        ["account", "window", "delivered", "present", "left", "state"],
        [
            (
                each.kind.label(each.user_id, each.name),
                each.window.start_text,
                each.delivered,
                each.already_present,
                sum(each.left.values()),
                each.state,
            )
            for each in done
        ],
    )
