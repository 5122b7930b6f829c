"""The run record: what tasks leave for the report."""

from pathlib import Path

import pytest
from tests.unit.samples import HOUR, RUN, outcome, slice_of

from job_history.pipeline.plan import Plan
from job_history.pipeline.run_files import Failure, RunRecord
from job_history.storage import Storage, local_storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def test_each_destination_has_its_plan(storage: Storage) -> None:
    record = RunRecord(storage, RUN)
    plan = Plan(run=RUN, destination="s3", window=HOUR, windows=[], faults=["one"])
    record.save_plan(plan)
    assert [record.plan("s3"), record.plan("sumo_logic"), RunRecord(storage, "other").plan("s3")] == [plan, None, None]


def test_a_slice_has_an_outcome_or_a_failure(storage: Storage) -> None:
    record, one = RunRecord(storage, RUN), slice_of()
    assert (record.outcome(one), record.failure(one)) == (None, None)
    record.save_failure(one, Failure("load", "the bucket is away"))
    assert (record.outcome(one), record.failure(one)) == (None, Failure("load", "the bucket is away"))
    record.save_outcome(one, outcome(one, delivered=3, filtered={"aborted": 1}))
    assert (record.outcome(one), record.failure(one)) == (outcome(one, delivered=3, filtered={"aborted": 1}), None)
    record.save_failure(one, Failure("extract", "away"))
    record.begin(one)
    assert (record.outcome(one), record.failure(one)) == (None, None)


def test_only_what_is_large_is_deleted_and_only_of_that_slice(storage: Storage) -> None:
    record, one, other = RunRecord(storage, RUN), slice_of(number=1, of=2), slice_of(number=2, of=2)
    for each in (one, other):
        record.save_outcome(each, outcome(each))
        for name in ("jobs", "documents", "skipped"):
            storage.write(f"{each.folder}/{name}.jsonl.zst", b"large")
    record.delete_staged_files(one)
    names = ["documents.jsonl.zst", "jobs.jsonl.zst", "outcome.json", "skipped.jsonl.zst"]
    assert sorted(storage.paths("")) == [
        f"{one.folder}/outcome.json",
        *[f"{other.folder}/{name}" for name in names],
    ]
