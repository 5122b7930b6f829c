"""The command `job-history` on ledgers, stores and buckets that are there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.support.one_hour import replicate
from tests.unit.samples import DAY, EXAMPLE_KEY, MemorySource, record
from tests.unit.samples import HOUR as WINDOW

from job_history.accounts.account import Account
from job_history.documents.object_key import JobKeyParts, parts_of
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.status_file import PATH, AccountStatus, ExpectedBy, Status
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import format_time
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.seals.unsealed import UnsealedWindow
from job_history.storage import local_storage
from simulators.project import ROOT

from .conftest import World

JobHistory = Callable[..., Result]
HOURS = ("--since", "2018-05-21T00:00:00Z", "--until", "2018-05-21T02:00:00Z")
HEAVY = {
    "airflow.models.dagrun", "airflow.plugins_manager", "airflow.sdk.execution_time.supervisor",
    "airflow.providers.amazon.aws", "boto3", "obstore", "pyarrow", "fastapi", "pandas", "requests",
}  # fmt: skip
"""What takes long to import, and has no part in reading a ledger and a Variable."""


@pytest.fixture
def job_history(world: World) -> JobHistory:
    from job_history_airflow.cli import main

    return lambda *arguments: CliRunner().invoke(main, [str(argument) for argument in arguments])


def save_receipt(world: World, user_id: int, hour: int, state: str, **changes: Any) -> Receipt:
    window = Window(DAY.replace(hour=hour), DAY.replace(hour=hour + 1))
    faults = ["no bucket"] if state == "failed" else []
    counts = Counts(counted=3, listed=3, delivered=3, delivered_bytes=4_100)
    fields: dict[str, Any] = {
        "user_id": user_id,
        "name": "Acme",
        "revision": 1,
        "window": window,
        "state": WindowState(state),
        "counts": counts,
        "gap": 0,
        "read_at": "2018-05-21T01:11:00.000000Z",
        "settings_hash": "0" * 16,
        "code_version": "0.1.0",
        "destination": {"type": "s3", "bucket": "acme-audit"},
        "faults": faults,
        "runs": [RunEntry("a-run", format_time(window.end), WindowState(state), counts, faults)],
    }
    receipt = Receipt(**{**fields, **changes})
    ledger = local_storage(world.ledger)
    if receipt.revision > 1:
        before = ledger.read(receipt_path(user_id, EventKind.JOBS, window, receipt.revision - 1)) or b""
        receipt.previous_sha256 = hashlib.sha256(before).hexdigest()
    path = receipt_path(user_id, EventKind.JOBS, window, receipt.revision)
    ledger.write(path, msgspec.json.encode(receipt))
    return receipt


# status


@pytest.mark.promise("status")
def test_status_shows_a_letter_for_each_hour_and_lists_what_is_missing(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"), world.account(77, "Paused", enabled=False))
    save_receipt(world, 5234, 0, "complete")
    save_receipt(world, 5234, 1, "failed")

    result = job_history("status", *HOURS)

    assert result.stdout == (
        "2018-05-21  00    06    12    18\n"
        "5234 Acme   .F\n"
        "77 Paused   --\n"
        "\n"
        "1 complete (.), 2 disabled (-), 1 failed (F)\n"
        "failed: 5234 Acme, 2018-05-21T01:00:00Z: no bucket\n"
    )
    assert result.exit_code == 1


def test_status_exits_with_0_if_nothing_is_missing(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"), world.account(77, "Globex"))
    save_receipt(world, 5234, 0, "complete")
    save_receipt(world, 5234, 1, "complete_with_quarantine")

    assert job_history("status", "--accounts", 5234, *HOURS).exit_code == 0
    open_hours = job_history("status", "--accounts", "5234,77", *HOURS)
    assert (open_hours.exit_code, open_hours.stdout.splitlines()[-1]) == (
        1,
        "open: 77 Globex, 2018-05-21T00:00:00Z to 2018-05-21T01:00:00Z (2 hours)",
    )


def test_status_as_json_has_each_window(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"))
    save_receipt(world, 5234, 0, "failed")

    result = job_history("status", "--json", *HOURS)

    reported = json.loads(result.stdout)
    failed, missing = reported.pop("windows")
    assert (result.exit_code, reported) == (
        1,
        {"start": "2018-05-21T00:00:00Z", "end": "2018-05-21T02:00:00Z", "owed": 2, "unsealed": 0, "faults": []},
    )
    assert (missing["state"], missing["runs"]) == ("open", [])
    assert (failed["state"], failed["delivered"], failed["runs"], failed["last_fault"]) == (
        "failed",
        3,
        ["a-run"],
        "no bucket",
    )


def test_status_counts_the_windows_that_wait_for_a_seal(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"))
    for hour in (0, 1):
        save_receipt(world, 5234, hour, "complete")
    waiting = Window.from_slug("20180520T000000Z-20180520T010000Z")
    for user_id in (5234, 77):
        UnsealedWindow(user_id, EventKind.JOBS, waiting).write(local_storage(world.ledger))

    result = job_history("status", *HOURS)

    assert (result.exit_code, result.stdout.splitlines()[-1].split()[0]) == (0, "1")
    assert json.loads(job_history("status", "--json", *HOURS).stdout)["unsealed"] == 1


def test_status_of_a_ledger_in_a_bucket(world: World, job_history: JobHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    world.accounts(world.account(5234, "Acme"))
    receipt = save_receipt(world, 5234, 1, "complete")
    path = receipt_path(5234, EventKind.JOBS, receipt.window)
    world.s3.client().upload_file(world.ledger / path, world.bucket, f"ledger/{path}")
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__LEDGER_PATH", f"s3://s3@{world.bucket}/ledger")

    result = job_history("status", *HOURS)

    assert (result.exit_code, result.stdout.splitlines()[1]) == (1, "5234 Acme   O.")


def test_without_hours_status_shows_the_last_24(world: World, job_history: JobHistory) -> None:
    world.ledger.mkdir()
    world.accounts(world.account(5234, "Acme"))

    assert len(json.loads(job_history("status", "--json").stdout)["windows"]) == 24
    assert len(json.loads(job_history("status", "--json", "--hours", 5).stdout)["windows"]) == 5


def test_status_exits_with_2_if_an_account_cannot_be_used(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"), world.account(77, "Wrong", colour="red"))
    save_receipt(world, 5234, 0, "complete")
    save_receipt(world, 5234, 1, "complete")

    result = job_history("status", *HOURS)

    assert (result.exit_code, result.stderr) == (2, "Error: Account 77 Wrong: unknown key 'colour'.\n")
    assert "5234 Acme   ..\n" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "detail"),
    [
        (["status", "--accounts", "77"], "Account 77 is not among the usable accounts"),
        (["status", "--accounts", "Acme"], "is not a list of user_ids"),
        (["status", "--since", "yesterday"], "is not an ISO 8601 date and time"),
        (["status", "--since", "2018-05-21T00:00:00Z", "--hours", "3"], "--since or --hours, not both"),
        (["status", "--since", "2018-05-21T05:00:00Z", "--until", "2018-05-21T05:59:00Z"], "no full hour between"),
        (["show-receipt", "5234", "2018-05-21T00:00:00Z", "--kind", "logs"], "'logs' is not one of"),
        (["key"], "--user-id, --recipe-id, --job-id, --started-at, --status is missing"),
        (["key", EXAMPLE_KEY, "--user-id", "1"], "Give a KEY or its parts, not both"),
        (["key", "a/b.json"], "'a/b.json' is not the key of a document"),
        (["no-such-command"], "No such command"),
        (["status", "--hours", "100000000"], "--hours"),
        (["status", "--hours", "2000000"], "before the year 1970"),
        (["status", "--until", "0001-01-01T00:00:00Z"], "between the years"),
        (["status", "--until", "9999-12-31T23:59:59Z"], "between the years"),
        (["status", "--accounts", "9" * 5000], "is not a list of user_ids"),
        (["status", "--fail-after", "2h", "--accounts", "5234"], "leave out the options"),
        (["status", "--fail-after", "2h", "--hours", "1"], "leave out the options"),
        (["show-receipt", "5234", "2018-05-21T00:00:00Z", "--window-end", "2018-05-20T00:00:00Z"], "--window-end"),
    ],
)
def test_what_cannot_be_checked_exits_with_2_and_a_reason(
    world: World, job_history: JobHistory, arguments: list[str], detail: str
) -> None:
    world.accounts(world.account(5234, "Acme"))

    result = job_history(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert detail in result.stderr


@pytest.mark.parametrize("charset", ["ascii", "latin-1"])
def test_names_that_standard_output_cannot_show_end_no_command(world: World, charset: str) -> None:
    from job_history_airflow.cli import main

    world.accounts(world.account(5234, "Äcme 株式会社"))
    save_receipt(world, 5234, 0, "complete")
    save_receipt(world, 5234, 1, "complete")
    runner = CliRunner(charset=charset)

    text, answer = runner.invoke(main, ["status", *HOURS]), runner.invoke(main, ["status", "--json", *HOURS])

    assert (text.exit_code, text.stdout.splitlines()[1].split()[-1], "????" in text.stdout) == (0, "..", True)
    assert json.loads(answer.stdout)["windows"][0]["name"] == "Äcme 株式会社"


def test_control_characters_of_an_error_do_not_reach_the_terminal(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"))
    save_receipt(
        world,
        5234,
        0,
        "failed",
        faults=["red \x1b[31m"],
        runs=[RunEntry("a", "2018-05-21T01:00:00Z", WindowState.FAILED, Counts(), ["red \x1b[31m"])],
    )

    assert "failed: 5234 Acme, 2018-05-21T00:00:00Z: red ?[31m\n" in job_history("status", *HOURS).stdout


def test_accounts_that_are_named_twice_are_shown_once(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"))
    save_receipt(world, 5234, 0, "complete")

    assert len(json.loads(job_history("status", "--json", "--accounts", "5234,5234", *HOURS).stdout)["windows"]) == 2


@pytest.mark.parametrize("as_json", [[], ["--json"]])
@pytest.mark.parametrize(("out", "reason"), [("a closed pipe", ""), ("/dev/full", "No space left")])
def test_answer_that_cannot_be_written_exits_with_2_and_no_traceback(
    world: World, as_json: list[str], out: str, reason: str
) -> None:
    world.accounts(world.account(5234, "Acme"))
    save_receipt(world, 5234, 0, "complete")
    if out == "/dev/full":
        descriptor = os.open(out, os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    code = f"from job_history_airflow.cli import main; main({['status', '--hours', '1', *as_json]})"
    try:
        ended = subprocess.run(
            [sys.executable, "-c", code], stdout=descriptor, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    finally:
        os.close(descriptor)

    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert reason in ended.stderr if reason else not ended.stderr


def test_an_unexpected_error_exits_with_2(
    world: World, job_history: JobHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.accounts(world.account(5234, "Acme"))
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__LEDGER_PATH", "file:///proc/not/a/writable/folder")

    result = job_history("status")

    assert (result.exit_code, result.stdout) == (2, "")


# show-receipt


def test_show_receipt_prints_counts_paths_and_runs(world: World, job_history: JobHistory) -> None:
    destination = {"type": "s3", "conn_id": "s3", "bucket": world.bucket, "prefix": "daily"}
    world.accounts(world.account(5234, "Acme", destination=destination))
    save_receipt(world, 5234, 0, "complete", items=["receipts/items-a-run-0001.parquet"])

    result = job_history("show-receipt", 5234, "2018-05-21T00:00:00Z")

    assert result.exit_code == 0
    assert result.stdout == (
        "account         5234 Acme\n"
        "window          2018-05-21T00:00:00Z to 2018-05-21T01:00:00Z\n"
        "revision        1\n"
        "state           complete\n"
        "destination     type s3, bucket acme-audit\n"
        "settings now    connection s3, prefix daily\n"
        "counted         3 (by query)\n"
        "listed          3\n"
        "delivered       3 (4.1 kB)\n"
        "already present 0\n"
        "filtered        0\n"
        "quarantined     0\n"
        "read at         2018-05-21T01:11:00.000000Z\n"
        "settings        0000000000000000\n"
        "version         0.1.0\n"
        "seal            none yet\n"
        f"items           file://{world.ledger}/receipts/items-a-run-0001.parquet\n"
        "\n"
        "run    finished at           state     delivered  present  quarantined\n"
        "a-run  2018-05-21T01:00:00Z  complete          3        0            0\n"
    )


def test_show_receipt_prints_records_in_no_window(world: World, job_history: JobHistory) -> None:
    save_receipt(world, 5234, 0, "complete_with_quarantine", unplaceable=Unplaceable(3, False, "17", "missing"))

    result = job_history("show-receipt", 5234, "2018-05-21T00:00:00Z")

    assert "in no window    3 (for example id 17: missing)\n" in result.stdout


def test_show_receipt_lists_the_history_and_shows_a_revision(world: World, job_history: JobHistory) -> None:
    save_receipt(world, 5234, 0, "complete", revision=1)
    second = save_receipt(world, 5234, 0, "failed", revision=2)

    history = job_history("show-receipt", 5234, "2018-05-21T00:00:00Z", "--history")
    rows = [line.split()[:3] for line in history.stdout.splitlines()[1:]]
    assert (history.exit_code, rows) == (
        1,
        [["1", "2018-05-21T01:00:00Z", "complete"], ["2", "2018-05-21T01:00:00Z", "failed"]],
    )
    as_json = job_history("show-receipt", 5234, "2018-05-21T00:00:00Z", "--history", "--json")
    assert json.loads(as_json.stdout)[1] == msgspec.to_builtins(second)
    first = job_history("show-receipt", 5234, "2018-05-21T00:00:00Z", "--revision", 1)
    assert (first.exit_code, "state           complete\n" in first.stdout) == (0, True)
    missing = job_history("show-receipt", 5234, "2018-05-21T00:00:00Z", "--revision", 3)
    assert (missing.exit_code, missing.stderr.startswith("There is no revision 3 ")) == (1, True)


@pytest.mark.promise("version-1-ledger")
def test_status_and_show_receipt_read_a_ledger_of_version_1(world: World, job_history: JobHistory) -> None:
    shutil.copytree(ROOT / "tests" / "ledgers" / "version_1", world.ledger, dirs_exist_ok=True)
    world.accounts(world.account(5001, "Account 5001"))

    status = job_history("status", "--json", "--since", "2018-05-21T00:00:00Z", "--until", "2018-05-21T04:00:00Z")
    states = [window["state"] for window in json.loads(status.stdout)["windows"]]
    assert states == ["complete", "complete_with_quarantine", "failed", "complete"]
    shown = job_history("show-receipt", 5001, "2018-05-21T01:00:00Z", "--json")
    assert (json.loads(shown.stdout)["revision"], json.loads(shown.stdout)["counts"]["delivered"]) == (0, 4)
    history = job_history("show-receipt", 5001, "2018-05-21T01:00:00Z", "--history", "--json")
    assert [each["version"] for each in json.loads(history.stdout)] == [1]


def test_show_receipt_as_json_is_the_receipt(world: World, job_history: JobHistory) -> None:
    receipt = save_receipt(world, 5234, 3, "failed")

    result = job_history("show-receipt", 5234, "2018-05-21T03:00:00Z", "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (1, msgspec.to_builtins(receipt))


def test_show_receipt_exits_with_1_if_there_is_none(world: World, job_history: JobHistory) -> None:
    world.ledger.mkdir()
    result = job_history(
        "show-receipt", 5234, "2018-05-21T00:00:00Z", "--window-end", "2018-05-21T00:30:00Z", "--kind", "admin_events"
    )

    assert (result.exit_code, result.stdout, result.stderr) == (
        1,
        "",
        "There is no receipt of account 5234, admin events, window [2018-05-21T00:00:00Z, 2018-05-21T00:30:00Z).\n",
    )


# key

PARTS = {"user_id": 5234, "recipe_id": 234, "job_id": 100, "started_at": "2018-05-21T00:00:00Z", "status": "succeeded"}


def test_key_makes_keys_and_splits_them(job_history: JobHistory) -> None:
    parts = [text for name, value in PARTS.items() for text in (f"--{name.replace('_', '-')}", value)]

    assert job_history("key", *parts).stdout == f"{EXAMPLE_KEY}\n"
    made = json.loads(job_history("key", *parts, "--prefix", "audit", "--json").stdout)
    assert made == {"key": f"audit/{EXAMPLE_KEY}"}
    assert json.loads(job_history("key", made["key"], "--json").stdout) == {"prefix": "audit", **PARTS}
    event = "5234/admin_events/20180521/e-1/5234-e-1-20180521000000-user_login.json"
    assert json.loads(job_history("key", event, "--json").stdout) == {
        "prefix": "",
        "user_id": 5234,
        "event_id": "e-1",
        "occurred_at": "2018-05-21T00:00:00Z",
        "event": "user_login",
    }
    assert job_history("key", EXAMPLE_KEY).stdout.splitlines()[3] == "job_id      100"


def test_key_refuses_invalid_ids(job_history: JobHistory) -> None:
    parts = [text for name, value in PARTS.items() for text in (f"--{name.replace('_', '-')}", value)]

    result = job_history("key", *parts, "--job-id", "a/b")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "job_id 'a/b' is neither a number nor a handle" in result.stderr


# diff


@pytest.fixture
def delivered(world: World, job_store: Path, tmp_path: Path) -> Path:
    """Replicate an hour of 108 jobs to a bucket; return a job store of the test's own."""
    from job_history_airflow.factories.destinations import s3_destination
    from job_history_airflow.factories.sources import source_of

    store = Path(shutil.copy(job_store, tmp_path / "jobs.db"))
    world.connect("job_store", {"conn_type": "sqlite", "host": str(store)})
    reported = world.account(5234, "Acme")
    world.accounts(reported, world.account(77, "Paused", enabled=False))
    acme = Account.model_validate(reported)
    staging = local_storage(tmp_path / "staging")
    source = source_of(acme, EventKind.JOBS, max_document_bytes=40_000_000, staging=staging)
    replicate(acme, source, s3_destination(acme, in_flight=8), local_storage(world.ledger), staging)
    return store


def test_diff_finds_nothing_after_a_complete_run(world: World, job_history: JobHistory, delivered: Path) -> None:
    result = job_history("diff", *HOURS[:2], "--until", "2018-05-21T01:00:00Z")

    assert (result.exit_code, result.stdout.splitlines()[0].split()) == (
        0,
        ["account", "window", "same", "missing", "altered", "extra", "filtered", "quarantined"],
    )
    [row] = [line.split() for line in result.stdout.splitlines()[1:]]
    assert row[:7] == ["5234", "Acme", "2018-05-21T00:00:00Z", "108", "0", "0", "0"]


@pytest.mark.promise("diff")
def test_diff_lists_missing_altered_and_extra_documents(world: World, job_history: JobHistory, delivered: Path) -> None:
    client, (lost, changed, deleted) = world.s3.client(), sorted(world.keys())[:3]
    client.delete_object(Bucket=world.bucket, Key=lost)
    client.put_object(Bucket=world.bucket, Key=changed, Body=b"of another program")
    client.put_object(Bucket=world.bucket, Key="5234/jobs/forged.json", Body=b"{}")
    ids = [str(parts.job_id) for parts in map(parts_of, (lost, changed, deleted)) if isinstance(parts, JobKeyParts)]
    with closing(sqlite3.connect(delivered)) as connection, connection:
        connection.execute("DELETE FROM job_history_jobs WHERE job_id = ?", (int(ids[2]),))

    result = job_history("diff", "--json", *HOURS)

    reported = json.loads(result.stdout)
    first, second = reported.pop("windows")
    assert (result.exit_code, reported) == (
        1,
        {"start": "2018-05-21T00:00:00Z", "end": "2018-05-21T02:00:00Z", "faults": []}
        | {"unknown_objects": [{"account": "5234 Acme", "objects": {"count": 1, "keys": ["5234/jobs/forged.json"]}}]},
    )
    assert {sort: (first[sort], first[f"{sort}_ids"]) for sort in ("missing", "altered", "extra")} == {
        "missing": (1, [ids[0]]),
        "altered": (1, [ids[1]]),
        "extra": (1, [ids[2]]),
    }
    assert (first["same"], second["same"], second["missing"]) == (105, 0, 0)
    assert job_history("diff", *HOURS).stdout.splitlines()[-4:-1] == [
        f"{sort}: 5234 Acme, 2018-05-21T00:00:00Z: {job_id}"
        for sort, job_id in zip(("missing", "altered", "extra"), ids, strict=True)
    ]
    # It was compared, and not repaired.
    left = world.keys()
    assert lost not in left


def test_diff_exits_with_2_for_one_account_and_still_compares_the_others(
    world: World, job_history: JobHistory, delivered: Path
) -> None:
    nowhere = {"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}
    world.accounts(world.account(5236, "Initech", destination=nowhere), world.account(5234, "Acme"))

    result = job_history("diff", "--json", *HOURS[:2], "--until", "2018-05-21T01:00:00Z")

    reported = json.loads(result.stdout)
    assert (result.exit_code, [(each["user_id"], each["same"]) for each in reported["windows"]]) == (2, [(5234, 108)])
    [fault] = reported["faults"]
    assert fault.startswith("Account 5236 Initech, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z): Bucket no-such")
    assert fault in result.stderr


# redrive


@pytest.fixture
def quarantined(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """Replicate an hour to a bucket, when handles were held to be shorter; return the key of the job that is left."""
    from job_history_airflow.factories.destinations import s3_destination

    handle = "j-" + 148 * "x"
    reported = world.account(5234, "Acme")
    world.accounts(reported)
    acme = Account.model_validate(reported)
    destination = s3_destination(acme, in_flight=4)
    source = MemorySource([record(), record(job_id=handle)])
    with monkeypatch.context() as then:
        then.setattr("job_history.model.ids.MAX_HANDLE_LENGTH", 100)
        replicate(acme, source, destination, local_storage(world.ledger), local_storage(world.ledger / "staging"))
    assert world.keys() == {EXAMPLE_KEY}
    return f"5234/jobs/234/20180521/{handle}/5234-234-{handle}-20180521000000-succeeded.json"


@pytest.mark.promise("redrive")
def test_redrive_delivers_quarantined_records_after_the_cause_is_fixed(
    world: World, job_history: JobHistory, quarantined: str
) -> None:
    before = job_history("status", *HOURS[:2], "--until", "2018-05-21T01:00:00Z")
    result = job_history("redrive", *HOURS)

    assert (result.exit_code, result.stdout) == (
        0,
        "account    window                delivered  present  left  state\n"
        "5234 Acme  2018-05-21T00:00:00Z          1        0     0  complete\n",
    )
    assert world.keys() == {EXAMPLE_KEY, quarantined}
    after = job_history("status", *HOURS[:2], "--until", "2018-05-21T01:00:00Z")
    assert ("5234 Acme   q\n" in before.stdout, "5234 Acme   .\n" in after.stdout) == (True, True)
    again = job_history("redrive", *HOURS, "--json")
    assert (again.exit_code, [each["left"] for each in json.loads(again.stdout)["windows"]]) == (0, [{}])


def test_redrive_lists_what_stays_in_quarantine(
    world: World, job_history: JobHistory, quarantined: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_history.model.ids.MAX_HANDLE_LENGTH", 100)

    result = job_history("redrive", *HOURS, "--json")

    assert (result.exit_code, json.loads(result.stdout)) == (
        1,
        {
            "start": "2018-05-21T00:00:00Z",
            "end": "2018-05-21T02:00:00Z",
            "faults": [],
            "windows": [
                {
                    "user_id": 5234,
                    "name": "Acme",
                    "kind": "jobs",
                    "window": WINDOW.as_dict(),
                    "state": "complete_with_quarantine",
                    "delivered": 0,
                    "already_present": 0,
                    "filtered": 0,
                    "left": {"bad_id": 1},
                }
            ],
        },
    )


def test_redrive_exits_with_2_if_a_receipt_or_an_entry_cannot_be_read(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"), world.account(77, "Wrong", colour="red"))
    receipt = save_receipt(world, 5234, 0, "complete_with_quarantine")
    path = receipt_path(5234, EventKind.JOBS, receipt.window)
    (world.ledger / path).write_bytes(b"{")

    result = job_history("redrive", *HOURS)

    unusable, unreadable = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (2, "Nothing was redriven.\n")
    assert "77 Wrong" in unusable
    assert all(text in unreadable for text in ("5234 Acme", "LEDGER_FILE_DAMAGED", path))


def test_seal_goes_on_with_the_other_accounts_if_a_receipt_cannot_be_read(
    world: World, job_history: JobHistory
) -> None:
    world.accounts(world.account(77, "Damaged"), world.account(5234, "Acme"))
    save_receipt(world, 5234, 0, "complete")
    damaged = save_receipt(world, 77, 0, "complete")
    (world.ledger / receipt_path(77, EventKind.JOBS, damaged.window)).write_bytes(b"{")

    result = job_history("seal", *HOURS, "--json")

    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["windows"], len(answer["faults"])) == (2, 1, 1)
    assert "77 Damaged" in answer["faults"][0]
    assert (world.ledger / "_control/seals/5234/jobs/000000000001.json").exists()


def test_redrive_changes_nothing_if_the_destination_fails(
    world: World, job_history: JobHistory, quarantined: str
) -> None:
    world.accounts(world.account(5234, "Acme", destination={"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}))

    result = job_history("redrive", *HOURS)

    assert (result.exit_code, result.stdout) == (2, "Nothing was redriven.\n")
    assert "NoSuchBucket" in result.stderr
    assert world.receipts()[5234, "2018-05-21T00:00:00Z"]["state"] == "complete_with_quarantine"


def test_redrive_without_quarantine_does_nothing(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"))
    save_receipt(world, 5234, 0, "complete")

    result = job_history("redrive", *HOURS)

    assert (result.exit_code, result.stdout) == (0, "Nothing was redriven.\n")


# The console script


def test_help_imports_no_airflow() -> None:
    code = """import sys
from job_history_airflow.cli import main
main(["--help"], standalone_mode=False)
print(sorted({"airflow", "obstore", "pyarrow", "pydantic"} & {*sys.modules}))"""
    reported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert reported.startswith("Usage: ")
    assert reported.splitlines()[-1] == "[]"


def test_connection_that_cannot_be_used_is_one_line_on_stderr(world: World) -> None:
    world.connect("odd", {"conn_type": "aws", "extra": "{not json"})
    world.accounts(world.account(5234, "Odd", destination={"type": "s3", "conn_id": "odd", "bucket": "acme-audit"}))
    save_receipt(world, 5234, 0, "complete")

    ended = in_a_process("verify")

    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "5234 Odd" in ended.stderr


def test_variables_come_from_airflows_database_and_logs_go_to_stderr(world: World) -> None:
    """As for Airflow's own commands: what was entered in the UI is seen, also where no task runs."""
    from airflow.models import Variable

    world.ledger.mkdir()
    world.forget_accounts()
    Variable.set("job_history_accounts", json.dumps([world.account(5234, "Entered")]))  # noqa: AIR311
    try:
        reported = subprocess.run(
            [Path(sys.executable).with_name("job-history"), "diff", "--json", *HOURS],
            env={**os.environ, "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        Variable.delete("job_history_accounts")  # noqa: AIR311

    assert (reported.returncode, {window["name"] for window in json.loads(reported.stdout)["windows"]}) == (
        1,
        {"Entered"},
    )
    assert "[debug" in reported.stderr


@pytest.mark.promise("status-fail-after")
def test_status_fail_after_judges_the_status_file_as_the_watch_does(world: World, job_history: JobHistory) -> None:
    ledger, now = local_storage(world.ledger), datetime.now(UTC)
    world.accounts(world.account(5234, "Acme"))
    assert job_history("status", "--fail-after", "2h").exit_code == 2
    assert "is not a duration" in job_history("status", "--fail-after", "2w").stderr

    account = AccountStatus(user_id=5234, name="Acme", kind=EventKind.JOBS, open=1, oldest_open=WINDOW)
    for expected, accounts, exit_code in (
        (now + timedelta(hours=1), {}, 0),
        (now - timedelta(minutes=1), {}, 1),
        (now + timedelta(hours=1), {account.key: account}, 1),
    ):
        status = Status(generated_at=now, expected_by=ExpectedBy(replication=expected), accounts=accounts)
        ledger.write(PATH, msgspec.json.encode(status))
        result = job_history("status", "--fail-after", "2h", "--json")
        assert (result.exit_code, bool(json.loads(result.stdout)["overdue"])) == (exit_code, bool(exit_code))

    ledger.write(PATH, b"{")
    assert job_history("status", "--fail-after", "2h").exit_code == 2


@pytest.mark.promise("cli-json")
def test_a_ledger_that_is_not_there_is_not_checked_and_not_created(world: World, job_history: JobHistory) -> None:
    world.accounts(world.account(5234, "Acme"))
    shutil.rmtree(world.ledger, ignore_errors=True)

    result = job_history("status", "--json", *HOURS)

    assert result.exit_code == 2
    [fault] = json.loads(result.stdout)["faults"]
    assert str(world.ledger) in fault
    assert not world.ledger.exists()


@pytest.mark.promise("cli-json")
@pytest.mark.parametrize("command", ["check", "diff", "verify"])
def test_a_command_that_imports_airflow_early_prints_one_json_value(world: World, command: str) -> None:
    """Airflow warns of a password that is too short to mask; it logs to standard output."""
    world.connect(
        "s3", {"conn_type": "aws", "login": "a", "password": "b", "extra": {"endpoint_url": "http://[::1]:9"}}
    )
    world.accounts(world.account(5234, "Acme"))
    save_receipt(world, 5234, 0, "complete")

    reported = in_a_process(command, "--json")

    assert isinstance(json.loads(reported.stdout), dict)
    assert "[warning" not in reported.stderr
    assert "[info" not in reported.stderr


def test_a_database_that_is_away_is_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.forget_accounts()
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql+psycopg2://u:p@127.0.0.1:1/none")

    reported = in_a_process("status", *HOURS)

    assert reported.returncode == 2
    assert len(reported.stderr.splitlines()) == 1
    assert "cannot be read now" in reported.stderr


def in_a_process(*arguments: str, code_after: str = "", stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as a shell does, in a process that has not imported Airflow.

    A command that ran in this process has set the levels of Airflow's log for itself.
    """
    levels = {"AIRFLOW__LOGGING__LOGGING_LEVEL", "AIRFLOW__LOGGING__NAMESPACE_LEVELS"}
    environment = {name: value for name, value in os.environ.items() if name not in levels}
    code = f"""import sys
from job_history_airflow.cli import main
try:
    main({list(arguments)})
except SystemExit as end:
    code = end.code
{code_after}
sys.exit(code)"""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.promise("cli-quick")
@pytest.mark.parametrize(
    ("arguments", "costly"),
    [
        (("key", EXAMPLE_KEY), {"airflow", "pydantic", *HEAVY}),
        (("accounts", "validate", "-"), {"airflow", *HEAVY}),
        (("accounts", "export"), HEAVY),
        (("status", *HOURS), HEAVY),
        (("status", "--fail-after", "2h"), HEAVY),
        (("show-receipt", "5234", "2018-05-21T00:00:00Z"), HEAVY),
        (("prove", EXAMPLE_KEY), HEAVY),
        (("keys",), HEAVY),
        # The session with which it writes needs all models.
        (("accounts", "import", "-"), HEAVY - {"airflow.models.dagrun", "airflow.plugins_manager"}),
    ],
    ids=lambda each: "-".join(each[:2]) if isinstance(each, tuple) else "",
)
def test_commands_without_hooks_import_neither_tasks_nor_models_nor_providers(
    world: World, arguments: tuple[str, ...], costly: set[str]
) -> None:
    from airflow.models import Variable

    save_receipt(world, 5234, 0, "complete")
    local_storage(world.ledger).write(PATH, msgspec.json.encode(Status(generated_at=datetime.now(UTC))))
    world.forget_accounts()
    entries = json.dumps([world.account(5234, "Entered")])
    Variable.set("job_history_accounts", entries)  # noqa: AIR311
    try:
        reported = in_a_process(
            *arguments, code_after=f"print('imported', sorted({costly} & {{*sys.modules}}))", stdin=entries
        )
    finally:
        Variable.delete("job_history_accounts")  # noqa: AIR311

    answer, imported = reported.stdout.splitlines()[:-1], reported.stdout.splitlines()[-1]
    assert imported == "imported []"
    # These find nothing here, and explain it.
    assert bool(answer) == (arguments[0] not in {"prove", "keys"})
    assert bool(reported.stderr) == (not answer)


@pytest.mark.promise("cli-quick")
def test_a_command_with_hooks_logs_nothing_if_all_is_well(world: World, delivered: Path) -> None:
    reported = in_a_process("diff", *HOURS)

    assert (reported.returncode, reported.stderr) == (0, "")


@pytest.mark.promise("cli-json")
@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--hours", "many"),
        ("status", "--since", "2018-05-21T00:00:00Z", "--until", "2018-05-20T00:00:00Z"),
        ("status", *HOURS, "--accounts", "404"),
        ("diff", *HOURS),
        ("redrive", *HOURS),
        ("redact", *HOURS),
        ("check",),
        ("show-receipt", "404", "2018-05-21T00:00:00Z"),
        ("key",),
        ("key", "a/b"),
        ("accounts", "validate", "/nowhere.json"),
        ("accounts", "import", "/nowhere.json"),
    ],
)
def test_json_prints_one_value_whatever_happens(
    world: World, job_history: JobHistory, arguments: tuple[str, ...]
) -> None:
    world.accounts(world.account(5234, "Acme", source={"type": "sql", "conn_id": "nowhere"}))

    result = job_history(*arguments, "--json")

    json.loads(result.stdout)
    assert result.exit_code in {0, 1, 2}


# redact


def test_redact_shows_changes_of_a_sample_without_the_values(world: World, job_history: JobHistory) -> None:
    rules = [{"path": "title", "action": "mask"}, {"path": "error", "action": "drop"}]
    world.accounts(world.account(5236, "Initech", redaction=rules), world.account(5235, "Hooli"))
    shown = job_history("redact", *HOURS, "--sample", 3, "--json")

    assert (shown.exit_code, shown.stderr) == (0, "")
    answer = json.loads(shown.stdout)
    assert len(answer["records"]) == 3
    assert {each["account"] for each in answer["records"]} == {"5236 Initech"}
    titles = [change for each in answer["records"] for change in each["record"]["changes"] if change[0] == "title"]
    assert [(path, rule["number"], kind, after) for path, rule, kind, _, after in titles] == [
        ("title", 1, "text", "***")
    ] * len(titles)
    assert len(titles) == 3

    table = job_history("redact", *HOURS, "--sample", 3)
    assert table.exit_code == 0
    assert "3 of 3 records would be changed." in table.stdout
    assert "Without redaction rules, so nothing is changed: 5235 Hooli." in table.stdout
    assert world.keys() == set()


def test_redact_exits_with_2_if_the_key_of_hashes_is_missing(world: World, job_history: JobHistory) -> None:
    rules = [{"path": "title", "action": "hash"}]
    world.accounts(world.account(5236, "Initech", redaction=rules, redaction_key_conn_id="nowhere"))
    shown = job_history("redact", *HOURS)

    assert shown.exit_code == 2
    assert "There is no Airflow connection with the id in redaction_key_conn_id of account 5236 Initech" in shown.stderr
