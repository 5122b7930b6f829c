"""`job-history check` and `job-history accounts`: the set-up of an installation from the shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from .conftest import World
from .ui import Pages

JobHistory = Callable[..., Result]


@pytest.fixture
def job_history() -> JobHistory:
    from job_history_airflow.cli import main

    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def written(*accounts: Any) -> Path:
        path = tmp_path / "accounts.json"
        path.write_text(json.dumps(accounts))
        return path

    return written


@pytest.mark.promise("cli-accounts")
def test_check_reports_each_account_with_code_and_exits_with_1(world: World, job_history: JobHistory) -> None:
    missing = {"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}
    world.accounts(
        world.account(5234, "Acme"),
        world.account(77, "Globex", destination=missing),
        world.account(78, "Paused", destination=missing, enabled=False),
    )

    result = job_history("check")
    as_json = json.loads(job_history("check", "--json").stdout)

    assert result.exit_code == 1
    assert "ok       5234 Acme" in result.stdout
    assert "error    77 Globex: S3_NO_SUCH_BUCKET: " in result.stdout
    assert "Paused" not in result.stdout
    assert [(each["user_id"], [one["code"] for one in each["findings"]]) for each in as_json["accounts"]] == [
        (5234, []),
        (77, ["S3_NO_SUCH_BUCKET"]),
    ]
    assert job_history("check", "--accounts", 5234).exit_code == 0


@pytest.mark.promise("cli-accounts")
def test_validate_needs_no_airflow_and_exits_with_1_for_an_unusable_account(
    world: World, job_history: JobHistory, file: Callable[..., Path]
) -> None:
    good, bad = world.account(5234, "Acme"), world.account(77, "Globex", colour="red")

    assert job_history("accounts", "validate", file(good)).exit_code == 0
    refused = job_history("accounts", "validate", file(good, bad), "--json")
    assert (refused.exit_code, json.loads(refused.stdout)) == (
        1,
        {"usable": [5234], "faults": ["Account 77 Globex: unknown key 'colour'."]},
    )


@pytest.mark.promise("cli-accounts")
def test_import_adds_and_changes_accounts_and_removes_only_with_replace(
    world: World, pages: Pages, job_history: JobHistory, file: Callable[..., Path]
) -> None:
    one, two, three = (world.account(number, f"Account {number}") for number in (1, 2, 3))
    pages.set_accounts([one, two])
    changed = {**two, "enabled": False}

    planned = job_history("accounts", "import", file(changed, three), "--dry-run", "--json")
    assert (json.loads(planned.stdout)["changed"], pages.accounts) == ([2], [one, two])
    done = json.loads(job_history("accounts", "import", file(changed, three), "--json").stdout)
    assert (done["added"], done["changed"], done["removed"]) == ([3], [2], [])
    assert pages.accounts == [one, changed, three]
    assert json.loads(job_history("accounts", "export").stdout) == [one, changed, three]

    job_history("accounts", "import", file(three), "--replace")
    assert pages.accounts == [three]
    assert [event for _, event, _ in pages.audit_log()] == ["job_history_accounts_imported"] * 2


@pytest.mark.promise("cli-accounts")
def test_import_writes_nothing_if_an_account_cannot_be_used(
    world: World, pages: Pages, job_history: JobHistory, file: Callable[..., Path]
) -> None:
    pages.set_accounts([world.account(1, "One")])

    refused = job_history("accounts", "import", file(world.account(2, "Two"), world.account(3, "Three", colour="red")))

    assert refused.exit_code == 1
    assert [entry["user_id"] for entry in pages.accounts or []] == [1]


def test_import_refuses_if_the_accounts_come_from_the_environment(
    world: World, pages: Pages, job_history: JobHistory, file: Callable[..., Path]
) -> None:
    world.accounts(world.account(1, "One"))

    refused = job_history("accounts", "import", file(world.account(2, "Two")))

    assert refused.exit_code == 2
    assert "EnvironmentVariablesBackend" in refused.stderr


@pytest.mark.promise("cli-accounts")
@pytest.mark.parametrize(
    ("content", "words"), [(b"\xff\xfe[", "not UTF-8"), (b'{"a": 1}', "not a list"), (b"[{", "not valid JSON")]
)
@pytest.mark.parametrize("command", ["validate", "import"])
def test_a_file_without_a_list_of_accounts_is_named_in_one_line(
    job_history: JobHistory, tmp_path: Path, content: bytes, words: str, command: str
) -> None:
    path = tmp_path / "accounts.json"
    path.write_bytes(content)

    refused = job_history("accounts", command, path, "--json")

    [fault] = json.loads(refused.stdout)["faults"]
    assert (refused.exit_code, words in fault, str(path) in fault) == (2, True, True)
    assert refused.stderr == f"Error: {fault}\n"


def test_a_file_of_windows_with_a_byte_order_mark_is_read(
    world: World, job_history: JobHistory, tmp_path: Path
) -> None:
    path = tmp_path / "accounts.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([world.account(5234, "Acme")]).encode())

    assert job_history("accounts", "validate", path).exit_code == 0
