"""A report records on top of what its plan saw, and gets the same result if that is out of date."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.ledger.test_revisions import FOLDER, documents, listed, newest, reading, report, version_1
from tests.unit.samples import HOUR

from job_history.ledger.receipt_files import ReceiptFiles
from job_history.ledger.receipt_history import read_history
from job_history.ledger.receipt_store import look_up_receipt, record
from job_history.model.event_kind import EventKind
from job_history.storage import Storage, local_storage

LEDGERS: dict[str, Callable[[Storage], None]] = {
    "nothing": lambda _: None,
    "one revision": lambda ledger: _revisions(ledger, 1),
    "three revisions": lambda ledger: _revisions(ledger, 3),
    "version 1": lambda ledger: _version_1(ledger, 5),
    "version 1 and a revision": lambda ledger: (_version_1(ledger, 5), _revisions(ledger, 1)),
    "a revision and a rolled back release": lambda ledger: (_revisions(ledger, 2), _version_1(ledger, 30)),
}
SEEN = [ReceiptFiles(FOLDER, revision, has) for revision in (0, 1, 2, 3, 9) for has in (False, True)]


def _revisions(ledger: Storage, number: int) -> None:
    for each in range(number):
        report(ledger, f"run-{each}", [1, 2 + each], minute=10 + each)


def _version_1(ledger: Storage, minute: int) -> None:
    version_1(ledger, reading("old", 2, items=[listed(ledger, [7, 8])], minute=minute))


def _recorded(folder: Path, state: str, seen: ReceiptFiles | None) -> tuple[set[str], set[int], int]:
    """Return what the record has in the end: runs, documents, and what the newest reading listed.

    A release before may write between plan and report: what it wrote is a reading beside the revisions then.
    """
    ledger = local_storage(folder)
    LEDGERS[state](ledger)
    record(ledger, reading("own", 2, items=[listed(ledger, [2, 3])], minute=40), seen=seen)
    receipt = newest(ledger)
    revisions = [each.revision for each in read_history(ledger, 5234, EventKind.JOBS, HOUR) if each.revision]
    assert revisions == list(range(1, len(revisions) + 1))
    return {entry.run for entry in receipt.runs}, documents(ledger), receipt.counts.listed


@pytest.mark.promise("receipts-are-revisions", "version-1-ledger")
@pytest.mark.parametrize("state", LEDGERS)
def test_a_plan_that_saw_other_files_loses_nothing(tmp_path: Path, state: str) -> None:
    expected = _recorded(tmp_path / "unseen", state, None)
    for number, seen in enumerate(SEEN):
        assert _recorded(tmp_path / str(number), state, seen) == expected, seen


class _Counting:
    """A storage that counts what is asked of it."""

    is_local = True

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        if name in {"read", "create", "paths"}:
            self.asked[name] += 1
        return getattr(self._storage, name)


@pytest.mark.parametrize(
    ("state", "asked"),
    [
        ("nothing", {"create": 1}),
        ("one revision", {"read": 1, "create": 1}),
        ("three revisions", {"read": 1, "create": 1}),
    ],
)
def test_a_report_asks_only_for_what_its_plan_saw(tmp_path: Path, state: str, asked: dict[str, int]) -> None:
    ledger = local_storage(tmp_path)
    LEDGERS[state](ledger)
    seen, _ = look_up_receipt(ledger, 5234, EventKind.JOBS, HOUR)
    counting: Any = _Counting(ledger)

    record(counting, reading("own", 0, minute=40, state=reading("own").state), seen=seen)

    lists = counting.asked["read"] - asked.get("read", 0)  # of the earlier receipt, to carry them forward
    assert counting.asked - Counter(read=lists) == Counter(asked)
