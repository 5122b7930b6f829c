"""The key and the document of a sample job, made as a run makes them."""

from __future__ import annotations

import json
from dataclasses import dataclass

from job_history.accounts.account import Account
from job_history.documents.job_document import DocumentRules, document_of
from job_history.model.job import JobRecord, LineRecord
from job_history.redaction import Redaction

SAMPLE_MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class Preview:
    """`key` is that of the object, or the `delivery_id` for Sumo Logic. `document` is indented for reading."""

    key: str
    document: str


def preview_of(account: Account) -> Preview:
    rules = DocumentRules(
        user_id=account.user_id,
        prefix=account.destination.key_prefix,
        line_details=account.events.line_details,
        max_document_bytes=SAMPLE_MAX_BYTES,
    )
    document = document_of(_redacted(_sample(account), account), "succeeded", rules)
    return Preview(document.key, json.dumps(json.loads(document.body), indent=2, ensure_ascii=False))


def _redacted(sample: JobRecord, account: Account) -> JobRecord:
    """Apply the account's rules. A page must not read the key, so the hashes it shows are made with another key."""
    return Redaction(account.redaction, key=b"of the preview").job(sample) if account.redaction else sample


def _sample(account: Account) -> JobRecord:
    lines = [
        LineRecord(0, "clock", "timer", input='{"interval":"1"}', output='{"time":"2018-05-21T23:14:41.783555+00:00"}'),
        LineRecord(
            1,
            "salesforce",
            "create_contact",
            input='{"name":"Ada Example","email":"ada@example.com"}',
            output='{"id":"0035g00000XyZ"}',
        ),
    ]
    return JobRecord(
        user_id=account.user_id,
        recipe_id=234,
        job_id=100,
        status="completed",
        started_at="2018-05-21T00:00:00Z",
        completed_at="2018-05-21T00:00:10Z",
        title="hello world",
        is_poll_error=False,
        report='{"name":"Ada Example","age":35}',
        lines=lines if account.events.line_details else None,
    )
