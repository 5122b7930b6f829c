"""What a user may see of receipts: settings with the right to see the Variable, errors with the right to read task
logs.
"""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from msgspec.structs import replace

from job_history.accounts.variable import ACCOUNTS_VARIABLE
from job_history.ledger.receipt import Receipt
from job_history_airflow.ui.access import may_see_accounts, may_see_logs
from job_history_airflow.ui.status.overview import AccountRow


def visible_receipt(receipt: Receipt, user: BaseUser) -> Receipt:
    """Return the receipt without what the user may not see."""
    if not may_see_accounts(user):
        receipt = replace(
            receipt,
            destination={key: value for key, value in receipt.destination.items() if key == "type"},
            # Without a key, a hash of settings confirms a guess of them.
            settings_hash="",
            destination_hash="",
            settings_changes=[],
            redaction=[],
            items=[],
            elsewhere=[],
            quarantine=[],
            example_keys=[],
        )
    if not may_see_logs(user):
        receipt = replace(receipt, faults=[], runs=[replace(entry, faults=[]) for entry in receipt.runs])
    return receipt


def visible_rows(rows: list[AccountRow], user: BaseUser) -> list[AccountRow]:
    """Return the accounts' rows without the text of their errors, if the user may not see it."""
    return rows if may_see_logs(user) else [replace(row, last_error=None) for row in rows]


def visible_problems(problems: list[str], user: BaseUser) -> list[str]:
    """Return the sentences on entries of the Variable that cannot be used, or only their number."""
    if not problems or may_see_accounts(user):
        return problems
    return [f"{len(problems)} of the entries of {ACCOUNTS_VARIABLE} cannot be used. You may not see that Variable."]
