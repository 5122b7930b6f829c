"""The rules of a redaction policy are kept by their hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.unit.samples import account

from job_history.ledger.policies import keep_policy
from job_history.redaction import Redaction
from job_history.storage import local_storage


@pytest.mark.promise("redaction-policy-named")
def test_the_rules_of_a_policy_are_kept_once_under_their_hash_and_without_the_key(tmp_path: Path) -> None:
    ledger = local_storage(tmp_path)
    rules = account(redaction=[{"path": "report.name", "action": "hash"}], redaction_key_conn_id="key").redaction
    redaction = Redaction(rules, key=b"the key of thirty-two characters")
    for _ in range(2):
        keep_policy(ledger, redaction)

    [path] = ledger.paths("_control")
    content = ledger.read(path) or b""
    assert path == f"_control/policies/{redaction.policy.sha256}.json"
    assert hashlib.sha256(content).hexdigest() == redaction.policy.sha256
    assert b'"path":"report.name"' in content
    assert b"thirty-two" not in content
