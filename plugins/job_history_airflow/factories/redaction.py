"""An account's redaction rules, with the key of those that hash."""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk.log import mask_secret

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.redaction import Change, Redaction, first_rule_that_hashes
from job_history_airflow.factories.connections import find_connection

MIN_REDACTION_KEY = 32


def redaction_of(account: Account, on_change: Callable[[Change], None] | None = None) -> Redaction | None:
    """Return the account's rules as they are applied, or None if it has none. `on_change` is called with what they do.

    Raises PermanentError if rules hash, and the connection with their key is missing or has no fit password.
    """
    if not account.redaction:
        return None
    number = first_rule_that_hashes(account.redaction)
    if number is None or account.redaction_key_conn_id is None:
        return Redaction(account.redaction, name=account.redaction_name, on_change=on_change)
    named_by = f"redaction_key_conn_id of account {account.label}, for its redaction rule {number}"
    key = find_connection(account.redaction_key_conn_id, named_by).password or ""
    mask_secret(key)
    if len(key) < MIN_REDACTION_KEY:
        raise PermanentError(
            f"The connection {account.redaction_key_conn_id!r} ({named_by}) has no password of at least "
            f"{MIN_REDACTION_KEY} characters. Give it a random one, such as `openssl rand -hex 32` prints: with a "
            "short one, hashes can be guessed."
        )
    return Redaction(account.redaction, name=account.redaction_name, key=key.encode(), on_change=on_change)
