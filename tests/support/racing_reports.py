"""Two processes that report the same windows at the same moments, to one ledger."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from tests.support.deliveries import access

from job_history.ledger.item import Item
from job_history.ledger.items import ListHeader, item_writer, new_list_path
from job_history.ledger.merge import hash_of_lists
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import window_folder
from job_history.ledger.receipt_store import add_revision
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.storage import Storage, local_storage
from job_history.storage.s3.open_bucket import open_bucket
from simulators.s3_endpoint import S3Endpoint

USER_ID = 5234
DESTINATION = {"type": "s3", "bucket": "acme-audit", "host": "minio.example:9000"}
SECONDS = 120
_processes = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Ledger:
    """A folder, or a bucket at an endpoint; plain values, for another process."""

    place: str
    bucket: str = ""

    def open(self) -> Storage:
        if not self.bucket:
            return local_storage(Path(self.place))
        found = access(S3Endpoint(self.place, "local", "local"), self.bucket)
        return Storage(open_bucket(found, attempts=4), f"s3://{self.bucket}")


@dataclass(frozen=True)
class Report:
    """What a run found in a window: the documents that it delivered, and the minute in which it read the source."""

    run: str
    window: Window
    state: WindowState
    documents: tuple[int, ...]
    minute: int

    def add_to(self, ledger: Storage, finished_at: datetime) -> Receipt:
        lists = [self._write_list(ledger)] if self.documents else []
        count = len(self.documents)
        counts = Counts(counted=count, listed=count, delivered=count)
        entry = RunEntry(self.run, format_time(finished_at), self.state, counts, [], {}, hash_of_lists(lists))
        return add_revision(
            ledger,
            Receipt(
                user_id=USER_ID,
                name="Acme",
                window=self.window,
                state=self.state,
                counts=counts,
                gap=0,
                read_at=format_time(self.window.end + timedelta(minutes=self.minute)),
                settings_hash="1",
                code_version="0",
                destination=DESTINATION,
                items=lists,
                runs=[entry],
            ),
        )

    def _write_list(self, ledger: Storage) -> str:
        path = new_list_path(window_folder(USER_ID, EventKind.JOBS, self.window), self.run, "0001")
        with item_writer(ledger, path, ListHeader(USER_ID, EventKind.JOBS, self.window, DESTINATION)) as items:
            for number in self.documents:
                key, sha256 = f"5234/jobs/1/{number}.json", f"{number:064x}"
                items.append(Item(str(number), "2018-05-21T00:00:10Z", Outcome.DELIVERED, key=key, sha256=sha256))
        return path


def race(ledger: Ledger, pairs: list[tuple[Report, Report]]) -> None:
    """Have two processes report, each one half of every pair, both at once. Raises AssertionError if one failed."""
    barrier = _processes.Barrier(2)
    started = [
        _processes.Process(target=_report, args=(ledger, msgspec.json.encode([pair[side] for pair in pairs]), barrier))
        for side in (0, 1)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(SECONDS)
    codes = [process.exitcode for process in started]
    for process in started:
        process.kill()
    assert codes == [0, 0]


def _report(ledger: Ledger, reports: bytes, barrier: Any) -> None:
    storage = ledger.open()
    for report in msgspec.json.decode(reports, type=list[Report]):
        barrier.wait(SECONDS)
        report.add_to(storage, report.window.end + timedelta(minutes=15))
