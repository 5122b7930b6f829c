"""Which open hours an hourly run does: Airflow is asked once for all, and for each only if there is such a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from job_history.errors import TransientError
from job_history.model.window import Window
from job_history_airflow.hourly_runs import hours_of_hourly_runs

NOW = datetime(2018, 5, 21, 12, 30, tzinfo=UTC)


def hour(number: int) -> Window:
    """Return the hour that ended so many hours ago, or a little more."""
    end = NOW.replace(minute=0) - timedelta(hours=number)
    return Window(end - timedelta(hours=1), end)


class TaskInstance:
    """Counts as the API server does: runs of one DAG with these dates and states."""

    def __init__(self, runs: dict[Window, str], error: Exception | None = None) -> None:
        self.runs, self.error = runs, error
        self.asked: list[int] = []

    def get_dr_count(self, *, dag_id: str, logical_dates: list[datetime], states: list[str]) -> int:
        assert dag_id == "job_history_replication"
        assert logical_dates  # an empty list counts every run
        self.asked.append(len(logical_dates))
        if self.error is not None:
            raise self.error
        return sum(hour.start in logical_dates and state in states for hour, state in self.runs.items())


@pytest.mark.promise("hourly-runs-first")
def test_a_running_run_keeps_its_hour_and_a_queued_one_only_for_six_hours() -> None:
    runs = {hour(1): "queued", hour(5): "queued", hour(6): "queued", hour(900): "running", hour(2): "failed"}
    task = TaskInstance(runs)

    found = hours_of_hourly_runs(task, {*runs, hour(3), hour(700)}, NOW)

    assert found == {hour(1), hour(5), hour(900)}


@pytest.mark.promise("hourly-runs-first")
def test_airflow_is_asked_once_for_all_hours_if_no_run_does_one() -> None:
    task = TaskInstance({hour(90): "running"})

    assert hours_of_hourly_runs(task, {hour(number) for number in range(10, 60)}, NOW) == set()
    assert task.asked == [50]
    assert hours_of_hourly_runs(task, set(), NOW) == set()


def test_the_dates_of_a_month_are_asked_in_urls_that_a_proxy_takes() -> None:
    task = TaskInstance({})

    hours_of_hourly_runs(task, {hour(number) for number in range(10, 754)}, NOW)

    assert max(task.asked) == 100
    assert sum(task.asked) == 744


def test_an_api_server_that_cannot_answer_is_no_answer() -> None:
    error = AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR))

    with pytest.raises(TransientError):
        hours_of_hourly_runs(TaskInstance({}, error), {hour(1)}, NOW)
