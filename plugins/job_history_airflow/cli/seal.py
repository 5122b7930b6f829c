"""`job-history seal`: seals of windows that have none yet."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from job_history_airflow.cli.command import Answer, Request, over_accounts
from job_history_airflow.cli.printing import print_line


@click.command()
@over_accounts()
def seal(request: Request) -> Answer:
    """Seal windows whose receipts have no seal yet, such as those of an earlier release.

    A seal of such a window has the reason sealed_later. Windows without a receipt are left.
    What the accounts' buckets lack of their seals is copied again.

    Exits with 1 if a window is still unsealed.
    """
    from job_history.errors import ReplicationError
    from job_history.ledger.receipt_store import read_receipts
    from job_history.packed_records import in_groups
    from job_history.seals.seal_bytes import SEALED_LATER
    from job_history.seals.sealing import seal_heads, seal_windows
    from job_history.seals.to_seal import chain_of
    from job_history.seals.window_seal import Revision
    from job_history_airflow.factories.sealing import sealing_of_installation
    from job_history_verify.layout import ChainId

    ledger = request.context.ledger
    hours = list(request.window.hours())
    revisions: list[Revision] = []
    problems = list(request.unusable_accounts)
    kinds = [(account, kind) for account in request.accounts for kind in account.events.kinds]
    chains = {ChainId(account.user_id, str(kind)) for account, kind in kinds}
    for account, kind in kinds:
        try:
            receipts = read_receipts(ledger, account.user_id, kind, hours)
        except ReplicationError as error:
            problems.append(f"{kind.of(f'Account {account.label}')}: its receipts were not sealed: {error}")
            continue
        revisions += [Revision(each, is_new=False, reason=SEALED_LATER) for each in receipts if each is not None]
    by_chain = in_groups(revisions, lambda each: chain_of(each.receipt))
    report = seal_windows(
        ledger, sealing_of_installation(), by_chain, seal_heads(ledger), datetime.now(UTC), whole=chains
    )

    def print_text() -> None:
        waiting = "it is not known which" if report.unsealed is None else report.unsealed
        print_line(f"{len(revisions)} windows have a receipt; {waiting} windows wait for a seal.")
        for message in [*report.problems, *report.warnings]:
            print_line(message)

    values = {"windows": len(revisions), "unsealed": report.unsealed, "warnings": report.warnings}
    return Answer(values, print_text, bool(report.unsealed), [*problems, *report.problems])
