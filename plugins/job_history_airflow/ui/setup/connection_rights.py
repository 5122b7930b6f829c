"""An account may name only connections that its editor may see: saving and testing it has them used."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

from job_history.accounts.account import Account
from job_history_airflow.ui.access import may_use_connection
from job_history_airflow.ui.setup.account_entries import Errors

_REFUSED = "you may not use this Airflow connection"


def refused_connections(account: Account, user: BaseUser) -> Errors:
    """Return an error for each connection of the account that the user may not see, by the place that names it."""
    named = {
        "source.conn_id": account.source.conn_id,
        "destination.conn_id": account.destination.conn_id,
        "redaction_key_conn_id": account.redaction_key_conn_id,
        "witness_conn_id": account.witness_conn_id,
    }
    return {
        place: [_REFUSED]
        for place, conn_id in named.items()
        if conn_id is not None and not may_use_connection(user, conn_id)
    }
