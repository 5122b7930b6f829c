"""The first revision of a window's receipt is lost while the second is there: nothing is delivered or counted by it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.dag_tasks import reconcile, replicate_hour

from job_history.ledger import newest_revision
from job_history.model.window import Window
from simulators.job_store import create, fill, small_jobs

from .conftest import HOUR, World

WINDOW = Window(HOUR, HOUR + timedelta(hours=1))


def jobs(store: Path, user_id: int, first: int, number: int) -> None:
    with closing(sqlite3.connect(store)) as connection:
        some = small_jobs(number, user_id=user_id, first_job_id=first, start=WINDOW.start, end=WINDOW.end)
        fill(connection, "sqlite", some)
        connection.commit()


@pytest.fixture
def first(world: World, tmp_path: Path) -> Path:
    """Make two revisions of account 1, delete the first one, and return its path."""
    store = tmp_path / "own.db"
    with closing(sqlite3.connect(store)) as connection:
        create(connection, "sqlite")
        connection.commit()
    world.connect("job_store", {"conn_type": "sqlite", "host": str(store)})
    world.accounts(world.account(1, "Lost"), world.account(2, "Whole"))
    jobs(store, 1, 1, 2)
    jobs(store, 2, 1, 2)
    assert replicate_hour(WINDOW).error is None
    jobs(store, 1, 11, 1)
    assert reconcile(WINDOW).error is None
    assert len(world.keys()) == 5
    [first] = world.ledger.glob("receipts/1/**/r000001.json")
    assert first.with_name("r000002.json").exists()
    first.unlink()
    return first


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize("params", [{}, {"mode": "repair"}], ids=["missing_only", "repair"])
def test_a_run_of_its_window_is_red_delivers_nothing_and_does_not_write_it_again(
    world: World, first: Path, params: dict[str, str]
) -> None:
    before = world.keys()

    error = replicate_hour(WINDOW, "again", **params).error

    assert error is not None
    assert "r000001.json" in str(error)
    assert "Account 2" not in str(error)
    assert (world.keys(), first.exists()) == (before, False)


@pytest.mark.promise("strict-decoding")
def test_an_hourly_run_that_writes_it_again_delivers_nothing_twice_and_the_reconciliation_is_red(
    world: World, first: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of windows that ended less than six hours ago, a run does not look for the second revision."""
    monkeypatch.setattr(newest_revision, "CHECKED_AFTER", datetime.now(UTC) - WINDOW.start)
    before = world.keys()

    assert replicate_hour(WINDOW, "again").error is None
    counts = json.loads(first.read_bytes())["counts"]
    assert (counts["listed"], counts["delivered"], counts["already_present"]) == (3, 0, 3)
    assert world.keys() == before

    error = reconcile(WINDOW, "again").error
    assert error is not None
    assert "Account 1 Lost" in str(error)
    assert "r000002.json" in str(error)
    assert "Account 2" not in str(error)
    assert world.keys() == before
