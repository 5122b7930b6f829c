"""Redaction on the way from record to destination: what is staged, delivered, quarantined and reported."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.redaction.samples import KEY, drop, hash_of, hashed, mask
from tests.unit.samples import MemoryDestination, account, line, record, slice_of

from job_history.accounts.account import Account
from job_history.documents.job_document import LINES_TOO_LARGE
from job_history.documents.staged import staged_documents
from job_history.errors import PermanentError, QuarantineReason
from job_history.ledger.quarantine import QuarantineEntry
from job_history.model.job import JobRecord
from job_history.pipeline.load import load
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history.pipeline.transform import transform
from job_history.redaction import Policy, Redaction
from job_history.storage import local_storage
from job_history.storage.staging import staged_records, staged_writer

RULES = [mask(field="*password*"), hashed(path="report.name"), drop(path="lines[*].output.body")]
DEEP = json.dumps("[" * 5_000 + '{"password":"hunter2"}' + "]" * 5_000)


def with_rules(*rules: dict[str, Any]) -> Account:
    return account(redaction=list(rules), redaction_name="pii", redaction_key_conn_id="redaction_key")


class Flow:
    """A slice's storages, and the steps on them."""

    def __init__(self, folder: Path) -> None:
        self.staging, self.ledger = local_storage(folder / "staging"), local_storage(folder / "ledger")

    def transformed(
        self, settings: Account, *records: JobRecord, limit: int = 40_000_000, rules: Account | None = None
    ) -> tuple[Extracted, Transformed]:
        rules = rules or settings
        extracted = Extracted(f"{slice_of().folder}/jobs.jsonl.zst", len(records), len(records), 0.0)
        with staged_writer(self.staging, extracted.path) as writer:
            for each in records:
                writer.append(each)
        redaction = Redaction(rules.redaction, name=rules.redaction_name, key=KEY) if rules.redaction else None
        return extracted, transform(
            slice_of(),
            settings,
            extracted,
            staging=self.staging,
            ledger=self.ledger,
            max_document_bytes=limit,
            redaction=redaction,
        )

    def loaded(
        self, settings: Account, to: MemoryDestination, extracted: Extracted, transformed: Transformed
    ) -> SliceOutcome:
        return load(
            slice_of(),
            settings,
            extracted=extracted,
            transformed=transformed,
            destination=to,
            staging=self.staging,
            ledger=self.ledger,
        )

    def in_quarantine(self, path: str) -> list[QuarantineEntry]:
        return list(staged_records(self.ledger, path, QuarantineEntry))


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path)


def test_documents_are_staged_as_the_rules_leave_them_and_say_by_which(flow: Flow) -> None:
    job = record(lines=[line(input='{"password":"hunter2","n":1.0}', output='{"body":[1],"b":2}')])
    _, transformed = flow.transformed(settings := with_rules(*RULES), job)
    policy = transformed.redaction
    [staged] = staged_documents(flow.staging, transformed.documents_path, policy)

    name = hash_of("Xavier D'Souza")
    assert bytes(staged.body).decode().split('"report":')[1] == (
        f'{{"name":"{name}","age":35}},"lines":[{{"recipe_line_number":0,"adapter_name":"clock","adapter_operation":"timer",'
        '"input":{"password":"***","n":1.0},"output":{"b":2},"mask_data":false}]}'
    )
    assert isinstance(policy, Policy)
    assert (policy.sha256, policy.id) == (settings.redaction_sha256, f"pii-{policy.sha256[:12]}")
    assert staged.redaction == policy
    other_key = Redaction(settings.redaction, name="pii", key=b"another key of thirty-two letters").policy
    assert (other_key.id, other_key.sha256) == (policy.id, policy.sha256)
    assert other_key.key != policy.key


def test_an_account_without_rules_has_no_policy(flow: Flow) -> None:
    _, transformed = flow.transformed(account(), record())
    assert transformed.redaction is None


@pytest.mark.promise("redaction-failures")
def test_a_record_that_the_rules_cannot_be_applied_to_stays_here_with_its_reason(flow: Flow) -> None:
    bad, good = record(lines=[line(output=f'{{"body":1,"text":{DEEP}}}')]), record(job_id=101)
    _, transformed = flow.transformed(with_rules(*RULES), bad, good)

    assert (transformed.documents, transformed.quarantined) == (1, {"redaction": 1})
    [path] = transformed.quarantine_paths
    [entry] = flow.in_quarantine(path)
    assert (entry.reason, entry.record, entry.explanation) == (
        QuarantineReason.REDACTION,
        bad,
        "lines[0].output.text holds JSON in a text that is nested too deeply to be redacted",
    )
    staged = flow.staging.read(transformed.documents_path) or b""
    assert b"hunter2" not in staged


def test_what_is_too_large_is_decided_of_what_the_rules_left(flow: Flow) -> None:
    job = record(lines=[line(output=json.dumps({"body": "x" * 5_000}, separators=(",", ":")))])
    _, transformed = flow.transformed(with_rules(*RULES), job, limit=1_000)
    assert transformed.oversize == 0
    _, transformed = flow.transformed(with_rules(RULES[0]), job, limit=1_000)
    [staged] = staged_documents(flow.staging, transformed.documents_path)
    assert transformed.oversize == 1
    assert LINES_TOO_LARGE.encode() in bytes(staged.body)


def test_a_conflict_keeps_the_document_as_it_would_have_left(flow: Flow) -> None:
    settings, there = with_rules(*RULES), MemoryDestination()
    job = record(report='{"name":"Ada","password":"hunter2"}')
    flow.loaded(account(), there, *flow.transformed(account(), job))
    outcome = flow.loaded(settings, there, *flow.transformed(settings, job))
    assert outcome.conflicts == 1
    [path] = outcome.quarantine_paths
    [entry] = flow.in_quarantine(path)
    assert f'"report":{{"name":"{hash_of("Ada")}","password":"***"}}' in (entry.document or "")
    assert "hunter2" not in (entry.document or "")


@pytest.mark.promise("redaction-changed")
@pytest.mark.parametrize(
    ("before", "now"),
    [
        (with_rules(*RULES), with_rules(*RULES, mask(field="ssn"))),
        (account(), with_rules(*RULES)),
        (with_rules(*RULES), account()),
    ],
)
def test_documents_that_were_made_by_other_rules_are_not_sent(flow: Flow, before: Account, now: Account) -> None:
    steps, there = flow.transformed(before, record()), MemoryDestination()
    with pytest.raises(PermanentError) as refused:
        flow.loaded(now, there, *steps)
    assert slice_of().about in str(refused.value)
    assert there.objects == {}


def test_nothing_is_made_of_records_without_the_rules_of_their_account(flow: Flow) -> None:
    with pytest.raises(PermanentError, match="is not the account's"):
        flow.transformed(with_rules(*RULES), record(), rules=account())
