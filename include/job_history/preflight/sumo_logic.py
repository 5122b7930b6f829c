"""Checks whether the HTTP source accepts an account's documents, by posting a small message that is marked as a test.

Only a message can show that: the answer to a GET is documented nowhere.
"""

from __future__ import annotations

import gzip
from datetime import datetime

from job_history.accounts.account import Account
from job_history.destinations.messages.envelope import preflight_message
from job_history.destinations.sumo_logic import HttpSource
from job_history.errors.catalogue import finding
from job_history.errors.finding import Finding
from job_history.model.timestamp import epoch_milliseconds

NOTE = "Sent by job history replication to see whether this source takes its messages. It is no job; ignore it."


def check_sumo_logic(source: HttpSource, *, account: Account | None, now: datetime) -> list[Finding]:
    """Post the marked message once, and return what it finds. Without an account: the test of a connection."""
    whose = f"Account {account.label}: the" if account else "The"
    attempt = source.send_once(gzip.compress(marked_message(account, now), mtime=0))
    if attempt.code is None:
        return []
    about = f"{whose} Sumo Logic source {source.endpoint.shown}"
    return [finding(attempt.code, about, detail=attempt.warning or attempt.detail)]


def marked_message(account: Account | None, now: datetime) -> bytes:
    """Return the message, as a line of JSON.

    It has no `replication.delivery_id`, so that no query takes it for a job.
    """
    whose = {"user_id": account.user_id, "settings_hash": account.settings_hash} if account else {}
    return preflight_message(epoch_milliseconds(now), NOTE, **whose)
