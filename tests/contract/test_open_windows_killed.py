"""Kills around the marks of open windows: a mark may be left over, and none is ever missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock

import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.mortal_storage import KilledError
from tests.support.runs import Run
from tests.support.scripted_s3 import ScriptedS3, scripted_s3
from tests.support.world import BUCKET, World, accounts_of

from job_history.errors import PermanentError, TransientError
from job_history.ledger.open_windows import OpenWindow, OpenWindows
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from simulators.job_store import plain_job
from simulators.sumo_logic import LocalSource, local_source

USER = 5001
START = datetime(2018, 5, 21, tzinfo=UTC)
HOURS = list(Window(START, START + timedelta(hours=3)).hours())
NEXT_DAY = Window(START + timedelta(days=1), START + timedelta(days=1, hours=1))


@pytest.fixture(scope="module")
def endpoints() -> Iterator[tuple[ScriptedS3, LocalSource]]:
    with scripted_s3(BUCKET) as s3, local_source() as sumo_logic:
        yield s3, sumo_logic


@pytest.fixture
def world(tmp_path: Path, endpoints: tuple[ScriptedS3, LocalSource]) -> World:
    for endpoint in endpoints:
        endpoint.reset()
    world = World(tmp_path, accounts_of([USER], []), *endpoints)
    for number, hour in enumerate(HOURS, start=1):
        began, ended = (f"{hour.start + timedelta(minutes=at):%Y-%m-%dT%H:%M:%SZ}" for at in (5, 10))
        world.add([plain_job(USER, START, number)._replace(started_at=began, completed_at=ended)])
    return world


def run(
    world: World, window: Window, *, mode: str = "missing_only", passes: Callable[[str], None] = lambda _: None
) -> str:
    """Do a run, and return its problems, or that it was killed."""
    name = f"{mode}-{window.slug}-{datetime.now(UTC).timestamp()}"
    try:
        world.runs(passes=passes).do(Run(name, window, mode=mode, kinds=("s3",)))
    except KilledError:
        return "killed"
    except PermanentError as failed:
        return str(failed)
    return ""


def kill_at(place: str, times: int = 1) -> Callable[[str], None]:
    """Die at this place: all threads of the process, so that none passes another place after it."""
    left = [times]
    turn = Lock()

    def passes(passed: str) -> None:
        with turn:
            left[0] -= place in passed
            if left[0] <= 0:
                raise KilledError(place)

    return passes


def marks(world: World) -> set[OpenWindow]:
    return OpenWindows(world.ledger).windows


@pytest.mark.promise("open-windows", "crash-matrix")
@pytest.mark.parametrize(
    "times",
    [
        pytest.param(
            1, marks=crash_cell("killed", "the reconciliation", "between two marks of open windows", "run again")
        ),
        *range(2, 7),
    ],
)
def test_a_reconciliation_killed_between_two_marks_is_made_up_for_by_the_next(world: World, times: int) -> None:
    day = Window(HOURS[0].start, HOURS[-1].end)
    with suppress(PermanentError):
        run(world, day, mode="reconciliation", passes=kill_at(f"{START:%Y%m%d}T", times))
    assert world.s3.objects == {}

    assert run(world, day, mode="reconciliation") == ""

    world.assert_nothing_is_missing(HOURS)
    assert marks(world) == set()


@pytest.mark.promise("open-windows", "crash-matrix")
@pytest.mark.parametrize(
    "place",
    [
        pytest.param(place, marks=crash_cell("killed", "the report of a failed hour", at, "the next reconciliation"))
        for place, at in {
            "after 20180521T": "after its mark",
            "before receipt": "between its mark and its receipt",
            "after receipt": "after its receipt",
        }.items()
    ],
)
def test_a_failed_hour_is_run_by_a_later_reconciliation_wherever_its_report_is_killed(world: World, place: str) -> None:
    def away() -> None:
        raise TransientError("The database is away.")

    world.source_fault = away
    assert run(world, HOURS[0], passes=kill_at(place)) == "killed"
    assert marks(world) == {OpenWindow(USER, EventKind.JOBS, HOURS[0])}
    world.source_fault = lambda: None

    assert run(world, NEXT_DAY, mode="reconciliation") == ""

    assert len(world.s3.objects) == 1
    assert marks(world) == set()


@pytest.mark.promise("open-windows", "crash-matrix")
@crash_cell(
    "killed", "the report of an open hour that is closed", "before its mark is deleted", "the next reconciliation"
)
def test_the_mark_that_a_killed_report_left_over_is_deleted(world: World) -> None:
    OpenWindows(world.ledger).mark([OpenWindow(USER, EventKind.JOBS, HOURS[0])])
    assert run(world, HOURS[0], passes=kill_at("after receipt")) == "killed"
    assert len(marks(world)) == 1

    assert run(world, NEXT_DAY, mode="reconciliation") == ""

    assert marks(world) == set()
    assert (len(world.s3.objects), max(world.s3.writes.values())) == (1, 1)
