"""What the steps of a convoy have made of its slices: for its next steps and tries, and for tasks of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history.pipeline.run_files import RunFiles

RESULTS: dict[str, type[msgspec.Struct]] = {"extract": Extracted, "transform": Transformed}
BEFORE = {"transform": "extract", "load": "transform"}


@dataclass(frozen=True)
class ConvoyResults:
    """What a step and the ones before it have left of a slice."""

    step: str
    files: ConvoyFiles
    run_files: RunFiles
    _ready: dict[Slice, tuple[msgspec.Struct, str]] = field(default_factory=dict)
    """The result of the step before, of the one slice that is ready: it is read once."""

    def needed(self, step: str, slice_: Slice) -> Any:
        found = self._ready.pop(slice_, None) if step == BEFORE.get(self.step) else None
        found = found or self.files.result(slice_, step, RESULTS[step])
        if found is None:
            raise PermanentError(f"{slice_.about} was not {step}ed. Clear its {step} task.")
        return found[0]

    def is_done(self, slice_: Slice, account: Account) -> bool:
        if self.step == "load":
            outcome = self.run_files.outcome(slice_)
            return outcome is not None and outcome.settings_hash == account.settings_hash
        found = self.files.result(slice_, self.step, RESULTS[self.step])
        return found is not None and found[1] == account.settings_hash

    def is_ready(self, slice_: Slice) -> bool:
        if (before := BEFORE.get(self.step)) is None:
            return True
        self._ready.clear()
        if (found := self.files.result(slice_, before, RESULTS[before])) is not None:
            self._ready[slice_] = found
        return found is not None

    def save(self, slice_: Slice, account: Account, made: msgspec.Struct) -> None:
        if isinstance(made, SliceOutcome):
            self.run_files.save_outcome(slice_, made)
        else:
            self.files.save_result(slice_, self.step, account.settings_hash, made)


def extracted_by_convoy(
    files: ConvoyFiles, run_files: RunFiles, slice_: Slice, settings_hash: str, *, again: bool
) -> Extracted | None:
    """Return what a chain's extract takes over from a convoy; None if it is to read the source.

    That is: if there is nothing of these settings, if the task is tried or cleared `again`, or if the transform failed
    by itself and was not killed, because the records may be what it failed on.
    """
    found = files.result(slice_, "extract", Extracted)
    if found is None:
        return None
    made, made_with = found
    failure = run_files.failure(slice_)
    is_suspect = failure is not None and failure.step == "transform" and not failure.abandoned
    if not (again or is_suspect) and made_with == settings_hash and files.are_staged(slice_, [made.path]):
        return made
    # What is read now gets the same file.
    files.forget_result(slice_, "extract")
    files.forget_result(slice_, "transform")
    return None


def transformed_by_convoy(files: ConvoyFiles, slice_: Slice, settings_hash: str, *, again: bool) -> Transformed | None:
    """Return what a chain's transform takes over, after an extract that was taken over; None if it is to do it."""
    found = files.result(slice_, "transform", Transformed)
    if found is None:
        return None
    made, made_with = found
    paths = [made.documents_path, made.skipped_path]
    if not again and made_with == settings_hash and files.are_staged(slice_, paths):
        return made
    files.forget_result(slice_, "transform")
    return None
