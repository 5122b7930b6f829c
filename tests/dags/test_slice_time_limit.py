"""The time limit of a slice, inside the one that Airflow has set for its task."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from job_history.errors import TransientError
from job_history_airflow.operators.slice_time_limit import slice_time_limit


class TaskTimeoutError(BaseException):
    """As Airflow's own."""


@pytest.fixture
def timer() -> Iterator[None]:
    def end(*_: object) -> None:
        raise TaskTimeoutError

    handler = signal.signal(signal.SIGALRM, end)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, handler)


def test_a_slice_that_takes_too_long_is_ended(timer: None) -> None:
    with pytest.raises(TransientError), slice_time_limit(0.05):
        time.sleep(5)


def test_the_limit_of_the_task_goes_on_after_a_slice(timer: None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with slice_time_limit(0.2):
        time.sleep(0.05)
    remaining, _ = signal.getitimer(signal.ITIMER_REAL)

    assert 0 < remaining <= 0.25
    with pytest.raises(TaskTimeoutError):
        time.sleep(5)


def test_the_limit_of_the_task_ends_a_slice_that_is_under_way(timer: None) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    with pytest.raises(TaskTimeoutError), slice_time_limit(5):
        time.sleep(5)


def test_without_a_limit_of_the_task_none_is_left(timer: None) -> None:
    with slice_time_limit(5):
        pass

    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
