"""What the tasks of a reconciliation leave in its run's folder: which accounts each compares, and what it has found."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from job_history.model.slice import RUNS
from job_history.model.window import Window
from job_history.reconciliation.findings import DamagedObject, Findings, WindowFinding
from job_history.storage import Storage
from job_history.storage.staging import DamagedFileError, StagedWriter, decoded_json, read_json, staged_writer

log = logging.getLogger(__name__)


class AccountToCompare(msgspec.Struct, frozen=True):
    """`hours`: its own, if they begin before those of the others."""

    user_id: int
    name: str
    hours: Window | None = None

    @property
    def label(self) -> str:
        return f"{self.user_id} {self.name}"


class Comparison(msgspec.Struct, frozen=True):
    """The accounts that one task compares over these hours, in the order in which it does."""

    number: int
    hours: Window
    accounts: list[AccountToCompare]

    @property
    def own_hours(self) -> dict[int, Window]:
        """Return the hours of the accounts that have their own, by user_id."""
        return {each.user_id: each.hours for each in self.accounts if each.hours is not None}

    @property
    def label(self) -> str:
        """The name of the task instance in the UI: `5234 Acme +12`."""
        others = len(self.accounts) - 1
        return self.accounts[0].label + (f" +{others}" if others else "")


class Progress(msgspec.Struct):
    """What was found so far, by kind of destination. `done`: user_ids that were compared, or tried; `begun`: those that
    the task began last. `time_is_over`: it began no more for that reason. `is_whole`: all accounts are done.
    """

    found: dict[str, Findings] = {}
    done: list[int] = []
    begun: list[int] = []
    time_is_over: bool = False
    is_whole: bool = False

    def add(self, findings: Findings) -> None:
        known = self.found.setdefault(findings.destination, findings)
        if known is not findings:
            known.add(findings)


class ComparisonFiles:
    """Reads and writes these files of one run."""

    def __init__(self, staging: Storage, run: str) -> None:
        self._staging = staging
        self._folder = f"{RUNS}/{run}/comparisons"

    def save_all(self, hours: Window, comparisons: list[Comparison]) -> None:
        """Save which accounts are compared."""
        for comparison in comparisons:
            self._staging.write(self._path(comparison.number), msgspec.json.encode(comparison))
        # The last one: with it, all are there.
        self._staging.write(f"{self._folder}/all.json", msgspec.json.encode(_All(hours, len(comparisons))))

    def hours(self) -> Window | None:
        """Return the hours that the run compares; None: they were not decided."""
        return None if (every := self._all()) is None else every.hours

    def comparison(self, number: int) -> Comparison | None:
        return read_json(self._staging, self._path(number), Comparison)

    def comparisons(self) -> Iterator[Comparison]:
        every = self._all()
        numbers = range(1, 1 + (every.number if every else 0))
        paths = [self._path(number) for number in numbers]
        for path, content in zip(paths, self._staging.read_all(paths), strict=True):
            if content is not None:
                yield decoded_json(content, Comparison, self._staging.url(path))

    def save_progress(self, number: int, progress: Progress) -> None:
        self._staging.write(self._progress(number), msgspec.json.encode(progress))

    def progress(self, number: int) -> Progress:
        """Return it; an empty one if there is none, or if the file is damaged: its accounts are compared again."""
        try:
            return read_json(self._staging, self._progress(number), Progress) or Progress()
        except DamagedFileError as damaged:
            log.warning("What was compared counts no more: %s", damaged)
            return Progress()

    @contextmanager
    def damage_writer(self, number: int) -> Iterator[tuple[str, StagedWriter]]:
        """Open a new file of objects that are lost or altered; it can be read when the block ends."""
        # Its own for each try, because findings name those that count.
        path = f"{self._folder}/{number:04d}-damages-{secrets.token_hex(4)}.jsonl.zst"
        with staged_writer(self._staging, path) as writer:
            yield path, writer

    def _all(self) -> _All | None:
        return read_json(self._staging, f"{self._folder}/all.json", _All)

    def _path(self, number: int) -> str:
        return f"{self._folder}/{number:04d}.json"

    def _progress(self, number: int) -> str:
        return f"{self._folder}/{number:04d}-found.json"


class _All(msgspec.Struct):
    hours: Window
    number: int


def damaged_object(finding: WindowFinding, key: str) -> DamagedObject:
    return DamagedObject(finding.user_id, finding.kind, finding.window, key)
