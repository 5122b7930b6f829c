"""Tasks of a run that a user clears: what they do again, and what they leave alone."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.dag_tasks import clear, replicate_hour
from tests.support.mortal_storage import KilledError
from tests.support.watched_steps import WatchedSteps

from job_history.errors import PermanentError, TransientError
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.storage import local_storage
from job_history_airflow.operators import ExtractOperator
from job_history_airflow.operators.chain import slices_of

from .conftest import World, show
from .test_many_accounts import HOURS, fill_store, receipts


def failing() -> None:
    raise TransientError("503")


@pytest.fixture
def three_accounts(world: World, tmp_path: Path) -> World:
    fill_store(world, tmp_path, range(1, 4), HOURS[:1], jobs=2)
    world.accounts(*(world.account(user_id, "Acme") for user_id in (1, 2, 3)))
    return world


@pytest.mark.promise("cleared-tasks")
def test_a_run_that_is_cleared_reads_the_source_again(world: World, store: Path) -> None:
    world.accounts(world.account(5234, "Acme"))
    run = replicate_hour(HOURS[0], mode="repair")
    before = world.keys()
    show(store, 5234, 777_777)

    clear(run, "plan")

    assert (run.error, run.returned["delivered"], run.returned["already_present"]) == (None, 1, len(before))
    assert len(world.keys()) == len(before) + 1


@pytest.mark.promise("cleared-tasks")
@pytest.mark.parametrize(
    ("step", "task"),
    [("extract", "shared.extract"), ("transform", "shared.extract"), ("load", "shared.load"), ("load", "close")],
)
def test_cleared_tasks_leave_slices_alone_that_a_task_of_their_own_has_done(
    three_accounts: World, steps: WatchedSteps, step: str, task: str
) -> None:
    """Tasks of their own did what a killed convoy left: staged files are deleted, and some results are not there."""
    steps.errors[step, 2] = KilledError(step)
    run = replicate_hour(HOURS[0])
    assert run.error is None
    steps.worked.clear()

    clear(run, task)

    assert (run.error, steps.worked, run.chains) == (None, [], [])
    assert {each["state"] for each in receipts(three_accounts)} == {"complete"}


@pytest.mark.promise("cleared-tasks")
@pytest.mark.parametrize("step", ["extract", "transform", "load"])
def test_a_cleared_task_does_again_what_failed_for_good_in_it_or_later(
    three_accounts: World, steps: WatchedSteps, step: str
) -> None:
    steps.errors[step, 2] = PermanentError("its bucket, or a staged file, was not there")
    run = replicate_hour(HOURS[0])
    assert "account 2 Acme" in str(run.error)
    steps.worked.clear()

    clear(run, f"shared.{step}")

    assert run.error is None
    assert {user_id for _, user_id in steps.worked} == {2}

    # From the first step on, all steps are done again: the source may have been what they failed on.
    again = replicate_hour(HOURS[0], "again", mode="repair")
    steps.errors[step, 2] = PermanentError("again")
    clear(again, "plan")
    steps.worked.clear()
    clear(again, "shared.extract")
    assert (again.error, steps.times(2), steps.times(1)) == (None, [1, 1, 1], [0, 0, 0])


@pytest.mark.promise("cleared-tasks")
def test_a_staged_file_that_is_gone_is_made_again_by_the_cleared_extract(
    three_accounts: World, steps: WatchedSteps, tmp_path: Path
) -> None:
    def lose(*_: object) -> None:
        next((tmp_path / "staging").rglob("2/jobs/*/*/jobs.jsonl.zst")).unlink()

    steps.before["transform", 2] = lose
    run = replicate_hour(HOURS[0])
    assert "account 2 Acme" in str(run.error)

    clear(run, "shared.extract")

    assert (run.error, run.returned["delivered"]) == (None, 6)


@pytest.mark.promise("cleared-tasks")
def test_a_cleared_load_leaves_a_closed_window_alone_whose_settings_were_changed(
    three_accounts: World, steps: WatchedSteps
) -> None:
    steps.errors["load", 3] = PermanentError("no such bucket")
    run = replicate_hour(HOURS[0])
    renamed = three_accounts.account(2, "Acme Europe")
    three_accounts.accounts(three_accounts.account(1, "Acme"), renamed, three_accounts.account(3, "Acme"))
    steps.worked.clear()

    clear(run, "shared.load")

    assert (run.error, steps.worked) == (None, [("load", 3)])


@pytest.mark.promise("no-second-extract")
@pytest.mark.parametrize(("cleared", "times"), [("plan", [1, 1, 2]), ("shared.load", [0, 0, 1]), ("close", [0, 0, 1])])
def test_after_a_clear_a_task_of_its_own_goes_on_with_what_the_convoy_has_made(
    three_accounts: World, steps: WatchedSteps, cleared: str, times: list[int]
) -> None:
    steps.errors["load", 2] = TransientError("503")
    steps.before["load", 2] = failing
    run = replicate_hour(HOURS[0], mode="repair")
    assert "account 2 Acme" in str(run.error)
    assert steps.times(2) == [1, 1, 2]
    steps.worked.clear()
    if cleared == "plan":
        steps.errors["load", 2] = TransientError("503")

    clear(run, cleared)

    assert (run.error, steps.times(2)) == (None, times)


@pytest.mark.promise("cleared-tasks")
def test_a_task_of_its_own_that_is_cleared_alone_reads_the_source_again(
    three_accounts: World, steps: WatchedSteps
) -> None:
    steps.errors["load", 2] = TransientError("503")
    run = replicate_hour(HOURS[0])
    assert (run.error, steps.times(2)) == (None, [1, 1, 2])
    [entry] = run.chains

    ExtractOperator(task_id="single.extract", slice=entry).execute(run.context)

    assert steps.times(2) == [2, 1, 2]


@pytest.mark.promise("small-xcom")
def test_what_close_returns_beyond_the_map_length_does_not_grow_with_the_slices(
    world: World, tmp_path: Path, settings: SimpleNamespace
) -> None:
    fill_store(world, tmp_path, range(1, 31), HOURS[:1], jobs=2)
    world.accounts(*(world.account(user_id, f"Account {user_id}") for user_id in range(1, 31)))
    settings.core(max_map_length=2)
    settings.ours(max_jobs_per_convoy=0)

    run = replicate_hour(HOURS[0])

    assert (run.error, run.returned["delivered"]) == (None, 60)
    assert [entry["label"].endswith(" +14") for entry in run.chains] == [True, True]
    assert all(len(json.dumps(entry)) < 500 for entry in run.chains)


def test_a_chain_whose_slices_are_gone_says_which_task_to_clear(
    three_accounts: World, settings: SimpleNamespace, tmp_path: Path
) -> None:
    settings.core(max_map_length=1)
    settings.ours(max_jobs_per_convoy=0)
    [entry] = replicate_hour(HOURS[0]).chains
    staging = local_storage(tmp_path / "staging")
    staging.delete(f"runs/{entry['run']}/chains.json")

    with pytest.raises(PermanentError, match="Clear the run's `close`"):
        slices_of(entry, staging)


def test_chains_of_an_earlier_try_are_forgotten(
    three_accounts: World, steps: WatchedSteps, settings: SimpleNamespace, tmp_path: Path
) -> None:
    """Else the page of a window leads to the log of another account's task."""
    settings.core(max_map_length=1)
    settings.ours(max_jobs_per_convoy=0)
    steps.errors["extract", 3] = TransientError("away")
    run = replicate_hour(HOURS[0])
    files = ConvoyFiles(local_storage(tmp_path / "staging"), run.chains[0]["run"])
    assert [len(chain) for chain in files.chains()] == [3]

    clear(run, "close")

    assert (run.error, len(run.chains)) == (None, 1)
    assert [[slice_.user_id for slice_ in chain] for chain in files.chains()] == [[3]]
