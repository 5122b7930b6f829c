"""Transform: each listed job becomes a document, or is skipped or quarantined with its reason."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from tests.unit.samples import HOUR, RUN, account, line, record, slice_of, without_random

from job_history.documents.job_document import DocumentRules, document_of
from job_history.documents.staged import StagedDocument, staged_documents
from job_history.errors import PermanentError, QuarantineReason
from job_history.ledger.outcome import Outcome
from job_history.ledger.quarantine import QuarantineEntry
from job_history.ledger.receipt import JobRef
from job_history.model.job import JobRecord
from job_history.pipeline.results import Extracted, SkippedRecord, Transformed
from job_history.pipeline.transform import transform
from job_history.storage import Storage, local_storage
from job_history.storage.staging import staged_records, staged_writer

LIMIT = 40_000_000
AT = "2018-05-21T00:00:10Z"


@pytest.fixture
def staging(tmp_path: Path) -> Storage:
    return local_storage(tmp_path / "staging")


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path / "ledger")


def staged(staging: Storage, records: list[JobRecord]) -> Extracted:
    path = f"{slice_of().folder}/jobs.jsonl.zst"
    with staged_writer(staging, path) as writer:
        for each in records:
            writer.append(each)
    return Extracted(path, len(records), len(records), 0.0)


def transformed(staging: Storage, ledger: Storage, records: list[JobRecord], limit: int = LIMIT) -> Transformed:
    extracted = staged(staging, records)
    return transform(slice_of(), account(), extracted, staging=staging, ledger=ledger, max_document_bytes=limit)


def expected(job: JobRecord, status: str = "succeeded", limit: int = LIMIT, number: int = 0) -> StagedDocument:
    made = document_of(job, status, DocumentRules(5234, "", True, limit))  # type: ignore[arg-type]
    return StagedDocument(
        key=made.key,
        job_id=made.job_id,
        completed_at=made.completed_at,
        sha256=hashlib.sha256(made.body).hexdigest(),
        body=msgspec.Raw(made.body.removesuffix(b"\n")),
        oversize=made.oversize,
        recipe_id=made.recipe_id,
        status=status,
        started_at=made.started_at,
        number=number,
    )


@pytest.mark.promise("job-documents", "record-errors")
def test_each_record_is_a_document_or_skipped_or_quarantined(staging: Storage, ledger: Storage) -> None:
    good, failed = record(lines=[line()]), record(job_id=101, status="failed", completed_at="2018-05-21T00:00:09.5Z")
    big = record(job_id=102, completed_at="2018-05-21T00:59:59Z", lines=[line(output='"' + "x" * 2_000 + '"')])
    aborted, unknown = record(job_id=103, status="aborted"), record(job_id=104, status=None)
    broken, timeless = record(job_id=105, report="{"), record(job_id=106, started_at=None)
    again = record(
        job_id=107,
        status="aborted",
        fault=QuarantineReason.DUPLICATE_JOB_ID,
        fault_explanation="the source has more than one row",
    )
    records = [good, aborted, failed, broken, big, timeless, unknown, again]
    result = transformed(staging, ledger, records, limit=1_000)

    documents = [
        expected(good, limit=1_000),
        expected(failed, "failed", limit=1_000, number=1),
        expected(big, limit=1_000, number=2),
    ]
    folder, quarantine_paths = slice_of().folder, result.quarantine_paths
    assert list(map(without_random, quarantine_paths)) == [
        f"_control/quarantine/{reason}/5234/jobs/{HOUR.slug}/{RUN}-0001.jsonl.zst"
        for reason in ("bad_json", "bad_time", "duplicate_job_id")
    ]
    assert result == Transformed(
        documents_path=f"{folder}/documents.jsonl.zst",
        skipped_path=f"{folder}/skipped.jsonl.zst",
        documents=3,
        filtered={"aborted": 1, "none": 1},
        quarantined={"bad_json": 1, "bad_time": 1, "duplicate_job_id": 1},
        quarantine_paths=quarantine_paths,
        oversize=1,
        bytes=sum(len(document.content()) for document in documents),
        first_job=JobRef("2018-05-21T00:00:09.5Z", "101"),
        last_job=JobRef("2018-05-21T00:59:59Z", "102"),
        seconds=pytest.approx(0, abs=5),
    )
    assert list(staged_documents(staging, result.documents_path)) == documents
    assert list(staged_records(staging, result.skipped_path, SkippedRecord)) == [
        SkippedRecord(103, AT, Outcome.FILTERED, "aborted"),
        SkippedRecord(105, AT, Outcome.QUARANTINED, "bad_json"),
        SkippedRecord(106, AT, Outcome.QUARANTINED, "bad_time"),
        SkippedRecord(104, AT, Outcome.FILTERED, "none"),
        SkippedRecord(107, AT, Outcome.QUARANTINED, "duplicate_job_id"),
    ]
    in_quarantine = [
        [(entry.record, entry.explanation) for entry in staged_records(ledger, path, QuarantineEntry)]
        for path in quarantine_paths
    ]
    assert in_quarantine == [
        [(broken, "report is not valid JSON: Input data was truncated")],
        [(timeless, "started_at is missing")],
        [(again, "the source has more than one row")],
    ]


def test_the_same_records_give_the_same_staged_bytes(staging: Storage, ledger: Storage) -> None:
    records = [record(job_id=number) for number in range(20)]
    skipped = record(job_id=20, status="canceled")
    contents = []
    for _ in range(2):
        result = transformed(staging, ledger, [*records, skipped])
        assert result.skipped_path is not None
        contents.append([staging.read(path) for path in (result.documents_path, result.skipped_path)])
    assert contents[0] == contents[1]
    assert transformed(staging, ledger, records).skipped_path is None


def test_nothing_staged_gives_nothing(staging: Storage, ledger: Storage) -> None:
    result = transformed(staging, ledger, [])
    assert (result.documents, result.bytes, result.first_job, result.last_job) == (0, 0, None, None)
    assert (result.filtered, result.quarantined, result.quarantine_paths) == ({}, {}, [])
    assert list(staged_documents(staging, result.documents_path)) == []
    assert list(ledger.paths("")) == []


@pytest.mark.parametrize("report", [r'{"half":"\ud83d","other":"\udc00"}', "[" * 850 + "]" * 850])
def test_what_json_allows_and_few_parsers_follow_reaches_the_destination_untouched(
    staging: Storage, ledger: Storage, report: str
) -> None:
    job = record(report=report)
    result = transformed(staging, ledger, [job])
    [document] = staged_documents(staging, result.documents_path)
    assert (document, result.quarantined) == (expected(job), {})
    assert f'"report":{report}'.encode() in document.content()


def test_the_prefix_of_the_destination_is_in_every_key(staging: Storage, ledger: Storage) -> None:
    extracted = staged(staging, [record()])
    prefixed = account(destination={"type": "s3", "conn_id": "s3", "prefix": "audit/eu"})
    result = transform(slice_of(), prefixed, extracted, staging=staging, ledger=ledger, max_document_bytes=LIMIT)
    [document] = staged_documents(staging, result.documents_path)
    assert document.key == f"audit/eu/{expected(record()).key}"


def test_a_changed_line_details_toggle_fails_the_transform(tmp_path: Path) -> None:
    storage, slice_ = local_storage(tmp_path), slice_of()
    extracted = Extracted(path="jobs", counted=0, listed=0, seconds=0.0, line_details=False)
    with pytest.raises(PermanentError, match=r"line_details of .* was changed since its jobs were read"):
        transform(slice_, account(), extracted, staging=storage, ledger=storage, max_document_bytes=1_000)


@pytest.mark.promise("messages-quote-no-values")
def test_ids_and_statuses_of_a_source_forge_no_log_line(
    staging: Storage, ledger: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    forged = "7\n2026-01-01 ERROR forged \x1b[31m\u202e" + "9" * 10_000

    with caplog.at_level("INFO"):
        made = transformed(staging, ledger, [record(job_id=forged), record(job_id=2, status=forged)])

    lines = [message for entry in caplog.records if "forged" in (message := entry.getMessage())]
    assert len(lines) == 2
    assert all(line.isprintable() and len(line) < 500 for line in lines)
    assert all(status.isprintable() and len(status) < 100 for status in made.filtered)
