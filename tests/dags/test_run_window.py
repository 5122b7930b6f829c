"""Which hours a run is about, by its parameters and the moment that it was due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.api.datamodels._generated import DagRunType

from job_history.errors import PermanentError
from job_history.ledger.status_file import ExpectedBy
from job_history.model.window import Window
from job_history_airflow.run_window import expected_by, look_back_of

AT = datetime(2018, 5, 21, 5, 20, tzinfo=UTC)
SETTLE, LOOKBACK = timedelta(minutes=10), timedelta(hours=2)


def looked_back(
    *,
    at: datetime = AT,
    start: str | None = None,
    end: str | None = None,
    start_date: datetime | None = None,
    until: datetime | None = None,
) -> Window:
    due = SimpleNamespace(data_interval_start=None, data_interval_end=None, run_after=at)
    params = {"window_start": start, "window_end": end}
    return look_back_of(due, params, settle=SETTLE, lookback=LOOKBACK, start_date=start_date, reconciled_until=until)


def test_it_leaves_the_newest_hour_to_its_own_run() -> None:
    assert looked_back() == Window(AT.replace(day=20, hour=2, minute=0), AT.replace(hour=4, minute=0))


@pytest.mark.parametrize(
    ("start_date", "first"),
    [
        (AT.replace(day=1), AT.replace(day=20, hour=2, minute=0)),
        (AT.replace(hour=1, minute=0), AT.replace(hour=1, minute=0)),
        (AT.replace(hour=1, minute=1), AT.replace(hour=2, minute=0)),
        (AT, AT.replace(hour=3, minute=0)),
    ],
)
def test_reconciliation_compares_no_hour_before_start_date_but_always_one(
    start_date: datetime, first: datetime
) -> None:
    assert looked_back(start_date=start_date) == Window(first, AT.replace(hour=4, minute=0))


@pytest.mark.promise("open-windows")
@pytest.mark.parametrize(
    ("until", "first"),
    [
        (AT, AT.replace(day=20, hour=2, minute=0)),
        (AT.replace(day=15, hour=4, minute=0), AT.replace(day=15, hour=4, minute=0) - LOOKBACK),
        (AT.replace(month=1), AT.replace(hour=4, minute=0) - timedelta(days=31)),
    ],
)
def test_each_hour_is_compared_once_it_is_as_old_as_the_look_back_although_days_had_no_reconciliation(
    until: datetime, first: datetime
) -> None:
    assert looked_back(until=until) == Window(first, AT.replace(hour=4, minute=0))


@pytest.mark.promise("whole-hours")
@pytest.mark.parametrize(("minute", "last"), [(9, 4), (10, 5)])
def test_of_the_requested_hours_only_settled_ones_are_compared(minute: int, last: int) -> None:
    asked = looked_back(at=AT.replace(minute=minute), start="2018-05-21T03:00:00Z", end="2030-01-01T00:00:00Z")

    assert asked == Window(AT.replace(hour=3, minute=0), AT.replace(hour=last, minute=0))


def test_a_window_of_which_nothing_has_settled_is_not_compared() -> None:
    with pytest.raises(PermanentError) as refused:
        looked_back(start="2018-05-21T05:00:00Z", end="2018-05-21T06:00:00Z")

    assert str(refused.value) == (
        "Nothing of the window [2018-05-21T05:00:00Z, 2018-05-21T06:00:00Z) has settled yet, so there is nothing to "
        "compare. Ask for hours that ended by 2018-05-21T05:00:00Z."
    )


@pytest.mark.parametrize(
    ("run_type", "dag_id", "hours", "expected"),
    [
        ("scheduled", "job_history_replication", 1, ExpectedBy(replication=AT + timedelta(hours=2) + SETTLE)),
        ("scheduled", "job_history_reconciliation", 24, ExpectedBy(reconciliation=AT + timedelta(hours=25) + SETTLE)),
        ("manual", "job_history_replication", 1, ExpectedBy()),
        ("backfill", "job_history_replication", 1, ExpectedBy()),
    ],
)
def test_only_a_scheduled_run_moves_the_moment_by_which_the_next_must_have_reported(
    run_type: str, dag_id: str, hours: int, expected: ExpectedBy
) -> None:
    run = SimpleNamespace(
        dag_id=dag_id,
        run_type=DagRunType(run_type),
        data_interval_start=AT - timedelta(hours=hours),
        data_interval_end=AT,
        run_after=AT,
    )

    assert expected_by(run, SETTLE) == expected
