"""Notes in the ledger how far a reconciliation has come, and which accounts the next one looks back for further."""

from __future__ import annotations

from job_history.ledger.reconciled import note_reconciled
from job_history.reconciliation.findings import Findings
from job_history.storage import Storage


def note_finished(ledger: Storage, several: list[Findings]) -> None:
    """Note the findings of all kinds of destinations of a reconciliation that has looked back."""
    behind = {user_id for findings in several for user_id in findings.behind}
    note_reconciled(
        ledger,
        min(findings.window.start for findings in several),
        min(findings.window.end for findings in several),
        behind,
        done={account.user_id for findings in several for account in findings.accounts} - behind,
    )
