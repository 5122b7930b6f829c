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

    A seal of such a window says that it was sealed later (reason sealed_later). Windows without a receipt are left.
    What the accounts' buckets lack of their seals is copied again.

    Exits with 1 if a window is still unsealed.
    """
    from job_history.ledger.receipt_store import read_receipts
    from job_history.seals.seal_bytes import SEALED_LATER
    from job_history.seals.sealing import seal_heads, seal_windows
    from job_history.seals.window_seal import Revision
    from job_history_airflow.factories.sealing import sealing_of_installation
    from job_history_verify.layout import ChainId

    ledger = request.context.ledger
    hours = list(request.window.hours())
    revisions = [
        Revision(receipt, is_new=False, reason=SEALED_LATER)
        for account in request.accounts
        for kind in account.events.kinds
        for receipt in read_receipts(ledger, account.user_id, kind, hours)
        if receipt is not None
    ]
    chains = {ChainId(account.user_id, str(kind)) for account in request.accounts for kind in account.events.kinds}
    report = seal_windows(
        ledger, sealing_of_installation(), revisions, seal_heads(ledger), datetime.now(UTC), whole=chains
    )

    def print_text() -> None:
        print_line(f"{len(revisions)} windows have a receipt; {report.unsealed} windows wait for a seal.")
        for message in [*report.problems, *report.warnings]:
            print_line(message)

    values = {"windows": len(revisions), "unsealed": report.unsealed, "warnings": report.warnings}
    return Answer(values, print_text, report.unsealed > 0, [*request.unusable_accounts, *report.problems])
