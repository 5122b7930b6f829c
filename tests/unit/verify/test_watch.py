"""`job-history-watch` reads the status that the report writes, and nothing else."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from job_history.ledger.status_file import AccountStatus, ExpectedBy, Status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history_verify.watch import main

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def status_file(folder: Path, status: Status) -> str:
    path = folder / "status.json"
    path.write_bytes(msgspec.json.encode(status))
    return str(path)


def in_time(**changes: object) -> Status:
    expected = ExpectedBy(replication=NOW + HOUR, reconciliation=NOW + 20 * HOUR)
    return Status(**{"generated_at": NOW - HOUR / 2, "expected_by": expected, **changes})


def account_with_open_window(ended: datetime, *, active: bool = True) -> dict[str, AccountStatus]:
    window = Window(ended - HOUR, ended)
    return {
        "5234/jobs": AccountStatus(
            user_id=5234, name="Acme", kind=EventKind.JOBS, active=active, open=1, oldest_open=window
        )
    }


def test_watch_passes_while_all_is_in_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([status_file(tmp_path, in_time())], NOW) == 0
    assert capsys.readouterr().out == "job history replication: ok\n"


@pytest.mark.parametrize("dag", ["replication", "reconciliation"])
def test_watch_fails_if_any_dag_did_not_report(tmp_path: Path, capsys: pytest.CaptureFixture[str], dag: str) -> None:
    expected = ExpectedBy(**{"replication": NOW + HOUR, "reconciliation": NOW + HOUR, dag: NOW - HOUR})
    assert main([status_file(tmp_path, in_time(expected_by=expected)), "--json"], NOW) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["result"] == "late"
    assert f"job_history_{dag}" in answer["problems"][0]


def test_dag_that_is_only_run_by_hand_is_never_late(tmp_path: Path) -> None:
    assert main([status_file(tmp_path, in_time(expected_by=ExpectedBy()))], NOW) == 0


def test_watch_fails_if_a_window_is_open_for_longer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = status_file(tmp_path, in_time(accounts=account_with_open_window(NOW - 3 * HOUR)))
    assert main([path, "--fail-after", "2h"], NOW) == 1
    assert "account 5234/jobs Acme" in capsys.readouterr().out
    assert main([path, "--fail-after", "4h"], NOW) == 0


def test_open_windows_of_paused_accounts_are_not_late(tmp_path: Path) -> None:
    accounts = account_with_open_window(NOW - 30 * HOUR, active=False)
    assert main([status_file(tmp_path, in_time(accounts=accounts))], NOW) == 0


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"version": 2}', b'{"version": 1, "generated_at": "x"}'])
def test_status_that_cannot_be_read_exits_with_2(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)
    assert main([str(tmp_path / "status.json")], NOW) == 2
    assert main([str(tmp_path / "away.json")], NOW) == 2


def test_watch_reads_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(Path(status_file(tmp_path, in_time())).read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin)
    assert main(["-"], NOW) == 0
