"""`job-history prove`: an inclusion proof of one document."""

from __future__ import annotations

from pathlib import Path

import click

from job_history_airflow.cli.command import EXIT_DIFFERS
from job_history_airflow.cli.printing import json_option, print_json, print_line


@click.command()
@click.argument("object_key", metavar="KEY")
@click.option("--out", type=click.Path(path_type=Path), help="Write the proof into this file.  [default: print it]")
@json_option
@click.pass_context
def prove(ctx: click.Context, *, object_key: str, out: Path | None, as_json: bool) -> None:
    """Write an inclusion proof of one document: KEY, as it is in the bucket.

    The proof holds the document's sum, its way to a seal, and that seal with its signature; nothing of other documents.
    `job-history-verify --proof FILE DOCUMENT --keys allowed_signers` checks it.

    Exits with 1 if no seal names the document.
    """
    import json

    from job_history.documents.object_key import JobKeyParts, parts_of
    from job_history.errors import PermanentError
    from job_history.seals.archive import StorageArchive
    from job_history_airflow.cli.context import load_context
    from job_history_verify.layout import ChainId
    from job_history_verify.proof import ProofError, make_proof
    from job_history_verify.verify import deciding_seq

    context = load_context(quickly=True)
    try:
        parts = parts_of(object_key)
    except ValueError as error:
        raise PermanentError(str(error)) from error
    chain = ChainId(parts.user_id, "jobs" if isinstance(parts, JobKeyParts) else "admin_events")
    logical = object_key.removeprefix(f"{parts.prefix}/") if parts.prefix else object_key
    archive = StorageArchive(context.ledger)
    try:
        seq = deciding_seq(archive, chain, logical)
        proof = None if seq is None else make_proof(archive, chain, seq, logical)
    except (OSError, ProofError) as error:
        raise PermanentError(str(error)) from error
    if proof is None:
        click.echo(f"No seal of {chain} names {logical}.", err=True)
        if as_json:
            print_json(None)
        ctx.exit(EXIT_DIFFERS)
    if out is None:
        print_json(proof)
    else:
        try:
            out.write_text(json.dumps(proof, indent=1) + "\n")
        except OSError as error:
            raise PermanentError(f"The proof cannot be written: {error}") from error
        if as_json:
            print_json({"proof": str(out), "seq": seq})
        else:
            print_line(f"{out}: seal {seq} of {chain} names it.")
