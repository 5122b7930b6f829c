"""The steps of a run in a process of their own, which can be set to kill itself on the way.

The processes are forked from one that has imported everything and used nothing of it, as Airflow's are: once obstore
has been used in a process, forked children hang in it.
"""

from __future__ import annotations

import functools
import logging
import multiprocessing
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from tests.support.other_destinations import OtherDestination
from tests.support.places import Passes
from tests.support.runs import STEPS, Run, Runs
from tests.support.world import accounts_of, bucket_at, sumo_logic_destination

from job_history.accounts.account import Account
from job_history.destinations import Destination
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.errors import ReplicationError
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.results import SliceOutcome
from job_history.sources import Source
from job_history.sources.sql import SqlJobSource, dialect_for
from job_history.storage import local_storage

_WITH_MORE_UNDER_WAY = {"write", "before put", "after put", "after load"}
WHOLE_RUN = ["plan", *STEPS, "report"]
SECONDS = 60

_processes = multiprocessing.get_context("forkserver")
# Of pytest because it is the main module of ours, which each child looks at; the report's imports take half a second.
_processes.set_forkserver_preload(["pytest", "job_history.pipeline.report", "tests.support.steps"])


@dataclass(frozen=True)
class Setting:
    """Where the account's window comes from and goes to: to a bucket, to Sumo Logic if its URL is given, or to `other`.

    Plain values, so that it can be handed to the other process. No file of its may grow beyond `max_file_bytes`.
    """

    user_id: int
    window: Window
    store: str
    staging: str
    ledger: str
    results: str
    endpoint_url: str = ""
    bucket: str = ""
    sumo_logic_url: str = ""
    other: OtherDestination | None = None
    run: str = "run-1"
    max_file_bytes: int | None = None

    @classmethod
    def below(cls, folder: Path, store: Path, user_id: int, window: Window, **destination: Any) -> Setting:
        """Make the setting of a first run, whose files are all in one folder."""
        (folder / "results").mkdir()
        return cls(
            user_id=user_id,
            window=window,
            store=str(store),
            staging=str(folder / "staging"),
            ledger=str(folder / "ledger"),
            results=str(folder / "results"),
            **destination,
        )

    @property
    def destination(self) -> str:
        if self.other:
            return self.other.kind
        return "sumo_logic" if self.sumo_logic_url else "s3"

    @property
    def slice(self) -> Slice:
        (whole,) = Runs.slices(self.as_run())
        return whole

    def as_run(self) -> Run:
        returned = FilesIn(Path(self.results))
        return Run(self.run, self.window, kinds=(self.destination,), returned=returned)

    def receipt(self) -> Receipt | None:
        window = self.window
        return read_receipt(local_storage(Path(self.ledger)), self.user_id, EventKind.JOBS, window)


@dataclass(frozen=True)
class Death:
    """Where SIGKILL strikes: in a step, at the n-th time that it passes the `place` (see places.py)."""

    step: str
    place: str
    times: int = 1


@dataclass(frozen=True)
class FilesIn(MutableMapping[str, bytes]):
    """A folder as a mapping: what tasks returned outlives their processes, as in Airflow's database."""

    folder: Path

    def __getitem__(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            raise KeyError(name) from None

    def __setitem__(self, name: str, content: bytes) -> None:
        self._path(name).write_bytes(content)

    def __delitem__(self, name: str) -> None:
        self._path(name).unlink()

    def __iter__(self) -> Iterator[str]:
        return (path.name.replace("|", "/") for path in self.folder.iterdir())

    def __len__(self) -> int:
        return len(list(self.folder.iterdir()))

    def _path(self, name: str) -> Path:
        return self.folder / name.replace("/", "|")


@dataclass
class StartedSteps:
    """Steps under way in another process."""

    process: Any
    printed: Path

    def ended(self) -> tuple[int, str]:
        """Wait for the end, and return the exit code (negative: the signal) and what was printed."""
        self.process.join(SECONDS)
        assert self.process.exitcode is not None, f"not at its end after {SECONDS} s: {self.printed.read_text()}"
        return self.process.exitcode, self.printed.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def start_steps(setting: Setting, steps: list[str], death: Death | None = None) -> StartedSteps:
    """Start the steps in a process of their own. What a step returned is in `results`, as Airflow would keep it."""
    printed = Path(f"{setting.results}-printed.txt")
    process = _processes.Process(target=_main, args=(setting, steps, death, printed), daemon=True)
    process.start()
    return StartedSteps(process, printed)


def run_steps(setting: Setting, steps: list[str], death: Death | None = None) -> tuple[int, str]:
    """Run the steps, and return the exit code (negative: the signal) and what they printed."""
    started = start_steps(setting, steps, death)
    try:
        return started.ended()
    finally:
        started.kill()


def outcome(setting: Setting) -> SliceOutcome:
    return msgspec.json.decode(setting.as_run().returned[f"load {setting.slice.folder}"], type=SliceOutcome)


@dataclass
class _Killer:
    death: Death | None
    step: str = ""
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.death.times if self.death else 0

    def passes(self, place: str) -> None:
        if self.death and (self.step, place) == (self.death.step, self.death.place):
            self.left -= 1
            if self.left == 0:
                if place in _WITH_MORE_UNDER_WAY:
                    time.sleep(0.3)  # it may get to the disk or the store
                os.kill(os.getpid(), signal.SIGKILL)


def _runs(setting: Setting, passes: Passes) -> Runs:
    staging, ledger = local_storage(Path(setting.staging)), local_storage(Path(setting.ledger))

    def destination_of(account: Account, slice_: Slice, _repair: bool) -> Destination:
        if setting.other:
            return setting.other.open(slice_, ledger, passes)
        if setting.sumo_logic_url:
            return sumo_logic_destination(slice_, setting.sumo_logic_url, ledger, passes, timeout=10)
        return bucket_of(account)

    def bucket_of(account: Account) -> ObjectStoreDestination:
        return ObjectStoreDestination(bucket_at(account, setting.endpoint_url), in_flight=16)

    to_s3 = [setting.user_id] if setting.destination == "s3" else []
    to_sumo_logic = [setting.user_id] if setting.sumo_logic_url else []
    others = {setting.user_id: setting.other.settings()} if setting.other else {}
    return Runs(
        staging=staging,
        ledger=ledger,
        accounts=accounts_of(to_s3, to_sumo_logic, setting.bucket, others=others),
        source_of=lambda _account, _kind: _source(setting.store),
        destination_of=destination_of,
        bucket_of=bucket_of,
        passes=passes,
    )


def _source(store: str) -> Source[JobRecord]:
    # Like a hook's connection to a database that is not there; SQLite would make an empty one.
    return SqlJobSource(lambda: sqlite3.connect(f"file:{store}?mode=ro", uri=True), dialect_for("sqlite"))


def _convoys(runs: Runs, run: Run, step: str) -> None:
    for convoy in runs.convoys(run):
        runs.convoy_step(run, convoy, step)


def _main(setting: Setting, steps: list[str], death: Death | None, printed: Path) -> None:
    with printed.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if setting.max_file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (setting.max_file_bytes, setting.max_file_bytes))
    logging.getLogger().addHandler(logging.NullHandler())  # only what ends a step is to be printed
    killer = _Killer(death)
    runs, run = _runs(setting, killer.passes), setting.as_run()
    of_run: dict[str, Callable[[], object]] = {
        "plan": lambda: runs.plan(run, setting.destination),
        "report": lambda: runs.report(run),
        "chains": lambda: [runs.step(run, slice_, step) for slice_ in runs.close(run) for step in STEPS],
        **{f"convoy {step}": functools.partial(_convoys, runs, run, step) for step in STEPS},
    }
    for name in steps:
        killer.step = name
        try:
            if name in of_run:
                of_run[name]()
            else:
                for slice_ in runs.slices(run):
                    runs.step(run, slice_, name)
        except ReplicationError as fault:
            print(f"{type(fault).__name__}: {fault}", flush=True)
            sys.exit(1)
