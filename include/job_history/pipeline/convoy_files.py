"""What the tasks of convoys leave in a run's folder: the convoy, how far each step is, and each slice's results."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from job_history.model.slice import RUNS, Slice
from job_history.pipeline.convoy import Convoy, convoy_path
from job_history.storage import Storage, at_once
from job_history.storage.staging import DamagedFileError, read_json

log = logging.getLogger(__name__)

STEPS = ("extract", "transform", "load")
Result = TypeVar("Result", bound=msgspec.Struct)


class StepResult(msgspec.Struct, frozen=True):
    """A step's result for one slice, as JSON. `settings_hash`: of the account's settings that it was made with.

    `taken_by`: the `close` whose task of the slice's own went on with it; empty if none did.
    """

    settings_hash: str
    result: msgspec.Raw
    taken_by: str = ""


class ConvoyFiles:
    """Reads and writes these files of one run."""

    def __init__(self, staging: Storage, run: str) -> None:
        self._staging = staging
        self._run = run

    def save(self, convoys: Iterable[Convoy]) -> None:
        at_once(lambda convoy: self._staging.write(convoy.path, msgspec.json.encode(convoy)), convoys)

    def convoy(self, number: int) -> Convoy | None:
        return read_json(self._staging, convoy_path(self._run, number), Convoy)

    def save_chains(self, chains: list[list[Slice]]) -> None:
        """Note which slices the chains of the second stage have, by their map index."""
        self._staging.write(self._chains, msgspec.json.encode(chains))

    def chains(self) -> list[list[Slice]]:
        """Return them; none if `close` of the run has not ended, or a week after the run."""
        return read_json(self._staging, self._chains, list[list[Slice]]) or []

    @property
    def _chains(self) -> str:
        return f"{RUNS}/{self._run}/chains.json"

    def begin(self, convoy: Convoy, step: str, place: int) -> None:
        """Note that a step has begun the slice at this place of its convoy, before it begins it."""
        self._staging.write(self._progress(convoy, step), str(place).encode())

    def begun(self, convoy: Convoy, step: str) -> int | None:
        """Return the place of the slice that an earlier try of the step began last; None: this is the first try.

        -1: it is not known which.
        """
        try:
            return read_json(self._staging, self._progress(convoy, step), int)
        except DamagedFileError as damaged:
            log.warning("What an earlier try began is not known: %s", damaged)
            return -1

    def save_result(
        self, slice_: Slice, step: str, settings_hash: str, result: msgspec.Struct, taken_by: str = ""
    ) -> None:
        content = StepResult(settings_hash, msgspec.Raw(msgspec.json.encode(result)), taken_by)
        self._staging.write(self._result(slice_, step), msgspec.json.encode(content))

    def result(self, slice_: Slice, step: str, kind: type[Result]) -> tuple[Result, StepResult] | None:
        """Return a step's result for the slice, and the file it is of; None: none, or a damaged one."""
        try:
            found = read_json(self._staging, self._result(slice_, step), StepResult)
            return None if found is None else (msgspec.json.decode(found.result, type=kind), found)
        except (DamagedFileError, msgspec.MsgspecError) as damaged:
            log.warning("The %s of %s counts no more: %s", step, slice_.about, damaged)
            return None

    def are_staged(self, slice_: Slice, paths: list[str]) -> bool:
        """Return whether these files of a slice are in the staging area."""
        return set(paths) <= set(self._staging.paths(slice_.folder))

    def forget_results(self, slice_: Slice, step: str) -> None:
        """Forget the step's result for the slice, and those of later steps, which were made of it."""
        self._staging.delete_all([self._result(slice_, each) for each in STEPS[STEPS.index(step) :]])

    @staticmethod
    def _progress(convoy: Convoy, step: str) -> str:
        return f"{convoy.path.removesuffix('.json')}-{step}.progress"

    @staticmethod
    def _result(slice_: Slice, step: str) -> str:
        return f"{slice_.folder}/{step}ed.json"
