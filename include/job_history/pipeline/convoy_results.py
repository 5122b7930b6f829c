"""What the steps of a convoy have made of its slices: for its next steps and tries, and for tasks of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.pipeline.convoy_files import STEPS, ConvoyFiles, Result, StepResult
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
    _ready: dict[Slice, tuple[msgspec.Struct, StepResult]] = field(default_factory=dict)
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
        if found is None or found[1].settings_hash != account.settings_hash or self._failed_later(slice_):
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


@dataclass(frozen=True)
class TakeOver:
    """What a chain of tasks goes on with of what a convoy has made of its slice.

    That is what was made with the settings of this hash and is still there, once for each `close`: a task of the chain
    that is tried again, or was cleared alone, makes it again.
    """

    files: ConvoyFiles
    slice_: Slice
    settings_hash: str
    close: str

    def extracted(self, run_files: RunFiles) -> Extracted | None:
        """Return what the chain's extract takes over; None if it is to read the source.

        It also reads if the transform failed by itself and was not killed: the records may be what it failed on.
        """
        failure = run_files.failure(self.slice_)
        if failure is not None and failure.step == "transform" and not failure.abandoned:
            self.files.forget_results(self.slice_, "extract")
            return None
        return self._take("extract", Extracted)

    def transformed(self) -> Transformed | None:
        """Return what the chain's transform takes over, after an extract that did; None if it is to do it."""
        return self._take("transform", Transformed)

    def _take(self, step: str, kind: type[Result]) -> Result | None:
        if (found := self.files.result(self.slice_, step, kind)) is None:
            return None
        made, saved = found
        is_usable = saved.settings_hash == self.settings_hash and saved.taken_by != self.close
        if is_usable and self.files.are_staged(self.slice_, staged_by(made)):
            self.files.save_result(self.slice_, step, self.settings_hash, made, taken_by=self.close)
            return made
        # What is made now gets the same file.
        self.files.forget_results(self.slice_, step)
        return None
