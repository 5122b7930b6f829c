"""No file that the ledger keeps as a record is written twice: a bucket with versions has one of each."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.dag_tasks import reconcile, replicate_hour
from tests.support.scripted_s3 import ScriptedS3, scripted_s3

from job_history.model.window import Window
from simulators.job_store import create, fill, plain_job
from simulators.sumo_logic import local_source

from .conftest import HOUR, World

WINDOW = Window(HOUR, HOUR + timedelta(hours=1))
RECORDS = ("receipts", "_control/quarantine", "_control/seals", "_control/acknowledged")
TO_BUCKET, TO_SUMO_LOGIC = 1, 2


@pytest.fixture
def control(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedS3]:
    """Ledger and staging in a bucket; one account to a bucket, one to Sumo Logic."""
    with scripted_s3("control") as control, local_source() as source:
        extra = {"endpoint_url": control.url, "region_name": "us-east-1"}
        world.connect("control", {"conn_type": "aws", "login": "a", "password": "b", "extra": extra})
        world.connect("sumo", {"conn_type": "sumo_logic", "password": source.url})
        for name in ("ledger", "staging"):
            monkeypatch.setenv(f"AIRFLOW__JOB_HISTORY__{name.upper()}_PATH", f"s3://control@control/{name}")
        yield control


def add(store: Path, job_id: int, **changes: object) -> None:
    with closing(sqlite3.connect(store)) as connection:
        fill(
            connection,
            "sqlite",
            (plain_job(user_id, HOUR, job_id)._replace(**changes) for user_id in (TO_BUCKET, TO_SUMO_LOGIC)),
        )
        connection.commit()


@pytest.mark.promise("receipts-are-revisions")
def test_a_bucket_with_versions_has_one_of_each_receipt_list_quarantine_seal_and_acknowledgement(
    world: World, control: ScriptedS3, tmp_path: Path
) -> None:
    store = tmp_path / "own.db"
    with closing(sqlite3.connect(store)) as connection:
        create(connection, "sqlite")
        connection.commit()
    world.connect("job_store", {"conn_type": "sqlite", "host": str(store)})
    to_sumo_logic = {"type": "sumo_logic", "conn_id": "sumo", "source_category": "audit"}
    world.accounts(
        world.account(TO_BUCKET, "Bucket"), world.account(TO_SUMO_LOGIC, "Messages", destination=to_sumo_logic)
    )
    add(store, 1)
    add(store, 2, report="{bad")
    for number, params in enumerate([{}, {}, {"mode": "repair"}]):
        replicate_hour(WINDOW, f"-{number}", **params)
    add(store, 3)
    reconcile(WINDOW)

    written = {
        folder: {key: count for key, count in control.writes.items() if key.startswith(f"ledger/{folder}/")}
        for folder in RECORDS
    }
    assert {folder: bool(keys) for folder, keys in written.items()} == dict.fromkeys(RECORDS, True)
    assert {key for keys in written.values() for key, count in keys.items() if count > 1} == set()
    assert len([key for key in written["receipts"] if key.endswith("r000003.json")]) == len((TO_BUCKET, TO_SUMO_LOGIC))
    assert json.loads(control.objects["ledger/_control/status.json"])["quarantine"] > 0
