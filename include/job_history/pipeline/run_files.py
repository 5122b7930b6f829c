"""The files that the tasks of a run leave for its report: the plan, and for each slice its outcome or its failure.

Files, not XComs: tasks that failed leave one too, and a report can be made without a scheduler.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TypeVar

import msgspec

from job_history.model.slice import RUNS, Slice
from job_history.packed_records import PackedRecords
from job_history.pipeline.results import Plan, PlannedWindow, SliceOutcome
from job_history.pipeline.shared_staging import NOTES
from job_history.reconciliation.findings import DamagedObject, Findings
from job_history.storage import Storage
from job_history.storage.staging import DamagedFileError, read_json, staged_records

log = logging.getLogger(__name__)

TASKS_UNTIL_PLANNED = ("plan", "look_back", "wait_until_settled")
"""Tasks without which there is no plan, the last one first."""

FileContent = TypeVar("FileContent", bound=msgspec.Struct)


class Failure(msgspec.Struct):
    """Why a slice's task failed at its last try, if it could still write it.

    `unrecoverable`: the source no longer holds the slice's records. `transient`: it may pass by itself. `abandoned`: a
    convoy begins the slice no more.
    """

    step: str
    message: str
    unrecoverable: bool = False
    transient: bool = False
    abandoned: bool = False


class _Settings(msgspec.Struct):
    user_id: str
    settings: msgspec.Raw


class _SavedPlan(msgspec.Struct):
    """A plan, and its windows and settings packed: ten thousand have 20 MB, and a tenth of that packed."""

    plan: Plan
    windows: list[bytes]
    settings: list[bytes]


class RunFiles:
    """Reads and writes the files of one run, in its folder of the staging area."""

    def __init__(self, staging: Storage, run: str) -> None:
        self._staging = staging
        self._run = run

    def save_plan(self, plan: Plan) -> None:
        windows = PackedRecords(PlannedWindow, plan.windows).packs
        settings = PackedRecords(_Settings, (_Settings(*each) for each in plan.settings.items())).packs
        saved = _SavedPlan(msgspec.structs.replace(plan, windows=[], settings={}), windows, settings)
        self._staging.write(f"{RUNS}/{self._run}/plan-{plan.destination}.json", msgspec.json.encode(saved))

    def begin_look_back(self) -> None:
        """Delete what an earlier try of a reconciliation, and the tasks after it, have left.

        Kept are the notes of workers that planned.
        """
        self._delete_all_but(NOTES)

    def begin_plan(self) -> None:
        """Delete what an earlier plan of the run, and the tasks after it, have left.

        Kept are the notes of workers that planned, and what a reconciliation has compared before.
        """
        self._delete_all_but(NOTES, "comparisons/")

    def _delete_all_but(self, *kept: str) -> None:
        folder = f"{RUNS}/{self._run}/"
        kept_paths = tuple(f"{folder}{each}" for each in kept)
        self._staging.delete_all([path for path in self._staging.paths(folder) if not path.startswith(kept_paths)])

    def save_task_failure(self, task: str, message: str) -> None:
        """Save why a task that is not about a slice failed, for the report to repeat."""
        self._staging.write(self._task_failure(task), msgspec.json.encode(Failure(task, message)))

    def task_failure(self, task: str) -> Failure | None:
        return self._failure(self._task_failure(task), task)

    def _task_failure(self, task: str) -> str:
        return f"{RUNS}/{self._run}/failure-{task}.json"

    def plan(self, destination: str) -> Plan | None:
        saved = self._read(f"{RUNS}/{self._run}/plan-{destination}.json", _SavedPlan)
        if saved is None:
            return None
        settings = {each.user_id: each.settings for each in PackedRecords(_Settings, packs=saved.settings)}
        windows = PackedRecords(PlannedWindow, packs=saved.windows)
        return msgspec.structs.replace(saved.plan, windows=windows, settings=settings)

    def save_findings(self, findings: Findings) -> None:
        self._staging.write(f"{RUNS}/{self._run}/findings-{findings.destination}.json", msgspec.json.encode(findings))

    def findings(self, destination: str) -> Findings | None:
        """Return the findings of a reconciliation; None for any other run."""
        return self._read(f"{RUNS}/{self._run}/findings-{destination}.json", Findings)

    def damages(self, findings: Findings) -> Iterator[DamagedObject]:
        """Stream the objects that a reconciliation found lost or altered. Raises PermanentError if a file is gone."""
        for path in findings.damages:
            yield from staged_records(self._staging, path, DamagedObject)

    def begin(self, slice_: Slice) -> None:
        """Delete the result of an earlier try of the slice."""
        for name in ("outcome", "failure"):
            self._staging.delete(f"{slice_.folder}/{name}.json")

    def save_outcome(self, slice_: Slice, outcome: SliceOutcome) -> None:
        """Save the result of a slice. It counts, whatever failure an earlier try has left."""
        self._staging.write(f"{slice_.folder}/outcome.json", msgspec.json.encode(outcome))

    def outcome(self, slice_: Slice) -> SliceOutcome | None:
        """Return it; None if there is none, or if the file is damaged: the slice is done again."""
        try:
            return self._read(f"{slice_.folder}/outcome.json", SliceOutcome)
        except DamagedFileError as damaged:
            log.warning("The outcome of %s counts no more: %s", slice_.about, damaged)
            return None

    def save_failure(self, slice_: Slice, failure: Failure) -> None:
        """Save why a slice failed; an outcome that an earlier try has left counts no more."""
        self._staging.delete(f"{slice_.folder}/outcome.json")
        self._staging.write(f"{slice_.folder}/failure.json", msgspec.json.encode(failure))

    def failure(self, slice_: Slice) -> Failure | None:
        return self._failure(f"{slice_.folder}/failure.json", "a step")

    def delete_staged_files(self, slice_: Slice, outcome: SliceOutcome) -> None:
        """Delete the large files of a slice that is done, which its outcome names; the outcome stays."""
        transformed = outcome.transformed
        paths = (outcome.extracted.path, transformed.documents_path, transformed.skipped_path)
        self._staging.delete_all(path for path in paths if path is not None)
        self._staging.delete_unfinished(slice_.folder)

    def _read(self, path: str, kind: type[FileContent]) -> FileContent | None:
        return read_json(self._staging, path, kind)

    def _failure(self, path: str, step: str) -> Failure | None:
        """Return a failure, also one whose reason cannot be read: the slice may be done again."""
        try:
            return self._read(path, Failure)
        except DamagedFileError as damaged:
            return Failure(step, f"the reason cannot be read: {damaged}", transient=True)
