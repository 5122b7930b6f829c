"""The run files: what tasks leave for the report."""

from pathlib import Path

import pytest
from tests.unit.samples import HOUR, RUN, outcome, slice_of

from job_history.pipeline.results import Plan, PlannedWindow
from job_history.pipeline.run_files import Failure, RunFiles
from job_history.storage import Storage, local_storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def _planned(user_id: int) -> PlannedWindow:
    return PlannedWindow(
        user_id=user_id,
        name="Acme",
        window=HOUR,
        enabled=True,
        counted=1,
        slices=[slice_of(user_id=user_id)],
        settings_hash="hash",
        destination={"type": "s3"},
    )


def test_each_destination_has_its_plan(storage: Storage) -> None:
    files = RunFiles(storage, RUN)
    windows = [_planned(user_id) for user_id in range(1_000)]
    files.save_plan(Plan(run=RUN, destination="s3", window=HOUR, windows=windows, faults=["one"]))
    plan = files.plan("s3")
    assert plan is not None
    assert (plan.faults, list(plan.windows)) == (["one"], windows)
    assert [files.plan("sumo_logic"), RunFiles(storage, "other").plan("s3")] == [None, None]


def test_a_slice_has_an_outcome_or_a_failure(storage: Storage) -> None:
    files, one = RunFiles(storage, RUN), slice_of()
    assert (files.outcome(one), files.failure(one)) == (None, None)
    files.save_failure(one, Failure("load", "the bucket is away"))
    assert (files.outcome(one), files.failure(one)) == (None, Failure("load", "the bucket is away"))
    files.save_outcome(one, outcome(one, delivered=3, filtered={"aborted": 1}))
    assert files.outcome(one) == outcome(one, delivered=3, filtered={"aborted": 1})
    files.save_failure(one, Failure("extract", "away"))
    assert (files.outcome(one), files.failure(one)) == (None, Failure("extract", "away"))
    files.begin(one)
    assert (files.outcome(one), files.failure(one)) == (None, None)


def test_only_what_is_large_is_deleted_and_only_of_that_slice(storage: Storage) -> None:
    files, one, other = RunFiles(storage, RUN), slice_of(number=1, of=2), slice_of(number=2, of=2)
    for each in (one, other):
        files.save_outcome(each, outcome(each))
        for name in ("jobs", "documents", "skipped"):
            storage.write(f"{each.folder}/{name}.jsonl.zst", b"large")
    files.delete_staged_files(one, outcome(one))
    names = ["documents.jsonl.zst", "jobs.jsonl.zst", "outcome.json", "skipped.jsonl.zst"]
    assert sorted(storage.paths("")) == [
        f"{one.folder}/outcome.json",
        *[f"{other.folder}/{name}" for name in names],
    ]
