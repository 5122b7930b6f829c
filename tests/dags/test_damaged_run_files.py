"""Damaged files in the folder of a run, as a disk or a restored volume has them: no account loses its receipt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.dag_tasks import clear, reconcile, replicate_hour
from tests.support.watched_steps import WatchedSteps

from job_history.errors import PermanentError, TransientError
from job_history.model.window import Window
from job_history_airflow import operators

from .conftest import World
from .test_many_accounts import HOURS, fill_store, receipts


@pytest.fixture(params=[b'{"extr', bytes(40)], ids=["cut", "zeros"])
def damaged_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., None]:
    """Have each file of the name damaged before an operator does this step first."""

    def damage_before(name: str, operator: str, step: str | None = None) -> None:
        execute = getattr(operators, operator).execute
        damaged: list[Path] = []

        def damaging(self: Any, context: Any) -> Any:
            if not damaged and step in {None, getattr(self, "step", None)}:
                damaged.extend((tmp_path / "staging").rglob(name))
                assert damaged
                for path in damaged:
                    path.write_bytes(request.param)
            return execute(self, context)

        monkeypatch.setattr(getattr(operators, operator), "execute", damaging)

    return damage_before


@pytest.fixture(autouse=True)
def accounts(world: World, tmp_path: Path) -> None:
    fill_store(world, tmp_path, range(1, 4), HOURS[:1], jobs=2)
    world.accounts(*(world.account(user_id, "Acme") for user_id in range(1, 4)))


def states(world: World) -> dict[int, str]:
    return {each["user_id"]: each["state"] for each in receipts(world)}


@pytest.mark.promise("receipt-always")
@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("extracted.json", ("ConvoyOperator", "transform")),
        ("transformed.json", ("ConvoyOperator", "load")),
        ("outcome.json", ("CloseOperator",)),
        ("failure.json", ("CloseOperator",)),
        ("extracted.json", ("ExtractOperator",)),
        ("transformed.json", ("TransformOperator",)),
        ("closed_windows.json", ("ReportOperator",)),
        ("closed_windows.jsonl.zst", ("ReportOperator",)),
    ],
)
def test_the_run_does_again_what_a_damaged_file_was_about(
    world: World, steps: WatchedSteps, damaged_before: Callable[..., None], name: str, before: tuple[str, ...]
) -> None:
    if before[0] != "ConvoyOperator":
        steps.errors["load", 2] = TransientError("503")
    damaged_before(name, *before)

    run = replicate_hour(HOURS[0])

    assert run.error is None
    assert states(world) == {1: "complete", 2: "complete", 3: "complete"}
    assert len(world.keys()) == 6


@pytest.mark.parametrize("name", ["outcome.json", "failure.json", "0001-load.progress", "0001-extract.progress"])
def test_a_clear_that_meets_a_damaged_file_ends_well(
    world: World, tmp_path: Path, steps: WatchedSteps, name: str
) -> None:
    steps.errors["transform", 2] = PermanentError("denied")
    run = replicate_hour(HOURS[0])
    assert states(world)[2] == "failed"
    for path in (tmp_path / "staging").rglob(name):
        path.write_bytes(b"{")

    clear(run, "shared.extract")

    assert run.error is None
    assert states(world) == {1: "complete", 2: "complete", 3: "complete"}


def test_accounts_whose_comparison_is_damaged_are_named(damaged_before: Callable[..., None]) -> None:
    assert replicate_hour(HOURS[0]).error is None
    damaged_before("*-found.json", "ReconcileOperator")

    day = reconcile(Window(HOURS[0].start, HOURS[0].end))

    assert all(f"{user_id} Acme" in str(day.error) for user_id in range(1, 4))
