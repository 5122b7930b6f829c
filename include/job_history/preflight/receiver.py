"""Checks whether a receiver of HTTP accepts an account's documents, by one message that is marked as a test."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from job_history.accounts.account import Account
from job_history.destinations.messages.receiver import HttpReceiver
from job_history.errors.catalogue import finding
from job_history.errors.finding import Finding
from job_history.preflight.sumo_logic import marked_message


def check_receiver(
    receiver: HttpReceiver, account: Account | None, body_of: Callable[[bytes], bytes], *, now: datetime
) -> list[Finding]:
    """Post the marked message once, and return what it finds. `body_of` makes a request's body from a message.

    Without an account: the test of a connection.
    """
    key = f"preflight-{account.user_id}-{account.settings_hash}" if account else "preflight"
    attempt = receiver.send_once(body_of(marked_message(account, now)), key)
    if attempt.code is None:
        return []
    about = f"Account {account.label}: {receiver.address.name}" if account else receiver.address.name
    return [finding(attempt.code, about, detail=attempt.detail)]
