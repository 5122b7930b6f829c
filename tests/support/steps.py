"""The three steps of a slice in a process of their own, which can be told to kill itself on the way.

A fresh interpreter, and not a fork: once obstore has been used in a process, forked children hang in it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from job_history.account import Account
from job_history.destinations import Delivery, OnDelivery
from job_history.destinations.s3 import NO_RETRIES, S3Access, S3Destination, s3_store
from job_history.errors import ReplicationError
from job_history.extract import Extracted, extract
from job_history.job import JobRecord
from job_history.load import load
from job_history.slice import Slice
from job_history.slice_outcome import SliceOutcome
from job_history.sources import JobSource
from job_history.sources.sql import SqlJobSource, dialect_for
from job_history.storage import local_storage
from job_history.transform import StagedDocument, Transformed, transform
from job_history.window import Window

ROOT = Path(__file__).parents[2]
SECONDS = 60


@dataclass(frozen=True)
class Setting:
    """Where the slice comes from and goes to; plain values, so that it can be handed to the other process."""

    user_id: int
    window: dict[str, str]
    store: str
    staging: str
    ledger: str
    results: str
    endpoint_url: str
    bucket: str

    @property
    def slice(self) -> Slice:
        return Slice(run="run-1", user_id=self.user_id, name="Acme", window=self.window, part=self.window)

    @property
    def account(self) -> Account:
        return Account.model_validate(
            {
                "user_id": self.user_id,
                "name": "Acme",
                "source": {"type": "sql", "conn_id": "job_store"},
                "destination": {"type": "s3", "conn_id": "acme_s3", "bucket": self.bucket},
                "events": {"job_history": True, "line_details": True},
            }
        )


@dataclass(frozen=True)
class Death:
    """Where SIGKILL strikes: at the `start` or `end` of a step, or at the n-th time that it passes `place`."""

    step: str
    place: str
    times: int = 1


def start_steps(setting: Setting, steps: list[str], death: Death | None = None) -> subprocess.Popen[str]:
    """Start the steps in a process of their own. What a step returned is in `results`, as Airflow would keep it."""
    told = json.dumps({"setting": asdict(setting), "steps": steps, "death": asdict(death) if death else None})
    path = os.pathsep.join(str(ROOT / folder) for folder in ("include", "."))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.steps", told],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run_steps(setting: Setting, steps: list[str], death: Death | None = None) -> tuple[int, str]:
    """Run the steps, and return the exit code (negative: the signal) and what they printed."""
    with start_steps(setting, steps, death) as process:
        try:
            printed, _ = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
    return process.returncode, printed


def outcome(setting: Setting) -> SliceOutcome:
    return msgspec.json.decode((Path(setting.results) / "load.json").read_bytes(), type=SliceOutcome)


class _Killer:
    def __init__(self, step: str, death: Death | None) -> None:
        self._place = death.place if death and death.step == step else None
        self._left = death.times if death else 0

    def passes(self, place: str) -> None:
        if place == self._place:
            self._left -= 1
            if self._left == 0:
                time.sleep(0.3)  # what is under way may get to the disk or the store
                os.kill(os.getpid(), signal.SIGKILL)


class _KilledListing:
    def __init__(self, listing: Any, killer: _Killer) -> None:
        self.counted, self.counted_by = listing.counted, listing.counted_by
        self._listing, self._killer = listing, killer

    def __iter__(self) -> Iterator[JobRecord]:
        for record in self._listing:
            self._killer.passes("record")
            yield record


class _KilledSource:
    def __init__(self, source: JobSource, killer: _Killer) -> None:
        self._source, self._killer = source, killer

    def count(self, user_id: int, window: Window) -> int:
        return self._source.count(user_id, window)

    def ids(self, user_id: int, window: Window) -> Iterator[str]:
        return self._source.ids(user_id, window)

    @contextmanager
    def listing(self, user_id: int, window: Window, *, line_details: bool) -> Iterator[_KilledListing]:
        with self._source.listing(user_id, window, line_details=line_details) as listing:
            yield _KilledListing(listing, self._killer)


class _KilledDestination:
    def __init__(self, destination: S3Destination, killer: _Killer) -> None:
        self._destination, self._killer = destination, killer

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        def taken() -> Iterator[StagedDocument]:
            for document in documents:
                self._killer.passes("document")
                yield document

        def noted(document: StagedDocument, delivery: Delivery, e_tag: str | None = None, /) -> None:
            on_delivery(document, delivery, e_tag)
            self._killer.passes("delivery")

        self._destination.deliver(taken(), noted)

    def description(self) -> dict[str, Any]:
        return self._destination.description()


class _KilledStorage:
    """Storage whose written files pass the killer with each piece."""

    def __init__(self, storage: Any, killer: _Killer) -> None:
        self._storage, self._killer = storage, killer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    @contextmanager
    def writer(self, path: str) -> Iterator[Any]:
        with self._storage.writer(path) as file:
            write = file.write

            def counted_write(content: Any) -> int:
                self._killer.passes("write")
                written: int = write(content)
                return written

            file.write = counted_write
            yield file


def _step(name: str, setting: Setting, killer: _Killer) -> Extracted | Transformed | SliceOutcome:
    results = Path(setting.results)
    staging: Any = _KilledStorage(local_storage(Path(setting.staging)), killer)
    ledger = local_storage(Path(setting.ledger))
    if name == "extract":
        # Like a hook's connection to a database that is not there; SQLite would make an empty one.
        source = SqlJobSource(lambda: sqlite3.connect(f"file:{setting.store}?mode=ro", uri=True), dialect_for("sqlite"))
        return extract(setting.slice, setting.account, _KilledSource(source, killer), staging)
    extracted = msgspec.json.decode((results / "extract.json").read_bytes(), type=Extracted)
    if name == "transform":
        return transform(
            setting.slice, setting.account, extracted, staging=staging, ledger=ledger, max_document_bytes=40_000_000
        )
    keys = {"access_key_id": "local-s3-user", "secret_access_key": "local", "token": None, "expires_at": None}
    access = S3Access(bucket=setting.bucket, credentials=lambda: keys, endpoint_url=setting.endpoint_url)
    destination = S3Destination(
        s3_store(access, setting.account.destination, retries=NO_RETRIES), bucket=setting.bucket, in_flight=16
    )
    return load(
        setting.slice,
        setting.account,
        extracted=extracted,
        transformed=msgspec.json.decode((results / "transform.json").read_bytes(), type=Transformed),
        destination=_KilledDestination(destination, killer),
        staging=staging,
        ledger=ledger,
    )


def _main() -> None:
    logging.getLogger().addHandler(logging.NullHandler())  # only what ends a step is to be printed
    told = json.loads(sys.argv[1])
    setting = Setting(**told["setting"])
    death = Death(**told["death"]) if told["death"] else None
    for name in told["steps"]:
        killer = _Killer(name, death)
        killer.passes("start")
        try:
            result = _step(name, setting, killer)
        except ReplicationError as fault:
            print(f"{type(fault).__name__}: {fault}", flush=True)
            sys.exit(1)
        killer.passes("end")
        (Path(setting.results) / f"{name}.json").write_bytes(msgspec.json.encode(result))


if __name__ == "__main__":
    _main()
