"""A convoy's step: one slice's failure stops no other, and what an earlier try did is not done again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import msgspec
import pytest
from tests.unit.samples import HOUR, RUN

from job_history.accounts.account import Account
from job_history.errors import PermanentError, TransientError, UnrecoverableError
from job_history.model.slice import Slice
from job_history.pipeline.convoy import Convoy
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.convoy_step import STEP_SECONDS, ConvoyStep, Did
from job_history.pipeline.run_files import RunFiles
from job_history.storage import local_storage


class Made(msgspec.Struct, frozen=True):
    of: int


def account(user_id: int) -> Account:
    return Account.model_validate(
        {
            "user_id": user_id,
            "name": "Acme",
            "source": {"type": "sql", "conn_id": "job_store"},
            "destination": {"type": "s3", "conn_id": "s3", "bucket": "acme-audit"},
            "events": {"job_history": True, "line_details": True},
        }
    )


def slice_of(user_id: int) -> Slice:
    return Slice(run=RUN, user_id=user_id, name="Acme", window=HOUR, part=HOUR)


class World:
    """Three slices of a convoy, and an `extract` that calls what the test gives for an account."""

    def __init__(self, folder: Path) -> None:
        self.staging = local_storage(folder)
        self.files, self.run_files = ConvoyFiles(self.staging, RUN), RunFiles(self.staging, RUN)
        self.convoy = Convoy(RUN, 1, [slice_of(user_id) for user_id in (1, 2, 3)])
        self.worked: list[int] = []
        self.does: dict[int, Callable[[], None]] = {}
        self.now = 0.0
        self.asked_of: Callable[[Account], str] = lambda _: ""

    def run(self) -> list[Did]:
        done: list[Did] = []
        counted = self.step().run(self.convoy, self.files, self.run_files)
        for did, number in counted.items():
            done += [did] * number
        return sorted(done)

    def step(self) -> ConvoyStep:
        return ConvoyStep(
            name="extract",
            work=self._work,
            account_of=account,
            is_done=lambda slice_, _: self.files.result(slice_, "extract", Made) is not None,
            is_ready=lambda _: True,
            save=lambda slice_, of, made: self.files.save_result(slice_, "extract", of.settings_hash, made),
            time_limit=nullcontext,
            reason_of=str,
            asked_of=self.asked_of,
            clock=lambda: self.now,
        )

    def _work(self, slice_: Slice, _account: Account) -> Made:
        self.worked.append(slice_.user_id)
        self.does.get(slice_.user_id, lambda: None)()
        return Made(slice_.user_id)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def raising(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


@pytest.mark.parametrize(
    ("error", "transient", "unrecoverable"),
    [
        (TransientError("the bucket is away"), True, False),
        (ValueError("unexpected"), True, False),
        (PermanentError("no such bucket"), False, False),
        (UnrecoverableError("retention is over"), False, True),
    ],
)
def test_a_failed_slice_leaves_its_reason_and_stops_no_other(
    world: World, error: Exception, transient: bool, unrecoverable: bool
) -> None:
    world.does[2] = raising(error)

    assert world.run() == [Did.DONE, Did.DONE, Did.FAILED]

    failure = world.run_files.failure(slice_of(2))
    assert failure is not None
    assert (failure.step, failure.message) == ("extract", str(error))
    assert (failure.transient, failure.unrecoverable, failure.abandoned) == (transient, unrecoverable, False)
    assert [world.run_files.failure(slice_of(user_id)) for user_id in (1, 3)] == [None, None]


def test_a_try_after_a_kill_skips_what_is_done_and_leaves_what_was_under_way(world: World) -> None:
    world.does[2] = raising(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        world.run()
    world.worked.clear()

    assert world.run() == sorted([Did.DONE_EARLIER, Did.LEFT, Did.DONE])
    assert world.worked == [3]
    failure = world.run_files.failure(slice_of(2))
    assert failure is not None
    assert (failure.transient, failure.abandoned) == (True, True)

    world.worked.clear()
    assert world.run() == sorted([Did.DONE_EARLIER, Did.LEFT, Did.DONE_EARLIER])
    assert world.worked == []


def test_a_later_try_repeats_what_failed(world: World) -> None:
    world.does[2] = raising(PermanentError("no such bucket"))
    world.run()
    world.does.clear()
    world.worked.clear()

    assert world.run() == sorted([Did.DONE_EARLIER, Did.DONE, Did.DONE_EARLIER])
    assert world.worked == [2]
    assert world.run_files.failure(slice_of(2)) is None


def test_after_its_time_limit_a_step_ends_well_and_leaves_the_rest(world: World) -> None:
    def take_long() -> None:
        world.now += STEP_SECONDS + 1

    world.does[2] = take_long

    assert world.run() == sorted([Did.DONE, Did.DONE, Did.LEFT])
    assert world.worked == [1, 2]
    assert world.run_files.failure(slice_of(3)) is None


def test_its_log_has_a_heading_for_each_account_then_a_table_and_a_summary(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.does[2] = raising(PermanentError("no such bucket"))

    world.run()

    assert [message.split()[1] for message in caplog.messages if message.startswith("────")] == ["1", "2", "3"]
    *_, table, summary = caplog.messages
    assert [line.split()[0] for line in table.strip().splitlines()[1:]] == ["1", "2", "3"]
    assert summary.startswith("extract of 3 slices in ")
    assert summary.endswith(": 2 done, 1 failed.")


def test_label_names_the_first_account_and_how_many_others(world: World) -> None:
    assert world.convoy.label == "1 Acme +2"
    assert Convoy(RUN, 1, [slice_of(1), slice_of(1)]).label == "1 Acme"
    assert world.files.convoy(1) is None
    world.files.save([world.convoy])
    assert world.files.convoy(1) == world.convoy


@pytest.mark.promise("no-account-waits")
def test_accounts_of_a_place_that_is_away_are_left_so_that_those_of_others_have_their_turn(world: World) -> None:
    def away() -> None:
        world.now += 120
        raise TransientError("no answer in time")

    world.convoy = Convoy(RUN, 1, [slice_of(user_id) for user_id in range(1, 12)])
    world.asked_of = lambda account: "store dead" if account.user_id < 10 else "store alive"
    world.does = dict.fromkeys(range(1, 10), away)

    assert sorted(world.run()) == sorted([Did.FAILED] * 2 + [Did.AWAY] * 7 + [Did.DONE] * 2)
    assert world.worked == [1, 2, 10, 11]
    assert world.run_files.failure(slice_of(3)) is None


def test_a_place_that_answers_in_between_is_not_away(world: World) -> None:
    """Some accounts of a shared source are slow; the others do not lose their turn for it."""

    def slow() -> None:
        world.now += 120
        raise TransientError("it takes more than 120 s")

    world.convoy = Convoy(RUN, 1, [slice_of(user_id) for user_id in range(1, 8)])
    world.asked_of = lambda _: "source shared"
    world.does = dict.fromkeys((1, 3, 5), slow)

    assert sorted(world.run()) == sorted([Did.FAILED] * 3 + [Did.DONE] * 4)
