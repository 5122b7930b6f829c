"""A small world to run in: accounts with a job store, a bucket and a Sumo Logic source, and the ledger between them."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.deliveries import access
from tests.support.job_stores import SqliteStore
from tests.support.oracle import expected_documents, sumo_logic_documents
from tests.support.places import Passes, WatchedStorage, watched_session
from tests.support.runs import Runs
from tests.support.scripted_s3 import ScriptedS3

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts, read_accounts
from job_history.destinations import Destination
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.destinations.sumo_logic import (
    RETRIES,
    HttpSource,
    SumoLogicDestination,
    endpoint_of,
    target_of,
)
from job_history.http.session import http_session
from job_history.ledger.acknowledgements import Acknowledgements
from job_history.ledger.items import items_at
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.sources import Source
from job_history.sources.sql import SqlJobSource, dialect_for
from job_history.storage import Storage, local_storage
from job_history.storage.s3.bucket import Bucket
from job_history.storage.s3.open_bucket import open_bucket
from simulators.job_store import SampleJob
from simulators.s3_endpoint import S3Endpoint
from simulators.sumo_logic import LocalSource

BUCKET = "acme-audit"
FAST = (0.001, 0.002)
"""Seconds before an upload is tried again."""


def accounts_of(
    to_s3: Iterable[int],
    to_sumo_logic: Iterable[int],
    bucket: str = BUCKET,
    *,
    others: Mapping[int, Mapping[str, Any]] = MappingProxyType({}),
) -> Accounts:
    """Return the accounts with these user_ids. `others`: with the settings of their destinations."""
    destinations: list[tuple[int, dict[str, Any]]] = [
        (user_id, {"type": "s3", "conn_id": "s3", "bucket": bucket}) for user_id in to_s3
    ]
    destinations += [(user_id, {"type": "sumo_logic", "conn_id": "sumo"}) for user_id in to_sumo_logic]
    destinations += [(user_id, dict(settings)) for user_id, settings in others.items()]
    entries = [
        {
            "user_id": user_id,
            "name": f"Account {user_id}",
            "source": {"type": "sql", "conn_id": "job_store"},
            "destination": destination,
            "events": {"job_history": True, "line_details": True},
        }
        for user_id, destination in destinations
    ]
    return read_accounts(json.dumps(entries))


@dataclass
class World:
    """`jobs` are those that the store has; `source_fault` is asked before each connection and may raise.

    `storage_of` returns ledger or staging by its name; folders if it is left out.
    """

    folder: Path
    accounts: Accounts
    s3: ScriptedS3
    sumo_logic: LocalSource
    jobs: list[SampleJob] = field(default_factory=list)
    request_timeout: timedelta = timedelta(seconds=10)
    source_fault: Callable[[], None] = lambda: None
    storage_of: Callable[[str], Storage] | None = None

    def __post_init__(self) -> None:
        storage_of = self.storage_of or (lambda name: local_storage(self.folder / name))
        self.store = SqliteStore(self.folder)
        self.ledger, self.staging = storage_of("ledger"), storage_of("staging")
        self._buckets: dict[str, Bucket] = {}

    def add(self, jobs: Iterable[SampleJob]) -> None:
        added = list(jobs)
        self.store.fill(added)
        self.jobs += added

    def forget(self, jobs: Iterable[SampleJob]) -> None:
        """The source drops these jobs; what was delivered of them stays."""
        forgotten = list(jobs)
        with self.store.connect() as connection:
            for table in ("job_history_jobs", "job_history_lines"):
                connection.executemany(
                    f"DELETE FROM {table} WHERE user_id = ? AND job_id = ?",
                    [(job.user_id, job.job_id) for job in forgotten],
                )
        self.jobs = [job for job in self.jobs if job not in forgotten]

    def runs(self, *, passes: Passes = lambda _: None, tries: int = 1, **options: Any) -> Runs:
        def destination_of(account: Account, slice_: Slice, repair: bool) -> Destination:
            return self._destination(account, slice_, passes, repair=repair)

        return Runs(
            staging=self.staging,
            ledger=self.ledger,
            accounts=self.accounts,
            source_of=self._source,
            destination_of=destination_of,
            bucket_of=self._bucket,
            passes=passes,
            tries=tries,
            **options,
        )

    def assert_nothing_is_missing(self, windows: Iterable[Window]) -> None:
        """Both destinations have what the source has, byte for byte, and the receipts of these windows say so."""
        expected = expected_documents(self.jobs)
        to_s3 = {user_id for user_id, account in self.accounts.usable.items() if account.destination.type == "s3"}
        of_s3 = {key: body for key, body in expected.items() if int(key.partition("/")[0]) in to_s3}
        assert dict(sorted(self.s3.objects.items())) == of_s3
        assert self.s3.writes == Counter(of_s3.keys())
        of_sumo_logic = {key: body for key, body in expected.items() if key not in of_s3}
        assert sumo_logic_documents(self.sumo_logic.messages()) == of_sumo_logic
        listed: list[str] = []
        for user_id in self.accounts.usable:
            for window in windows:
                receipt = read_receipt(self.ledger, user_id, EventKind.JOBS, window)
                assert receipt is not None, f"account {user_id}, window {window} has no receipt"
                listed += keys_of(receipt, self.ledger)
                # The source may list again what it did not list when the window was run last.
                listed += [item.key or "" for path in receipt.gone_list for item in items_at(self.ledger, path)]
        assert sorted(listed) == list(expected)

    def open_windows(self, windows: Iterable[Window]) -> list[tuple[int, Window]]:
        """Return the accounts and windows that have no receipt, or one that is not closed."""
        return [
            (user_id, window)
            for window in windows
            for user_id in self.accounts.usable
            if (receipt := read_receipt(self.ledger, user_id, EventKind.JOBS, window)) is None
            or not receipt.state.closed
        ]

    def _source(self, _account: Account, _kind: EventKind) -> Source[JobRecord]:
        def connect() -> sqlite3.Connection:
            self.source_fault()
            return self.store.connect()

        return SqlJobSource(connect, dialect_for(self.store.connection_type))

    def _bucket(self, account: Account, *, repair: bool = False) -> ObjectStoreDestination:
        # A task makes a client of its own, for 5 ms; a test of thousands of them does better.
        if BUCKET not in self._buckets:
            self._buckets[BUCKET] = bucket_at(account, self.s3.url, self.request_timeout)
        # With one request in flight, a seed gives the same faults to the same documents.
        return ObjectStoreDestination(self._buckets[BUCKET], in_flight=1, waits=FAST, repair=repair)

    def _destination(self, account: Account, slice_: Slice, passes: Passes, *, repair: bool) -> Destination:
        if account.destination.type == "s3":
            return self._bucket(account, repair=repair)
        timeout = self.request_timeout.total_seconds()
        return sumo_logic_destination(
            slice_,
            self.sumo_logic.url,
            WatchedStorage(self.ledger, passes),
            passes,
            timeout=timeout,
            attempts=3,
            repair=repair,
        )


def keys_of(receipt: Receipt, ledger: Any) -> list[str]:
    """Return the keys that a receipt lists, sorted; the receipt must be closed, and its books and its list balanced."""
    counts = receipt.counts
    there = counts.delivered + counts.already_present
    accounted_for = there + sum(counts.filtered.values()) + sum(counts.quarantined.values())
    assert (receipt.state.closed, receipt.gap, counts.counted, counts.listed) == (True, 0, accounted_for, accounted_for)
    items = [item for path in receipt.listed_items for item in items_at(ledger, path)]
    keys = [item.key or "" for item in items if item.is_delivered]
    assert (len(items), len(keys)) == (counts.listed, there)
    return sorted(keys)


def bucket_at(account: Account, url: str, request_timeout: timedelta = timedelta(seconds=60)) -> Bucket:
    """Return the client of the account's bucket at this endpoint."""
    settings: Any = account.destination
    found = access(S3Endpoint(url, "local", "local"), settings.bucket)
    return open_bucket(replace(found, read_timeout=request_timeout.total_seconds()))


def sumo_logic_destination(
    slice_: Slice, url: str, ledger: Any, passes: Passes, *, timeout: float, attempts: int = 8, repair: bool = False
) -> SumoLogicDestination:
    """Return the HTTP source with this URL, without waits between attempts."""
    source = HttpSource(
        endpoint_of(host=None, password=url),
        watched_session(http_session(), passes),
        retries=replace(RETRIES, attempts=attempts),
        timeout=(timeout, timeout),
        sleep=lambda _: None,
    )
    target = target_of(source.endpoint, source.headers)
    return SumoLogicDestination(source, Acknowledgements(ledger, slice_, target, repair=repair))
