"""Workers that do not share the staging area, or the ledger: the run is red, and names the cause."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger.installation import installation_of
from job_history.storage import Storage, local_storage
from job_history_airflow.dag_ids import REPLICATION_DAG
from job_history_airflow.operators import ConvoyOperator, ReportOperator
from job_history_airflow.operators.run_places import RunPlaces, run_of
from job_history_airflow.settings import read_settings

from .conftest import HOUR_END, World, run_dag


def code_of(message: str) -> str:
    return message.partition(":")[0]


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The messages of errors that tasks of a run end with."""
    found: list[str] = []
    for operator in (ConvoyOperator, ReportOperator):
        execute = operator.execute

        def noting(self: object, context: object, execute: object = execute) -> object:
            try:
                return execute(self, context)
            except PermanentError as error:
                found.append(str(error))
                raise

        monkeypatch.setattr(operator, "execute", noting)
    return found


def places_at(storage_at: Callable[[str], Storage]) -> type[RunPlaces]:
    """Return what a task reads its places by, on a worker whose paths of the config lead to these storages."""

    class Places(RunPlaces):
        @classmethod
        def of(cls, context: Any) -> RunPlaces:
            settings = read_settings()
            staging, ledger = storage_at(settings.staging_path), storage_at(settings.ledger_path)
            return RunPlaces(settings, run_of(context), staging, ledger)

    return Places


def another_worker(folder: Path) -> Callable[[str], Storage]:
    """Return what opens the storage of a worker that shares no folder with the others."""
    return lambda url: local_storage(folder / "another-worker" / Path(url).name)


def test_slices_on_another_worker_fail_with_the_code(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: list[str]
) -> None:
    monkeypatch.setattr("job_history_airflow.operators.steps.RunPlaces", places_at(another_worker(tmp_path)))
    world.accounts(world.account(5234, "Acme"))

    state, _ = run_dag(REPLICATION_DAG)

    assert state == "failed"
    assert {code_of(message) for message in raised[:-1]} == {Code.STAGING_NOT_SHARED}
    assert str(tmp_path / "another-worker") in raised[0]
    assert world.keys() == set()
    assert {receipt["state"] for receipt in world.receipts().values()} <= {"failed"}


def test_a_report_on_another_worker_fails_with_the_code(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: list[str]
) -> None:
    monkeypatch.setattr("job_history_airflow.operators.report.RunPlaces", places_at(another_worker(tmp_path)))
    world.accounts(world.account(5234, "Acme"))

    state, states = run_dag(REPLICATION_DAG)

    assert (state, states["report", -1]) == ("failed", "failed")
    assert [code_of(message) for message in raised] == [Code.STAGING_NOT_SHARED]


@pytest.mark.promise("one-ledger")
@pytest.mark.parametrize("has", ["another", "none", "copy"])
def test_a_worker_with_another_ledger_fails_with_the_code(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: list[str], has: str
) -> None:
    ledger = local_storage(tmp_path / "another-ledger")
    if has == "another":
        installation_of(ledger)
    if has == "copy":
        # Of the ledger as it was after the run of the hour before.
        world.accounts(world.account(77, "Before"))
        assert run_dag(REPLICATION_DAG, HOUR_END - timedelta(hours=1))[0] == "success"
        shutil.copytree(world.ledger, tmp_path / "another-ledger", dirs_exist_ok=True)
    before = sorted(ledger.paths("receipts"))
    own_before = world.receipts()

    def storage_of_another_worker(url: str) -> Storage:
        return ledger if Path(url).name == "ledger" else local_storage(Path(url))

    monkeypatch.setattr("job_history_airflow.operators.steps.RunPlaces", places_at(storage_of_another_worker))
    world.accounts(world.account(5234, "Acme"))

    state, _ = run_dag(REPLICATION_DAG)

    assert state == "failed"
    assert {code_of(message) for message in raised[:-1]} == {Code.LEDGER_NOT_SHARED}
    assert str(tmp_path / "another-ledger") in raised[0]
    assert ("it is a copy" in raised[0]) is (has == "copy")
    assert world.keys() == set()
    assert sorted(ledger.paths("receipts")) == before
    [receipt] = [own for key, own in world.receipts().items() if key not in own_before]
    assert receipt["state"] == "failed"
    assert Code.LEDGER_NOT_SHARED in receipt["faults"][0]
