"""Can what an account needs of its source be read?"""

from __future__ import annotations

from typing import Protocol

from job_history.account import Account
from job_history.errors import ReplicationError
from job_history.preflight.catalogue import finding_of
from job_history.preflight.finding import Finding


class ReadableSource(Protocol):
    """A source that can look, without reading, whether it could."""

    def must_be_readable(self, account: Account) -> None:
        """Raise PermanentError or TransientError where a listing of what the account's toggles ask for would."""
        ...


def check_source(source: ReadableSource, account: Account, about: str) -> list[Finding]:
    """Have the source look at what a listing of the account would read, and return what stands in the way."""
    try:
        source.must_be_readable(account)
    except ReplicationError as fault:
        return [finding_of(fault, f"Account {account.label}, {about}")]
    return []
