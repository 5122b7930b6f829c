"""`job-history-watch` reads the status that the report writes, and nothing else."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

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


@pytest.mark.promise("silence")
def test_watch_fails_if_no_run_has_touched_hours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The DAG was paused for three hours, and runs again."""
    missed = [Window(NOW - 5 * HOUR, NOW - 2 * HOUR)]
    account = AccountStatus(user_id=5234, name="Acme", kind=EventKind.JOBS, missed=missed)
    path = status_file(tmp_path, in_time(accounts={account.key: account}))

    assert main([path, "--fail-after", "2h"], NOW) == 1
    assert "account 5234/jobs Acme: 3 hours" in capsys.readouterr().out
    assert main([path, "--fail-after", "4h"], NOW) == 0
    account.active = False
    assert main([status_file(tmp_path, in_time(accounts={account.key: account}))], NOW) == 0


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


@pytest.mark.promise("watch-cannot-judge")
@pytest.mark.parametrize(
    "changes",
    [
        {"generated_at": "2026-05-01T13:00:00Z"},
        {"expected_by": {}},
        {"expected_by": {"replication": "2026-05-01T13:00:00Z"}},
        {"expected_by": {"replication": "2099-01-01T00:00:00Z", "reconciliation": None}},
        {"version": True},
        {"version": 0},
        {"accounts": {"1/jobs": None}},
        {"accounts": {"1/jobs": "complete"}},
        {"accounts": {"1/jobs": {}}},
        {"accounts": {"1/jobs": {"open": 3, "active": True}}},
        {"accounts": {"1/jobs": {"open": 3, "active": True, "oldest_open": None}}},
        {"accounts": {"1/jobs": {"open": 0, "active": True, "missed": {"start": "2026-05-01T11:00:00Z"}}}},
        {"accounts": {"1/jobs": {"open": 0, "active": True, "missed": [{"start": "2026-05-01T11:00:00Z"}]}}},
        {"accounts": {"1/jobs": {"open": 3, "active": True, "oldest_open": "2026-05-01T11:00:00Z"}}},
        {"accounts": {"1/jobs": {"open": 3, "active": "no", "oldest_open": {"end": "2026-05-01T11:00:00Z"}}}},
    ],
)
def test_what_no_report_writes_is_not_taken_for_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object]
) -> None:
    fields = {**json.loads(msgspec.json.encode(in_time())), **changes}
    (tmp_path / "status.json").write_text(json.dumps(fields))

    assert main([str(tmp_path / "status.json"), "--json"], NOW) == 2
    assert json.loads(capsys.readouterr().out)["result"] == "could not be read"


@pytest.mark.promise("watch-cannot-judge")
@pytest.mark.parametrize(
    "content", [b'{"a":' * 100_000, b'{"version":1' + b"0" * 6_000 + b"}", b"\xff\xfe\x00", b"NaN"]
)
def test_bytes_that_break_a_json_reader_exit_with_2(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "status.json").write_bytes(content)

    assert main([str(tmp_path / "status.json")], NOW) == 2


@pytest.mark.promise("watch-cannot-judge")
@pytest.mark.parametrize("answer", [b"no http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}"])
def test_a_server_that_answers_badly_exits_with_2(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=_answer_once, args=(server, answer))
        thread.start()
        assert main([f"http://127.0.0.1:{server.getsockname()[1]}/status.json"], NOW) == 2
        thread.join()


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4_096)
        connection.sendall(answer)


def test_a_file_that_is_too_large_exits_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job_history_verify.watch._MAX_BYTES", 100)

    assert main([status_file(tmp_path, in_time())], NOW) == 2


@pytest.mark.parametrize("duration", ["99999999999999d", "2", "2H", ""])
def test_a_duration_that_cannot_be_used_exits_with_2(tmp_path: Path, duration: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([status_file(tmp_path, in_time()), "--fail-after", duration], NOW)
    assert ended.value.code == 2


def test_a_dag_that_was_never_scheduled_is_named_as_not_watched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = status_file(tmp_path, in_time(expected_by=ExpectedBy(replication=NOW + HOUR)))

    assert main([path, "--json"], NOW) == 0
    [note] = json.loads(capsys.readouterr().out)["notes"]
    assert "job_history_reconciliation" in note


def test_control_characters_of_a_name_are_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accounts = account_with_open_window(NOW - 3 * HOUR)
    accounts["5234/jobs"].name = "\x1b[31mAcme\nok"

    assert main([status_file(tmp_path, in_time(accounts=accounts))], NOW) == 1
    assert "5234/jobs ?[31mAcme?ok" in capsys.readouterr().out


def test_an_answer_that_cannot_be_printed_is_a_failure(tmp_path: Path) -> None:
    path = status_file(tmp_path, Status(generated_at=datetime.now(UTC)))
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "job_history_verify.watch", path], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (2, b"")
