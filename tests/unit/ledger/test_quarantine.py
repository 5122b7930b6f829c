"""Quarantine: a record, why it is there, and where to find it."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from tests.unit.samples import DAY, HOUR, RUN, line, record, slice_of, without_random

from job_history.errors import QuarantineReason
from job_history.ledger.quarantine import Quarantine, QuarantineEntry
from job_history.model.window import Window
from job_history.storage import Storage, local_storage
from job_history.storage.staging import staged_records

SECOND_HALF = Window(DAY.replace(minute=30), DAY.replace(hour=1))
FOLDER = "_control/quarantine/{}/5234/jobs/20180521T000000Z-20180521T010000Z"


def entries(storage: Storage, path: str) -> list[QuarantineEntry]:
    return list(staged_records(storage, path, QuarantineEntry))


@pytest.mark.promise("record-errors")
def test_each_reason_has_its_file_and_each_entry_its_record(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    broken = record(job_id=None, report=None, lines=[line(output="NaN")])
    with Quarantine(storage, slice_of()) as quarantine:
        quarantine.add_record(record(report="{"), QuarantineReason.BAD_JSON, "report is not valid JSON")
        quarantine.add_record(broken, QuarantineReason.BAD_ID, "job_id is missing")
        quarantine.add_record(record(job_id=101, report="["), QuarantineReason.BAD_JSON, "no JSON either")
    paths = [f"{FOLDER.format(reason)}/{RUN}-0001.jsonl.zst" for reason in ("bad_json", "bad_id")]
    assert list(map(without_random, quarantine.paths)) == paths
    assert dict(quarantine.counts) == {"bad_json": 2, "bad_id": 1}

    def entry(reason: str, explanation: str, reported: object, job_id: int | None) -> QuarantineEntry:
        digest = hashlib.sha256(msgspec.json.encode(reported)).hexdigest()
        return QuarantineEntry(QuarantineReason(reason), explanation, job_id, HOUR, digest, record=reported)

    assert [entries(storage, path) for path in quarantine.paths] == [
        [
            entry("bad_json", "report is not valid JSON", record(report="{"), 100),
            entry("bad_json", "no JSON either", record(job_id=101, report="["), 101),
        ],
        [entry("bad_id", "job_id is missing", broken, None)],
    ]


def test_a_conflict_keeps_the_document_even_one_with_half_a_surrogate_pair(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    part = slice_of(SECOND_HALF, number=2, of=2)
    with Quarantine(storage, part) as quarantine:
        quarantine.add_conflict(100, "a/b.json", "ab" * 32, msgspec.Raw(b'{"report":"\\ud83d"}'))
    [path] = quarantine.paths
    assert without_random(path) == f"{FOLDER.format('conflict')}/{RUN}-0002.jsonl.zst"
    assert dict(quarantine.counts) == {"conflict": 1}
    assert entries(storage, path) == [
        QuarantineEntry(
            QuarantineReason.CONFLICT,
            "a/b.json exists already, with other bytes; the object was left as it is",
            100,
            HOUR,
            "ab" * 32,
            key="a/b.json",
            document='{"report":"\\ud83d"}',
        )
    ]


def test_where_nothing_is_wrong_there_is_no_file(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    with Quarantine(storage, slice_of()) as quarantine:
        pass
    assert (quarantine.paths, dict(quarantine.counts), list(storage.paths(""))) == ([], {}, [])


def test_a_second_try_does_not_overwrite_what_a_receipt_names(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    for explanation in ("first", "second"):
        with Quarantine(storage, slice_of()) as quarantine:
            quarantine.add_record(record(report="{"), QuarantineReason.BAD_JSON, explanation)
    found = [entries(storage, path)[0].explanation for path in storage.paths("_control/quarantine")]
    assert sorted(found) == ["first", "second"]
