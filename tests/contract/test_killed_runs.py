"""A run's process is killed, or meets another run of its window: afterwards all is there, once, and the books are
closed.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from tests.support import sqlite_store
from tests.support.crash_matrix import crash_cell
from tests.support.large_jobs import EXPECTED, START, TAKEN, USER_ID, jobs
from tests.support.oracle import sumo_logic_documents
from tests.support.steps import WHOLE_RUN, Death, Setting, run_steps, start_steps
from tests.support.world import keys_of

from job_history.model.window import Window
from job_history.storage import local_storage
from simulators.s3_endpoint import S3Endpoint
from simulators.sumo_logic import LocalSource, local_source


@pytest.fixture(scope="module")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_store.filled_store(tmp_path_factory.mktemp("store") / "jobs.sqlite", jobs())


@pytest.fixture(scope="module")
def source() -> Iterator[LocalSource]:
    with local_source() as source:
        yield source


@pytest.fixture
def to_s3(tmp_path: Path, filled_store: Path, moto: S3Endpoint) -> Setting:
    bucket = f"acme-{uuid4()}"
    moto.create_bucket(bucket)
    hour = Window(START, START + timedelta(hours=1))
    return Setting.below(tmp_path, filled_store, USER_ID, hour, endpoint_url=moto.url, bucket=bucket)


@pytest.fixture
def to_sumo_logic(to_s3: Setting, source: LocalSource) -> Setting:
    source.reset()
    return replace(to_s3, sumo_logic_url=source.url)


def another_run(setting: Setting) -> Setting:
    results = Path(f"{setting.results}-of-another")
    results.mkdir()
    return replace(setting, run="run-2", results=str(results))


def tried_again(setting: Setting, death: Death) -> None:
    """As Airflow does with a task that was killed, and with those after it."""
    assert run_steps(setting, WHOLE_RUN[WHOLE_RUN.index(death.step) :]) == (0, "")


def run_again(setting: Setting, death: Death) -> None:
    assert run_steps(another_run(setting), WHOLE_RUN) == (0, "")


Recovery = Callable[[Setting, Death], None]
RECOVERIES: dict[str, Recovery] = {"tried again": tried_again, "run again": run_again}


def assert_all_is_reported(setting: Setting) -> None:
    receipt = setting.receipt()
    assert receipt is not None
    assert keys_of(receipt, local_storage(Path(setting.ledger))) == list(EXPECTED)
    assert receipt.counts.filtered == {"aborted": 1}


def assert_all_is_in_the_bucket(setting: Setting, moto: S3Endpoint) -> None:
    client = moto.client()
    versions = client.list_object_versions(Bucket=setting.bucket)["Versions"]
    assert sorted(version["Key"] for version in versions) == list(EXPECTED)
    for key, body in EXPECTED.items():
        assert client.get_object(Bucket=setting.bucket, Key=key)["Body"].read() == body
    assert_all_is_reported(setting)


def assert_all_is_at_sumo_logic(setting: Setting, source: LocalSource) -> None:
    assert sumo_logic_documents(source.messages()) == EXPECTED
    assert_all_is_reported(setting)


def killed(deaths: dict[str, Death], destination: str) -> list[object]:
    return [
        pytest.param(
            death,
            recovery,
            marks=crash_cell("killed", f"{death.step} is killed", f"{place}, to {destination}", recovery),
            id=f"{place}-{recovery}",
        )
        for place, death in deaths.items()
        for recovery in RECOVERIES
    ]


@pytest.mark.promise("crash-matrix")
@pytest.mark.parametrize(
    ("death", "recovery"),
    killed(
        {
            "before list": Death("extract", "before list"),
            "after list": Death("extract", "after list"),
            "before fetch": Death("extract", "before fetch"),
            "after fetch": Death("extract", "after fetch"),
            "before stage": Death("extract", "before stage"),
            "after stage": Death("extract", "after stage"),
            "before transform": Death("transform", "before transform"),
            "after transform": Death("transform", "after transform"),
            "before put": Death("load", "before put", TAKEN // 2),
            "after put": Death("load", "after put", TAKEN // 2),
            "before receipt": Death("report", "before receipt"),
            "after receipt": Death("report", "after receipt"),
        },
        "S3",
    ),
)
def test_to_s3(to_s3: Setting, moto: S3Endpoint, death: Death, recovery: str) -> None:
    assert run_steps(to_s3, WHOLE_RUN, death) == (-signal.SIGKILL, "")

    RECOVERIES[recovery](to_s3, death)

    assert_all_is_in_the_bucket(to_s3, moto)


@pytest.mark.promise("crash-matrix")
@pytest.mark.parametrize(
    ("death", "recovery"),
    killed(
        {
            "before post": Death("load", "before post", 2),
            "after post": Death("load", "after post", 2),
            "before receipt": Death("report", "before receipt"),
            "after receipt": Death("report", "after receipt"),
        },
        "Sumo Logic",
    ),
)
def test_to_sumo_logic(to_sumo_logic: Setting, source: LocalSource, death: Death, recovery: str) -> None:
    assert run_steps(to_sumo_logic, WHOLE_RUN, death) == (-signal.SIGKILL, "")

    RECOVERIES[recovery](to_sumo_logic, death)

    assert_all_is_at_sumo_logic(to_sumo_logic, source)


def at_once(setting: Setting) -> None:
    """Two runs of one window, each in a process of its own."""
    both = [start_steps(each, WHOLE_RUN) for each in (setting, another_run(setting))]
    try:
        assert [steps.ended() for steps in both] == [(0, ""), (0, "")]
    finally:
        for steps in both:
            steps.kill()


@pytest.mark.promise("two-runs-at-once")
@crash_cell("around", "two runs of one window at once", "to S3", "nothing to do")
def test_two_runs_at_once_to_s3(to_s3: Setting, moto: S3Endpoint) -> None:
    at_once(to_s3)

    assert_all_is_in_the_bucket(to_s3, moto)


@pytest.mark.promise("two-runs-at-once")
@crash_cell("around", "two runs of one window at once", "to Sumo Logic", "nothing to do")
def test_two_runs_at_once_to_sumo_logic(to_sumo_logic: Setting, source: LocalSource) -> None:
    at_once(to_sumo_logic)

    assert_all_is_at_sumo_logic(to_sumo_logic, source)
