"""A step refuses to work if its worker does not see the staging area of its run, or its ledger."""

from __future__ import annotations

import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger.installation import installation_of
from job_history.ledger.plan_notes import FOLDER, delete_old_plan_notes
from job_history.pipeline.shared_staging import (
    STAGED_FILES_KEPT,
    Planned,
    check_ledger_shared,
    check_shared,
    note_planned,
)
from job_history.storage import local_storage

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ELSEWHERE = Planned("worker-2", NOW, "runs/scheduled-1/planned.json")


def test_a_worker_that_sees_the_plans_note_works(tmp_path: Path) -> None:
    staging = local_storage(tmp_path)

    ledger = local_storage(tmp_path / "ledger")

    planned = note_planned(staging, ledger, "scheduled-1", ["s3"])

    assert planned.host == socket.gethostname()
    check_shared(staging, planned, datetime.now(UTC))
    check_ledger_shared(ledger, planned, datetime.now(UTC))


def test_a_worker_that_planned_the_run_before_does_not_take_its_own_note_for_that_of_the_plan(tmp_path: Path) -> None:
    """A cleared run was planned on one worker first, then on another one, and they share no folder."""
    mine, theirs = local_storage(tmp_path / "mine"), local_storage(tmp_path / "theirs")
    ledger = local_storage(tmp_path / "ledger")
    note_planned(mine, ledger, "scheduled-1")
    planned = note_planned(theirs, ledger, "scheduled-1")

    check_shared(theirs, planned, datetime.now(UTC))
    with pytest.raises(PermanentError) as raised:
        check_shared(mine, planned, datetime.now(UTC))

    assert raised.value.code is Code.STAGING_NOT_SHARED


def test_another_workers_folder_is_staging_not_shared(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as raised:
        check_shared(local_storage(tmp_path), ELSEWHERE, NOW + timedelta(minutes=1))

    assert raised.value.code is Code.STAGING_NOT_SHARED
    message = str(raised.value)
    for fact in (
        Code.STAGING_NOT_SHARED,
        socket.gethostname(),
        "worker-2",
        f"{tmp_path}/{ELSEWHERE.path}",
        "staging_path",
    ):
        assert fact in message


def test_a_run_whose_staged_files_expired_is_not_blamed_on_the_workers(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="Start a new run") as raised:
        check_shared(local_storage(tmp_path), ELSEWHERE, NOW + STAGED_FILES_KEPT + timedelta(seconds=1))

    assert raised.value.code is None


@pytest.mark.promise("one-ledger")
@pytest.mark.parametrize(
    ("made", "detail"),
    [
        pytest.param("copied", "it is a copy of that ledger", id="copied before the plan"),
        pytest.param("planned", "it is a copy of that ledger", id="copied, and has planned the same run itself"),
        pytest.param("other", "it is another one", id="another ledger"),
        pytest.param("empty", "or empty", id="an empty folder"),
    ],
)
def test_a_worker_without_the_plans_note_in_its_ledger_has_not_the_same_ledger(
    tmp_path: Path, made: str, detail: str
) -> None:
    staging, ledger = local_storage(tmp_path / "staging"), local_storage(tmp_path / "ledger")
    installation_of(ledger)
    mine = local_storage(tmp_path / "mine")
    if made in {"copied", "planned"}:
        shutil.copytree(tmp_path / "ledger", tmp_path / "mine", dirs_exist_ok=True)
    if made == "planned":
        note_planned(staging, mine, "scheduled-1")
    if made == "other":
        installation_of(mine)
    planned = note_planned(staging, ledger, "scheduled-1")

    with pytest.raises(PermanentError, match=detail) as raised:
        check_ledger_shared(mine, planned, datetime.now(UTC))

    assert raised.value.code is Code.LEDGER_NOT_SHARED
    assert f"{tmp_path}/mine/{planned.in_ledger}" in raised.value.facts["path"]


def test_notes_of_plans_are_deleted_from_the_ledger_after_a_week(tmp_path: Path) -> None:
    staging, ledger = local_storage(tmp_path / "staging"), local_storage(tmp_path / "ledger")
    old = note_planned(staging, ledger, "scheduled-1")
    delete_old_plan_notes(ledger, datetime.now(UTC) - STAGED_FILES_KEPT)
    assert [*ledger.paths(FOLDER)] == [old.in_ledger]

    delete_old_plan_notes(ledger, datetime.now(UTC) + timedelta(seconds=1))

    assert [*ledger.paths(FOLDER)] == []
    # A task that is cleared then is not blamed on its worker.
    with pytest.raises(PermanentError, match="Start a new run") as raised:
        check_ledger_shared(ledger, old, old.at + STAGED_FILES_KEPT + timedelta(seconds=1))
    assert raised.value.code is None
