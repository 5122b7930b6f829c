"""What a policy costs: the transform of the same jobs, without rules and with them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from tests.benchmarks.jobs import MAX_DOCUMENT_BYTES, WINDOW, account, whole_window
from tests.benchmarks.table import Table

from job_history.accounts.account import Account
from job_history.model.job import JobRecord, LineRecord
from job_history.pipeline.results import Extracted
from job_history.pipeline.transform import transform
from job_history.redaction import Redaction
from job_history.storage import local_storage
from job_history.storage.staging import staged_writer
from simulators.job_store.payload import records

USER_ID = 5234
LINES = 4
NAMES = ("*password*", "*secret*", "*token*", "*api_key*", "*authorization*", "*iban*", "ssn", "*passport*")
PATHS = (
    "lines[*].input.records[*].Name", "lines[*].output..phone", "report.name", "report.salary", "lines[*].error",
    "lines[*].input.headers.*", "lines[*].output.items[*].price", "lines[*].input..address", "details.ip", "user.email",
)  # fmt: skip
ALL_20 = [
    *({"field": name, "action": "mask"} for name in NAMES),
    *({"path": path, "action": "hash"} for path in PATHS),
    {"value": "email", "action": "hash"},
    {"value": "card_number", "action": "mask"},
]
POLICIES = {
    "none": [],
    "20 rules": ALL_20,
    "20 rules, nothing to find": [{"field": f"*nowhere_{number}*", "action": "mask"} for number in range(20)],
}


def tables(*, quick: bool) -> Iterator[Table]:
    """Business records, of which every one has a name and an address that the 20 rules hash; tries take turns."""
    rows = [
        row for size, count in ((4_000, 2_000), (100_000, 100)) for row in _rows(size, count // (4 if quick else 1))
    ]
    yield Table("Transform with redaction, against the same without", rows)


def _rows(document_bytes: int, count: int) -> Iterator[dict[str, Any]]:
    random = Random(document_bytes)
    jobs = [_job(random, number, document_bytes) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        best = dict.fromkeys(POLICIES, float("inf"))
        for _ in range(3):
            for name in POLICIES:
                best[name] = min(best[name], _seconds(Path(folder), jobs, _account(name)))
    for name, seconds in best.items():
        yield {
            "documents of": f"{document_bytes / 1e3:.0f} kB",
            "policy": name,
            "µs a document": seconds / count * 1e6,
            "ratio": seconds / best["none"],
        }


def _account(policy: str) -> Account:
    settings = account(USER_ID).model_dump(exclude_none=True)
    return Account.model_validate({**settings, "redaction": POLICIES[policy], "redaction_key_conn_id": "redaction_key"})


def _job(random: Random, number: int, document_bytes: int) -> JobRecord:
    size = document_bytes // LINES // 2 - 60
    lines = [
        LineRecord(place, "salesforce", "upsert", input=records(random, size), output=records(random, size))
        for place in range(LINES)
    ]
    at = WINDOW.start_text
    return JobRecord(USER_ID, 234, number, "completed", at, at, report='{"name":"Xavier","age":35}', lines=lines)


def _seconds(folder: Path, jobs: list[JobRecord], settings: Account) -> float:
    storage, a_slice = local_storage(folder), whole_window(USER_ID, "bench")
    extracted = Extracted(f"{a_slice.folder}/jobs.jsonl.zst", len(jobs), len(jobs), 0)
    with staged_writer(storage, extracted.path) as writer:
        for job in jobs:
            writer.append(job)
    redaction = Redaction(settings.redaction, key=b"a key of the benchmark") if settings.redaction else None
    started = time.process_time()
    transformed = transform(
        a_slice,
        settings,
        extracted,
        staging=storage,
        ledger=storage,
        max_document_bytes=MAX_DOCUMENT_BYTES,
        redaction=redaction,
    )
    assert transformed.documents == len(jobs)
    return time.process_time() - started
