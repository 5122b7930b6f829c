"""Complete windows: closed where the account delivers now, of a source that was read after the window's end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.samples import HOUR, account, receipt_of

from job_history.accounts.account import Account
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_store import add_revision
from job_history.model.event_kind import EventKind
from job_history.model.place import Place
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.pipeline.complete_windows import complete_windows
from job_history.storage import Storage, local_storage

AFTER, BEFORE = (format_time(HOUR.end + timedelta(microseconds=late)) for late in (0, -1))


@pytest.mark.promise("whole-hours", "a-place-is-more-than-a-name")
@pytest.mark.parametrize(
    ("detail", "state"),
    [
        ({}, "complete"),
        ({"state": WindowState.COMPLETE_WITH_QUARANTINE}, None),
        ({"state": WindowState.FAILED}, None),
        ({"state": WindowState.DISABLED}, None),
        ({"destination_hash": "another"}, None),
        # Jobs may have ended after that, and no run has read them.
        ({"read_at": BEFORE}, None),
        ({"read_at": ""}, None),
        # The connection names the bucket, or the HTTP source, and was pointed elsewhere.
        ({"destination": {"type": "s3", "bucket": "another"}}, None),
        # Another store with a bucket of the same name.
        ({"destination": {"type": "s3", "bucket": "acme-audit", "host": "other.example:9000"}}, None),
        ({"destination": {"type": "s3", "bucket": "acme-audit", "host": "minio.example:9000"}}, "complete"),
        # Part of the window's documents went elsewhere.
        (
            {
                "destination": {
                    "type": "s3",
                    "several": [{"type": "s3", "bucket": "acme-audit"}, {"type": "s3", "bucket": "another"}],
                }
            },
            None,
        ),
        ({"destination": {"type": "sumo_logic", "target": "0123456789abcdef"}}, None),
        # Of no jobs a receipt may not know where they would have gone.
        ({"destination": {"type": "s3"}}, "complete"),
    ],
)
def test_missing_only_skips_complete_windows(tmp_path: Path, detail: dict[str, Any], state: str | None) -> None:
    ledger, acme = local_storage(tmp_path), account()
    fields = {"state": WindowState.COMPLETE, "destination_hash": acme.destination_hash, "read_at": AFTER, **detail}
    receipt = receipt_of(**{"destination": {"type": "s3", "bucket": "acme-audit"}, **fields})

    add_revision(ledger, receipt)

    complete = complete_windows(ledger, lambda _: Place("s3", "minio.example:9000", "acme-audit"))
    assert complete(acme, EventKind.JOBS, HOUR).complete_as == state
    assert complete(account(user_id=77), EventKind.JOBS, HOUR).complete_as is None


@pytest.mark.parametrize("error", [TransientError("no token now"), PermanentError("no such connection")])
def test_a_connection_that_cannot_be_looked_up_stops_no_plan_and_is_asked_once(
    tmp_path: Path, error: ReplicationError
) -> None:
    """The plan of all accounts must not fail because the role of one cannot be assumed now."""
    ledger, acme, asked = local_storage(tmp_path), account(), list[int]()
    hours = list(Window(HOUR.start, HOUR.start + timedelta(hours=3)).hours())
    for hour in hours:
        read_at = format_time(hour.end)
        add_revision(ledger, receipt_of(window=hour, destination_hash=acme.destination_hash, read_at=read_at))

    def place(its: Account) -> Place:
        asked.append(its.user_id)
        raise error

    complete = complete_windows(ledger, place)

    assert [complete(acme, EventKind.JOBS, hour).complete_as for hour in hours] == [None] * 3
    assert asked == [acme.user_id]


def test_the_receipts_of_a_day_are_read_by_one_listing_and_a_damaged_one_stops_no_other(tmp_path: Path) -> None:
    acme, storage = account(), CountingStorage(tmp_path)
    hours = list(Window(HOUR.start, HOUR.start + timedelta(days=1)).hours())
    for hour in hours:
        receipt = receipt_of(
            window=hour,
            read_at=format_time(hour.end),
            destination={"type": "s3", "bucket": "acme-audit"},
            destination_hash=acme.destination_hash,
        )
        add_revision(storage, receipt)
    storage.listed = 0

    day = Window(hours[0].start, hours[-1].end)
    complete = complete_windows(storage, lambda _: None, day, [acme])
    assert {complete(acme, EventKind.JOBS, hour).complete_as for hour in hours} == {"complete"}
    assert storage.listed == 1

    storage.write(receipt_path(acme.user_id, EventKind.JOBS, hours[3]), b"{")
    complete = complete_windows(storage, lambda _: None, day, [acme])
    assert complete(acme, EventKind.JOBS, hours[4]).complete_as == "complete"
    with pytest.raises(PermanentError):
        complete(acme, EventKind.JOBS, hours[3])


def test_the_receipts_of_many_accounts_are_read_together(tmp_path: Path) -> None:
    """A plan of ten thousand accounts has half an hour; one request after another takes 30 ms each."""
    accounts = [account(user_id=user_id) for user_id in range(1, 101)]
    ledger = SlowStorage(tmp_path)
    for each in accounts[::2]:
        receipt = receipt_of(
            user_id=each.user_id,
            read_at=AFTER,
            destination={"type": "s3", "bucket": "acme-audit"},
            destination_hash=each.destination_hash,
        )
        add_revision(local_storage(tmp_path), receipt)

    began = time.monotonic()
    complete = complete_windows(ledger, lambda _: None, HOUR, accounts)
    skipped = [each for each in accounts if complete(each, EventKind.JOBS, HOUR).complete_as]

    assert skipped == accounts[::2]
    # The first revision, then a listing of the window if it is there, else a receipt of version 1, and a second
    # revision, because the hour is not of today.
    assert ledger.requests == 250
    assert time.monotonic() - began < 250 * SlowStorage.SECONDS / 4


class SlowStorage(Storage):
    """As a bucket: each request takes its time, and many may be under way."""

    SECONDS = 0.01

    def __init__(self, folder: Path) -> None:
        local = local_storage(folder)
        super().__init__(local.files, local.root)
        self.requests = 0

    @property
    def is_local(self) -> bool:
        return False

    def _wait(self) -> None:
        self.requests += 1
        time.sleep(self.SECONDS)

    def paths(self, below: str) -> Iterator[str]:
        self._wait()
        return super().paths(below)

    def read(self, path: str) -> bytes | None:
        self._wait()
        return super().read(path)


class CountingStorage(Storage):
    def __init__(self, folder: Path) -> None:
        local = local_storage(folder)
        super().__init__(local.files, local.root)
        self.listed = 0

    def paths(self, below: str) -> Iterator[str]:
        self.listed += 1
        return super().paths(below)
