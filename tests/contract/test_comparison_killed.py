"""Kills of a reconciliation's task: wherever it ends, another try finds what one that was not killed finds."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.mortal_storage import KilledError, Life, MortalStorage
from tests.unit.samples import DAY, MemorySource, account, receipt_of, record

from job_history.ledger.open_windows import OpenWindows
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_store import add_revision
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.pipeline import compare_accounts
from job_history.pipeline.compare_accounts import CompareAccounts
from job_history.pipeline.comparison_files import AccountToCompare, Comparison, ComparisonFiles, Progress
from job_history.reconciliation.compare import Comparing
from job_history.reconciliation.findings import WindowFinding
from job_history.storage import Storage, local_storage

HOURS = Window(DAY, DAY + timedelta(hours=3))
ACCOUNTS = [account(user_id=number, name="A") for number in range(1, 7)]
COMPARISON = Comparison(1, HOURS, [AccountToCompare(each.user_id, each.name) for each in ACCOUNTS])
FOREVER = 1_000_000


def fill(ledger: Storage) -> None:
    """Each account has a complete hour whose source lists a job more, an hour that failed, and one that is open."""
    for each in ACCOUNTS:
        for state, hour in zip((WindowState.COMPLETE, WindowState.FAILED), HOURS.hours(), strict=False):
            add_revision(ledger, receipt_of(state, user_id=each.user_id, window=hour))


def compare(folder: Path, life: Life) -> Progress:
    staging, ledger = MortalStorage(folder / "staging", life), MortalStorage(folder / "ledger", life)
    source: Any = MemorySource([record(job_id=7, completed_at=format_time(DAY + timedelta(minutes=5)))])
    comparing = Comparing(
        destination="s3",
        hours=HOURS,
        ledger=ledger,
        source_of=lambda _account, _kind: source,
        bucket_of=None,
        marks=OpenWindows(ledger),
    )
    files = ComparisonFiles(staging, "run")
    return CompareAccounts(files=files, comparing_of=lambda _: comparing).run(COMPARISON, ACCOUNTS)


def windows(progress: Progress) -> list[WindowFinding]:
    return sorted(progress.found["s3"].windows, key=lambda each: (each.user_id, each.window))


@pytest.mark.promise("reconciliation-in-convoys", "crash-matrix")
@crash_cell("killed", "a comparison of the reconciliation", "before and after each of its writes", "tried again")
def test_a_comparison_killed_at_any_write_finds_all_when_it_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_accounts, "ACCOUNTS_A_GROUP", 2)
    fill(local_storage(tmp_path / "undisturbed" / "ledger"))
    undisturbed = compare(tmp_path / "undisturbed", Life(FOREVER))
    assert len(windows(undisturbed)) == len(ACCOUNTS) * 3

    for steps in count(1):
        folder = tmp_path / str(steps)
        fill(local_storage(folder / "ledger"))
        try:
            compare(folder, Life(steps))
        except KilledError:
            again = compare(folder, Life(FOREVER))
            assert windows(again) == windows(undisturbed)
            assert sorted(again.done) == [each.user_id for each in ACCOUNTS]
            assert len(OpenWindows(local_storage(folder / "ledger")).windows) == len(ACCOUNTS) * 2
        else:
            break
    assert steps > 2 * len(ACCOUNTS)
