"""`job-history keys`: the line of the signing key for an allowed_signers file."""

from __future__ import annotations

import click

from job_history_airflow.cli.command import EXIT_DIFFERS
from job_history_airflow.cli.printing import json_option, print_json, print_line


@click.command()
@json_option
@click.pass_context
def keys(ctx: click.Context, *, as_json: bool) -> None:
    """Print the line of the signing key for an allowed_signers file.

    Add `valid-after` and `valid-before` when you change the key: docs/proof.md. Exits with 1 if seals are not signed.
    """
    from job_history.seals.signer import fingerprint_of
    from job_history_airflow.cli.context import load_context
    from job_history_airflow.cli.start_airflow import finish_start
    from job_history_airflow.factories.sealing import signer_of_installation
    from job_history_airflow.settings import read_signing_conn_id
    from job_history_verify.allowed_signers import allowed_signers_line

    load_context(quickly=True)
    if read_signing_conn_id() is not None:
        finish_start()
    signer = signer_of_installation()
    if signer is None:
        click.echo("Seals are not signed: [job_history] signing_conn_id names no connection.", err=True)
        if as_json:
            print_json(None)
        ctx.exit(EXIT_DIFFERS)
    line = allowed_signers_line(signer.public_key)
    if as_json:
        print_json({"fingerprint": fingerprint_of(signer), "allowed_signers": line})
    else:
        print_line(line)
