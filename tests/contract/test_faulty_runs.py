"""A run meets a fault that lasts: it is red and its window open, and when the fault is over all is there, once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.job_stores import PostgresStore
from tests.support.runs import Run
from tests.support.scripted_s3 import Answer, Refusal, Reset, Served, Slow, scripted_s3
from tests.support.world import BUCKET, World, accounts_of

from job_history.errors import PermanentError
from job_history.model.window import Window
from simulators.job_store import plain_job
from simulators.postgres import PostgresServer
from simulators.sumo_logic import (
    Fault,
    cut_answer,
    local_source,
    redirect,
    reset_after_ingest,
    reset_before_ingest,
    slow,
    timed_out,
)

S3_USER, SUMO_LOGIC_USER = 5001, 6001
START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
JOBS = 12
# Four jobs make two requests to Sumo Logic.
OUTPUT = f'{{"text":"{"x" * 300_000}"}}'
IMPATIENT = timedelta(seconds=2)  # for every request: long enough for the others on a busy machine

AT_THE_BUCKET: dict[str, Answer] = {
    "400, expired token": Refusal(400, "ExpiredToken", "The provided token has expired."),
    "400, wrong region": Refusal(400, "AuthorizationHeaderMalformed", "expecting 'eu-west-1'", {"Region": "eu-west-1"}),
    "301, wrong region": Refusal(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
    "403": Refusal(403, "AccessDenied"),
    "404": Refusal(404, "NoSuchBucket"),
    "409": Refusal(409, "ConditionalRequestConflict"),
    "412, and nothing there": Refusal(412, "PreconditionFailed"),
    "429": Refusal(429, "TooManyRequests"),
    "500": Refusal(500, "InternalError"),
    "503 SlowDown": Refusal(503, "SlowDown"),
    "connection reset": Reset(),
    "connection reset, the object stored": Reset(after_storing=True),
    "no answer in time, the object stored": Slow(25),
}
AT_SUMO_LOGIC: dict[str, Fault] = {
    **{str(status): Fault(status=status) for status in (400, 401, 403, 404, 413, 425, 429, 500, 502, 503, 504)},
    "301": redirect("http://127.0.0.1:9/elsewhere"),
    "408, half of it stored": timed_out(ingest=0.5),
    "connection reset": reset_before_ingest(),
    "connection reset, the messages stored": reset_after_ingest(),
    "closed within the answer, the messages stored": cut_answer(),
    "no answer in time, the messages stored": slow(25),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with scripted_s3(BUCKET) as s3, local_source() as sumo_logic:
        accounts = accounts_of([S3_USER], [SUMO_LOGIC_USER])
        world = World(tmp_path, accounts, s3, sumo_logic, request_timeout=IMPATIENT)
        fill(world)
        yield world


def fill(world: World) -> None:
    for user_id in (S3_USER, SUMO_LOGIC_USER):
        jobs = [plain_job(user_id, START, user_id * 100 + number) for number in range(JOBS)]
        world.add(job._replace(lines=(job.lines[0], job.lines[1]._replace(output=OUTPUT))) for job in jobs)


def a_task_is_cleared(world: World, run: Run) -> None:
    world.runs().clear(run, "load")


def another_run(world: World, run: Run) -> None:
    world.runs().do(Run("another", HOUR))


RECOVERIES: dict[str, Callable[[World, Run], None]] = {"tried again": a_task_is_cleared, "run again": another_run}


def faults(group: str, named: dict[str, Any], at: str) -> list[object]:
    return [
        pytest.param(fault, recovery, marks=crash_cell(group, name, at, recovery), id=f"{name}-{recovery}")
        for name, fault in named.items()
        for recovery in RECOVERIES
    ]


def ends_red(world: World, run: Run, user_id: int) -> None:
    """The run names the account that failed, whose window is open then; the other account's is not."""
    with pytest.raises(PermanentError, match=f"load of account {user_id} Account {user_id}"):
        world.runs().do(run)
    assert world.open_windows([HOUR]) == [(user_id, HOUR)]


@pytest.mark.promise("crash-matrix")
@pytest.mark.parametrize(("fault", "recovery"), faults("s3", AT_THE_BUCKET, "each request after the sixth"))
def test_at_the_bucket(world: World, fault: Answer, recovery: str) -> None:
    world.s3.answer("PUT", *[Served()] * (JOBS // 2))
    world.s3.always_answer("PUT", fault)
    run = Run("first", HOUR)
    ends_red(world, run, S3_USER)

    world.s3.recover()
    RECOVERIES[recovery](world, run)

    world.assert_nothing_is_missing([HOUR])


@pytest.mark.promise("crash-matrix")
@pytest.mark.parametrize(("fault", "recovery"), faults("sumo_logic", AT_SUMO_LOGIC, "each request after the first"))
def test_at_sumo_logic(world: World, fault: Fault, recovery: str) -> None:
    world.sumo_logic.script([200, *[fault] * 50])
    run = Run("first", HOUR)
    ends_red(world, run, SUMO_LOGIC_USER)

    world.sumo_logic.recover()
    RECOVERIES[recovery](world, run)

    world.assert_nothing_is_missing([HOUR])


def killed_backend(server: PostgresServer, backend: int) -> None:
    """The server ends all its connections, and restarts."""
    os.kill(backend, signal.SIGKILL)


def fast_restart(server: PostgresServer, backend: int) -> None:
    """What a restart in the usual way does to a connection."""
    with server.psycopg_connection() as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (backend,))


@pytest.mark.promise("outages")
@pytest.mark.parametrize(
    "restart",
    [
        pytest.param(
            killed_backend,
            marks=crash_cell(
                "around",
                "a process of the database is killed, and it restarts",
                "within fetch",
                "tried again",
            ),
        ),
        pytest.param(
            fast_restart,
            marks=crash_cell(
                "around", "the database ends the connection, as its restart does", "within fetch", "tried again"
            ),
        ),
    ],
)
def test_a_database_that_restarts_while_it_is_read(
    tmp_path: Path, postgres: PostgresServer, restart: Callable[[PostgresServer, int], None]
) -> None:
    connections: list[psycopg.Connection[Any]] = []
    records = count(1)

    class Watched(PostgresStore):
        def connect(self) -> psycopg.Connection[Any]:
            connections.append(super().connect())
            return connections[-1]

    def passes(place: str) -> None:
        if place == "record" and next(records) == JOBS:
            restart(postgres, connections[-1].info.backend_pid)

    with scripted_s3(BUCKET) as s3, local_source() as sumo_logic:
        world = World(tmp_path, accounts_of([S3_USER], []), s3, sumo_logic)
        world.store = Watched(postgres)
        world.add(plain_job(S3_USER, START, number) for number in range(50 * JOBS))
        # This server need not write a commit down before it acknowledges it, and would forget it in a crash.
        world.store.execute("CHECKPOINT")
        run = Run("first", HOUR)

        # The slice's own chain reads again at once; it fails while the database restarts.
        with suppress(PermanentError):
            world.runs(passes=passes).do(run)
        assert next(records) > JOBS
        until_it_answers(postgres)
        world.runs().clear(run)

        world.assert_nothing_is_missing([HOUR])


def until_it_answers(server: PostgresServer) -> None:
    for _ in range(200):
        try:
            server.psycopg_connection().close()
        except psycopg.OperationalError:
            signal.sigtimedwait([], 0.05)
        else:
            return
    raise AssertionError("the database did not come back in ten seconds")
