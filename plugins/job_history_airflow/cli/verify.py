"""`job-history verify`: an account's bucket against its seals."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from job_history_airflow.cli.command import EXIT_DIFFERS, EXIT_NOT_CHECKED, EXIT_OK
from job_history_airflow.cli.options import MOMENT, accounts_option, requested_accounts
from job_history_airflow.cli.printing import json_option, print_json, print_line

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.seals.verify_account import AccountVerified
    from job_history_verify.allowed_signers import AllowedSigners


@click.command()
@accounts_option
@click.option("--since", type=MOMENT, help="Only hours that begin then or later.")
@click.option("--until", type=MOMENT, help="Only hours that begin before.")
@click.option(
    "--keys",
    "keys_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An OpenSSH allowed_signers file.  [default: the installation's own key]",
)
@click.option(
    "--expect-head", "heads", multiple=True, metavar="USER_ID/KIND/SEQ:SHA256", help="A seal that a witness noted."
)
@click.option("--strict", is_flag=True, help="Also exit with 1 for hours that no run could close.")
@click.option("--allow-unsigned", is_flag=True, help="Accept a log that was never signed.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    *,
    chosen: list[int] | None,
    since: datetime | None,
    until: datetime | None,
    keys_file: Path | None,
    heads: tuple[str, ...],
    strict: bool,
    allow_unsigned: bool,
    as_json: bool,
) -> None:
    """Verify the accounts' buckets against their seals.

    Every document of each bucket is read. It is the same program as job-history-verify, which verifies a copy offline.
    What the ledger knows is compared as well: where each log ends, and which windows wait for a seal.
    Accounts whose destination keeps no objects are verified in the ledger: their documents cannot be checked.
    """
    from job_history.errors import ReplicationError
    from job_history.seals.verify_account import verify_account
    from job_history_airflow.cli.context import load_context
    from job_history_airflow.factories.sealing import open_store
    from job_history_verify.expected_head import heads_of, parse_head
    from job_history_verify.judge import range_of
    from job_history_verify.verify import Options

    context = load_context()
    accounts = requested_accounts(context.accounts, chosen)
    try:
        expected = heads_of([parse_head(head) for head in heads], {account.user_id for account in accounts})
        hours = range_of(since, until)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    keys = _keys(keys_file)
    codes, answers = [], []
    problems = [] if chosen else list(context.accounts.messages)
    for account in accounts:
        own = [head for head in expected if head.chain.user_id == account.user_id]
        options = Options(keys=keys, hours=hours, expected_heads=own)
        try:
            verified = verify_account(account.user_id, open_store(account), context.ledger, options)
        except ReplicationError as error:
            problems.append(f"Account {account.label}: {error}")
            continue
        code = verified.findings.exit_code(strict=strict, allow_unsigned=allow_unsigned)
        codes.append(code)
        answers.append(_answer(account, verified, code))
        if not as_json:
            _print(account, answers[-1])
    if as_json:
        print_json({"faults": problems, "accounts": answers})
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)
    differs = EXIT_DIFFERS in codes
    ctx.exit(EXIT_DIFFERS if differs else EXIT_NOT_CHECKED if problems or EXIT_NOT_CHECKED in codes else EXIT_OK)


def _answer(account: Account, verified: AccountVerified, code: int) -> dict[str, Any]:
    return {
        "user_id": account.user_id,
        "name": account.name,
        "exit_code": code,
        "documents": {str(verdict): number for verdict, number in verified.findings.documents.items()},
        "hours": {str(verdict): number for verdict, number in verified.findings.windows.items()},
        "heads": verified.heads,
        "findings": [finding.as_dict() for finding in verified.found],
    }


def _print(account: Account, answer: dict[str, Any]) -> None:
    for finding in answer["findings"]:
        about = [str(finding[name]) for name in ("kind", "seq", "start", "key") if name in finding]
        print_line(f"{finding['verdict']}: {' '.join([account.label, *about])}: {finding['detail']}")
    for counted in ("documents", "hours"):
        numbers = ", ".join(f"{number:,} {verdict}" for verdict, number in answer[counted].items()) or "none"
        print_line(f"{account.label}: {counted}: {numbers}")
    for head in answer["heads"]:
        print_line(f"{account.label}: head {head}")


def _keys(path: Path | None) -> AllowedSigners | None:
    """Return the keys of a file, or the installation's own; None if it does not sign."""
    from job_history.errors import PermanentError
    from job_history_airflow.factories.sealing import signer_of_installation
    from job_history_verify.allowed_signers import AllowedKey, AllowedSigners
    from job_history_verify.cli import read_keys

    if path is None:
        signer = signer_of_installation()
        return None if signer is None else AllowedSigners([AllowedKey(signer.public_key, None, None)])
    try:
        return read_keys(str(path))
    except (OSError, ValueError) as error:
        raise PermanentError(f"The file {path} cannot be used as allowed_signers: {error}") from error
