"""Receipts of many accounts are read together: a listing for each account and day, and errors for each account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.unit.samples import DAY, receipt_of

from job_history.errors import PermanentError, ReplicationError
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_store import add_revision
from job_history.ledger.receipts_in_bulk import AskedReceipts, read_receipts_in_bulk
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage, local_storage

HOURS = [Window(DAY + timedelta(hours=number), DAY + timedelta(hours=number + 1)) for number in range(30)]


class CountedRequests(Storage):
    def __init__(self, storage: Storage) -> None:
        super().__init__(storage.files, storage.root)
        self.requests: Counter[str] = Counter()

    def paths(self, below: str) -> Iterator[str]:
        self.requests["LIST"] += 1
        return super().paths(below)

    def read(self, path: str) -> bytes | None:
        self.requests["GET"] += 1
        return super().read(path)


@pytest.fixture
def ledger(tmp_path: Path) -> CountedRequests:
    return CountedRequests(local_storage(tmp_path))


def asked(*user_ids: int) -> list[AskedReceipts]:
    return [AskedReceipts(user_id, EventKind.JOBS, HOURS) for user_id in user_ids]


def test_one_listing_reads_the_day_of_an_account(ledger: CountedRequests) -> None:
    written = {
        (user_id, hour): add_revision(ledger, receipt_of(WindowState.COMPLETE, user_id=user_id, window=HOURS[hour]))
        for user_id, hour in [(1, 0), (1, 29), (2, 3)]
    }
    ledger.requests.clear()

    first, second, third = read_receipts_in_bulk(ledger, asked(1, 2, 3))

    assert first == [written.get((1, hour)) for hour in range(30)]
    assert second == [written.get((2, hour)) for hour in range(30)]
    assert third == [None] * 30
    assert ledger.requests == {"LIST": 3 * 2, "GET": 3}


def test_a_damaged_receipt_is_an_error_of_its_account_alone(ledger: CountedRequests) -> None:
    good = add_revision(ledger, receipt_of(WindowState.COMPLETE, user_id=2, window=HOURS[0]))
    ledger.write(receipt_path(1, EventKind.JOBS, HOURS[0]), b"no receipt")

    damaged, other = read_receipts_in_bulk(ledger, asked(1, 2))

    assert isinstance(damaged, PermanentError)
    assert other == [good, *[None] * 29]


def test_a_day_that_cannot_be_listed_is_not_taken_for_an_empty_one(ledger: CountedRequests) -> None:
    class Refusing(CountedRequests):
        def paths(self, below: str) -> Iterator[str]:
            if below.startswith("receipts/1/"):
                raise PermanentError("The store refuses to list.")
            return super().paths(below)

    refused, other = read_receipts_in_bulk(Refusing(ledger), asked(1, 2))

    assert isinstance(refused, ReplicationError)
    assert other == [None] * 30
