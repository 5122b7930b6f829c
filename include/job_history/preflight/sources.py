"""Checks whether an account's source can be read."""

from __future__ import annotations

from job_history.accounts.account import Account
from job_history.errors import ReplicationError
from job_history.errors.catalogue import finding_from_error
from job_history.errors.finding import Finding
from job_history.model.record import Record
from job_history.sources import RemoteSource, SupportsAccountCheck


def check_source(source: RemoteSource[Record], account: Account) -> list[Finding]:
    """Check, without reading jobs, whether the source can be read and is the account's; return what is wrong."""
    try:
        source.check_readable(line_details=account.events.line_details)
        if isinstance(source, SupportsAccountCheck):
            source.check_account(account.user_id)
    except ReplicationError as error:
        return [finding_from_error(error, f"Account {account.label}, source {account.source.conn_id!r}")]
    return []
