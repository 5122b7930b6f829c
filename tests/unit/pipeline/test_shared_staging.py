"""A step refuses to work if its worker does not see the staging area of its run."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.pipeline.shared_staging import STAGED_FILES_KEPT, Planned, check_shared, note_planned
from job_history.storage import local_storage

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ELSEWHERE = Planned("worker-2", NOW, "runs/scheduled-1/planned.json")


def test_a_worker_that_sees_the_plans_note_works(tmp_path: Path) -> None:
    staging = local_storage(tmp_path)

    planned = note_planned(staging, "scheduled-1", ["s3"])

    assert planned.host == socket.gethostname()
    check_shared(staging, planned, datetime.now(UTC))


def test_a_worker_that_planned_the_run_before_does_not_take_its_own_note_for_that_of_the_plan(tmp_path: Path) -> None:
    """A cleared run was planned on one worker first, then on another one, and they share no folder."""
    mine, theirs = local_storage(tmp_path / "mine"), local_storage(tmp_path / "theirs")
    note_planned(mine, "scheduled-1")
    planned = note_planned(theirs, "scheduled-1")

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
