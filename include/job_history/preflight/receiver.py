"""Checks whether a receiver of HTTP accepts an account's documents, by one message that is marked as a test."""

from __future__ import annotations

import gzip
from datetime import datetime

from job_history.accounts.account import Account
from job_history.destinations.messages.encoders import MarkingEncoder
from job_history.destinations.messages.receiver import HttpReceiver
from job_history.errors.catalogue import finding
from job_history.errors.finding import Finding
from job_history.model.timestamp import epoch_milliseconds
from job_history.preflight.sumo_logic import marked_message


def check_receiver(
    receiver: HttpReceiver, account: Account | None, encoder: MarkingEncoder, *, now: datetime
) -> list[Finding]:
    """Post the marked message once, and return what it finds. Without an account: the test of a connection."""
    key = f"preflight-{account.user_id}-{account.settings_hash}" if account else "preflight"
    body = encoder.marked_body(marked_message(account, now), epoch_milliseconds(now))
    attempt = receiver.send_once(gzip.compress(body, mtime=0), key)
    if attempt.code is None:
        return []
    about = f"Account {account.label}: {receiver.address.name}" if account else receiver.address.name
    return [finding(attempt.code, about, detail=attempt.detail)]
