"""What the steps of a convoy have made of its slices: for its next steps and tries, and for tasks of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.pipeline.convoy_files import STEPS, ConvoyFiles
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
        """Return whether a further try, or a cleared task, has nothing to do for the slice.

        It is delivered, under these settings or so that no file is left to do it again; or the step has a result of
        these settings that is still there, and on which no later step failed.
        """
        outcome = self.run_files.outcome(slice_)
        if outcome is not None and (
            outcome.settings_hash == account.settings_hash or self._lacks_input(slice_, outcome)
        ):
            return True
        if self.step == "load":
            return False
        found = self.files.result(slice_, self.step, RESULTS[self.step])
        if found is None or found[1] != account.settings_hash or self._failed_later(slice_):
            return False
        return self.files.are_staged(slice_, staged_by(found[0]))

    def _lacks_input(self, slice_: Slice, outcome: SliceOutcome) -> bool:
        made = {"transform": outcome.extracted, "load": outcome.transformed}.get(self.step)
        return made is not None and not self.files.are_staged(slice_, staged_by(made))

    def _failed_later(self, slice_: Slice) -> bool:
        failure = self.run_files.failure(slice_)
        return failure is not None and failure.step in STEPS[STEPS.index(self.step) + 1 :]

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


def staged_by(made: msgspec.Struct) -> list[str]:
    """Return the staged files of what a step has made."""
    if isinstance(made, Transformed):
        return [path for path in (made.documents_path, made.skipped_path) if path is not None]
    return [made.path] if isinstance(made, Extracted) else []


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
    if not (again or is_suspect) and made_with == settings_hash and files.are_staged(slice_, staged_by(made)):
        return made
    # What is read now gets the same file.
    files.forget_results(slice_, "extract")
    return None


def transformed_by_convoy(files: ConvoyFiles, slice_: Slice, settings_hash: str, *, again: bool) -> Transformed | None:
    """Return what a chain's transform takes over, after an extract that was taken over; None if it is to do it."""
    found = files.result(slice_, "transform", Transformed)
    if found is None:
        return None
    made, made_with = found
    if not again and made_with == settings_hash and files.are_staged(slice_, staged_by(made)):
        return made
    files.forget_results(slice_, "transform")
    return None
