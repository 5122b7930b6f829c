"""`job-history check`: the check of sources and destinations that each run begins with, from the shell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.command import EXIT_DIFFERS, EXIT_NOT_CHECKED, EXIT_OK
from job_history_airflow.cli.options import accounts_option, requested_accounts
from job_history_airflow.cli.printing import json_option, print_json, print_line

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.errors.finding import Finding

ACCOUNTS_AT_A_TIME = 8


@click.command()
@accounts_option
@json_option
@click.pass_context
def check(ctx: click.Context, *, chosen: list[int] | None, as_json: bool) -> None:
    """Check the sources and destinations of the accounts.

    As each run does first: it writes a small probe to the destination (a marked message to Sumo Logic), and reads no
    job. Paused accounts are skipped unless they are named.

    Exits with 1 if there is an error or a warning, with 2 if an account's settings cannot be used.
    """
    from job_history_airflow.cli.context import load_context
    from job_history_airflow.preflight import preflight_account

    context = load_context()
    accounts = [
        account for account in requested_accounts(context.accounts, chosen) if account.enabled or chosen is not None
    ]
    unusable = context.accounts.messages if chosen is None else []
    with ThreadPoolExecutor(ACCOUNTS_AT_A_TIME, "check") as pool:
        found = list(pool.map(lambda account: preflight_account(account, context.settings), accounts))
    checked = list(zip(accounts, found, strict=True))
    if as_json:
        findings = [{"user_id": account.user_id, "findings": each} for account, each in checked]
        print_json({"faults": unusable, "accounts": findings})
    else:
        for account, each in checked:
            _print(account, each)
    for problem in unusable:
        click.echo(f"Error: {problem}", err=True)
    ctx.exit(EXIT_NOT_CHECKED if unusable else EXIT_DIFFERS if any(found) else EXIT_OK)


def _print(account: Account, findings: list[Finding]) -> None:
    from job_history.errors.quoting import on_one_line

    if not findings:
        print_line(f"ok       {account.label}")
    for each in findings:
        print_line(on_one_line(f"{each.severity:<9}{account.label}: {each}"))
