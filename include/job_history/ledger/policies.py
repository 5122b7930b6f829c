"""Redaction policies by their hash, so that what a receipt names can be looked up for as long as it is kept."""

from __future__ import annotations

from job_history.redaction import Redaction
from job_history.storage import Storage

FOLDER = "_control/policies"


def keep_policy(ledger: Storage, redaction: Redaction) -> None:
    """Create the file of the rules, without their key; its SHA-256 is its name. Does nothing if it is there."""
    ledger.create(f"{FOLDER}/{redaction.policy.sha256}.json", redaction.rules)
