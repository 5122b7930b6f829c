"""When quarantine is more than a record here and there."""

from __future__ import annotations

import pytest
from tests.unit.samples import receipt_of

from job_history.ledger.receipt import Counts, Receipt, WindowState
from job_history.pipeline.quarantine_threshold import over_threshold


def receipt(listed: int, **quarantined: int) -> Receipt:
    counts = Counts(counted=listed, listed=listed, quarantined=quarantined)
    return receipt_of(WindowState.COMPLETE_WITH_QUARANTINE, counts=counts)


@pytest.mark.promise("quarantine-threshold")
@pytest.mark.parametrize(
    ("listed", "quarantined", "percent", "too_much"),
    [
        (100, 10, 10, False),
        (100, 11, 10, True),
        (99, 10, 10, True),
        (9, 9, 10, False),
        (10, 10, 10, True),
        (10, 10, 100, False),
        (1_000, 1, 0, True),
        (1_000, 0, 0, False),
    ],
)
def test_when_a_window_has_too_much_in_quarantine(listed: int, quarantined: int, percent: int, too_much: bool) -> None:
    assert bool(over_threshold(receipt(listed, bad_json=quarantined), percent)) is too_much


def test_conflicts_are_another_matter() -> None:
    assert over_threshold(receipt(100, conflict=90, bad_id=5), 10) == []


def test_the_message_names_account_window_and_reasons() -> None:
    assert over_threshold(receipt(40, bad_json=10, bad_id=2, conflict=1), 10) == [
        "Account 5234 Acme, window 2018-05-21T00:00:00Z: of 40 listed jobs, in quarantine 12 (bad_json 10, bad_id 2), "
        "more than [job_history] quarantine_threshold allows (10 percent). The others were delivered. Fix what the "
        "entries report and run the window again; if the source no longer holds them, use `job-history redrive`."
    ]
