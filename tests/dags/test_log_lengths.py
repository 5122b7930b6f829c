"""Logs of the tasks that see all accounts: readable with ten thousand of them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.dag_tasks import reconcile, replicate_hour
from tests.support.watched_steps import WatchedSteps

from job_history.errors import PermanentError
from job_history_airflow.operators import (
    CloseOperator,
    LookBackOperator,
    PlanOperator,
    ReconcileOperator,
    ReportOperator,
)
from simulators.job_store import create

from .conftest import World
from .test_many_accounts import HOURS

SEE_ALL = (PlanOperator, CloseOperator, LookBackOperator, ReconcileOperator, ReportOperator)
FEW, MANY = 22, 44
"""Both beyond each limit of lines: what grows between them grows with each account."""


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, int]]:
    """Return the number of lines that each task logged since the last call."""
    caplog.set_level(logging.INFO, "job_history")
    for limit in ("plan.MAX_ROWS", "run_summary.MAX_ROWS", "run_summary.MAX_FAILURES"):
        monkeypatch.setattr(f"job_history.pipeline.{limit}", 20)
    counted: dict[str, int] = {}

    def counting(operator: type[Any]) -> None:
        execute = operator.execute

        def count(self: Any, context: Any) -> Any:
            caplog.clear()
            try:
                return execute(self, context)
            finally:
                name = type(self).__name__
                counted[name] = counted.get(name, 0) + sum(len(each.splitlines()) for each in caplog.messages)

        monkeypatch.setattr(operator, "execute", count)

    for operator in SEE_ALL:
        if "execute" in vars(operator):
            counting(operator)

    def since() -> dict[str, int]:
        found = dict(counted)
        counted.clear()
        return found

    return since


def _accounts(world: World, number: int, **changes: object) -> None:
    world.accounts(*(world.account(user_id, "Acme", **changes) for user_id in range(1, number + 1)))


@pytest.mark.promise("report-log-short")
def test_logs_of_quiet_accounts_do_not_grow_with_their_number(
    world: World, tmp_path: Path, lines: Callable[[], dict[str, int]]
) -> None:
    with closing(sqlite3.connect(tmp_path / "quiet.db")) as connection:
        create(connection, "sqlite")
        connection.commit()
    world.connect("job_store", {"conn_type": "sqlite", "host": str(tmp_path / "quiet.db")})
    _accounts(world, FEW)
    assert replicate_hour(HOURS[0], mode="repair").error is None
    lines()
    found = []
    for number, line_details in ((FEW, False), (MANY, True)):
        # Each account has other settings than before.
        _accounts(world, number, events={"job_history": True, "line_details": line_details})
        assert replicate_hour(HOURS[0], str(number), mode="repair").error is None
        assert reconcile(HOURS[0], str(number)).error is None
        found.append(lines())

    assert found[0].keys() == {operator.__name__ for operator in SEE_ALL}
    assert found[0] == found[1]
    assert max(found[0].values()) < 100


@pytest.mark.promise("report-log-short")
def test_logs_of_failing_accounts_do_not_grow_with_their_number(
    world: World, lines: Callable[[], dict[str, int]], steps: WatchedSteps, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object, **__: object) -> None:
        raise PermanentError("the receipt is damaged")

    world.connect("job_store", {"conn_type": "sqlite", "host": "/nowhere/jobs.db"})
    monkeypatch.setattr("job_history.pipeline.close.make_receipt", damaged)
    found = []
    for number in (FEW, MANY):
        _accounts(world, number)
        for user_id in range(1, number + 1):
            steps.errors["extract", user_id] = PermanentError("no such database")
        assert replicate_hour(HOURS[0], str(number)).error is not None
        found.append(lines())

    assert found[0] == found[1]
    assert max(found[0].values()) < 100
