"""The time limit of a slice, inside the one that Airflow has set for its task."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from tests.support.deliveries import access, document
from tests.support.sockets import silent_server

from job_history.destinations.object_store import ObjectStoreDestination
from job_history.errors import TransientError
from job_history.storage.s3.open_bucket import open_bucket
from job_history_airflow.operators.slice_time_limit import _OverError, slice_time_limit
from simulators.s3_endpoint import S3Endpoint


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


def test_code_that_tries_again_after_an_error_does_not_swallow_the_limit(timer: None) -> None:
    """As an upload does, which has further attempts of its own; or logging, whose handlers report any Exception."""
    with pytest.raises(TransientError), slice_time_limit(0.05):
        while True:
            with suppress(Exception):
                time.sleep(5)


def test_the_limit_comes_again_if_code_that_cannot_raise_has_swallowed_it(
    timer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sleepy:
        def __del__(self) -> None:
            time.sleep(0.2)

    monkeypatch.setattr("job_history_airflow.operators.slice_time_limit.AGAIN_SECONDS", 0.3)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    with pytest.raises(TransientError), slice_time_limit(0.05):
        Sleepy()
        time.sleep(5)


@pytest.mark.parametrize("transport", ["auto", "boto3"])
@pytest.mark.parametrize("limited", ["slice", "task"])
def test_uploads_to_a_bucket_that_does_not_answer_are_ended(timer: None, transport: Any, limited: str) -> None:
    """All of them wait for the network: no code runs that a signal could end."""
    began = time.monotonic()
    with silent_server() as port:
        endpoint = S3Endpoint(f"http://127.0.0.1:{port}")
        bucket = open_bucket(access(endpoint, "acme-audit", transport=transport))
        if limited == "task":
            signal.setitimer(signal.ITIMER_REAL, 1)
        with pytest.raises(TransientError if limited == "slice" else TaskTimeoutError), slice_time_limit(1.5):
            ObjectStoreDestination(bucket, in_flight=4).deliver(
                iter([document(number) for number in range(1, 4)]), lambda *_: None
            )

    assert time.monotonic() - began < 10


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_uploads_under_way_are_ended(timer: None, run: Callable[[Any], None]) -> None:
    async def upload(seconds: float) -> None:
        while True:
            with suppress(TransientError):
                await asyncio.sleep(seconds)
                sum(range(10_000))

    async def uploads() -> None:
        async with asyncio.TaskGroup() as group:
            for seconds in (0, 0, 60):
                group.create_task(upload(seconds))

    began = time.monotonic()
    with pytest.raises(TransientError), slice_time_limit(0.3):
        run(uploads())

    assert time.monotonic() - began < 5


def test_the_limit_of_the_task_holds_if_a_slice_goes_on_after_its_own(
    timer: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_history_airflow.operators.slice_time_limit.AGAIN_SECONDS", 0.1)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    with pytest.raises(TaskTimeoutError), slice_time_limit(0.1):
        while True:
            with suppress(_OverError):
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
