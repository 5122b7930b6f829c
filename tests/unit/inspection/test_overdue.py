"""What a monitor of the installation must fail on, by its status file alone."""

from datetime import timedelta

import pytest
from tests.unit.samples import HOUR

from job_history.inspection.overdue import overdue
from job_history.ledger.status_file import AccountStatus, ExpectedBy, OldestOpen, Status
from job_history.model.event_kind import EventKind

NOW = HOUR.end + timedelta(hours=3)
LIMIT = timedelta(hours=2)


def status(**changes: object) -> Status:
    return Status(generated_at=NOW, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("dag", ["replication", "reconciliation"])
def test_a_scheduled_run_that_did_not_report_in_time_is_overdue(dag: str) -> None:
    just_in_time, late = ExpectedBy(**{dag: NOW}), ExpectedBy(**{dag: NOW - timedelta(seconds=1)})

    assert overdue(status(expected_by=just_in_time), NOW, LIMIT) == []
    (sentence,) = overdue(status(expected_by=late), NOW, LIMIT)
    assert f"job_history_{dag}" in sentence


@pytest.mark.parametrize(("hours", "is_overdue"), [(2, True), (3, False)])
def test_a_window_that_needs_a_run_for_too_long_is_overdue_and_named(hours: int, is_overdue: bool) -> None:
    oldest = OldestOpen(5234, EventKind.JOBS, HOUR, 0)
    account = AccountStatus(user_id=5234, name="Acme", kind=EventKind.JOBS)

    found = overdue(status(oldest_open=oldest, open=4, accounts={account.key: account}), NOW, timedelta(hours=hours))

    assert [f"5234 Acme, window {HOUR.start_text}" in each for each in found] == [True] * is_overdue


def test_an_installation_that_only_runs_by_hand_is_never_overdue() -> None:
    assert overdue(status(), NOW, LIMIT) == []
