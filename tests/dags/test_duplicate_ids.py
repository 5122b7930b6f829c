"""A job id that a source has twice in an hour goes to quarantine, also if the two rows are in different slices."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.dag_tasks import replicate_hour

from job_history.model.window import Window
from simulators.job_store import create, fill, plain_job

from .conftest import HOUR, World

WINDOW = Window(HOUR, HOUR + timedelta(hours=1))


@pytest.mark.promise("duplicate-ids")
@pytest.mark.parametrize("slices", [1, 3])
def test_both_rows_of_a_repeated_id_are_quarantined_in_whatever_slices_they_are(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slices: int
) -> None:
    if slices > 1:
        monkeypatch.setenv("AIRFLOW__JOB_HISTORY__MAX_JOBS_PER_SLICE", "2")
    store = tmp_path / "own.db"
    rows = [(1, 5), (2, 15), (7, 20), (3, 40), (7, 55)]
    with closing(sqlite3.connect(store)) as connection:
        create(connection, "sqlite")
        fill(
            connection,
            "sqlite",
            (
                plain_job(1, HOUR, job_id)._replace(
                    started_at="2018-05-21T00:00:00Z", completed_at=f"2018-05-21T00:{minute:02d}:00Z", lines=()
                )
                for job_id, minute in rows
            ),
        )
        connection.commit()
    world.connect("job_store", {"conn_type": "sqlite", "host": str(store)})
    world.accounts(world.account(1, "Acme"))

    run = replicate_hour(WINDOW)

    assert run.convoys
    [receipt] = world.receipts().values()
    assert receipt["counts"]["quarantined"] == {"duplicate_job_id": 2}
    keys = world.keys()
    assert {int(key.rpartition("/")[2].split("-")[2]) for key in keys} == {1, 2, 3}
    assert len(list(world.ledger.glob("receipts/1/**/items-*.parquet"))) >= slices
