"""Secrets and ruled values after whole runs, most of which fail: looked for wherever a run leaves anything."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
import zstandard
from tests.support.canary import Found, Place, files_below, rows_of, versions_in
from tests.support.echoing_accounts import (
    BUCKET,
    OTHERS_REFUSE,
    PASSED_ALREADY,
    PLAIN,
    RULED_OTHERS,
    RULED_S3,
    RULED_SUMO_LOGIC,
    RULED_WORKATO,
    S3_REFUSES_LOAD,
    S3_REFUSES_PROBE,
    SQL_QUOTES_A_VALUE,
    SQL_REFUSES,
    SUMO_LOGIC_REFUSES_LOAD,
    SUMO_LOGIC_REFUSES_PROBE,
    WORKATO_REFUSES,
    EchoingAccounts,
    echoing_accounts,
)

from job_history.accounts.account import Account
from job_history.documents.object_key import job_key
from job_history.ledger.receipt_store import read_receipt
from job_history.ledger.status_file import read_status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.preflight.notes import PreflightNotes
from job_history.storage import local_storage

from .conftest import ACCOUNTS, DAG_ID, HOUR, PAST_DAY, Installation

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

START = PAST_DAY - 12 * HOUR
WINDOW = ("--since", f"{START:%Y-%m-%dT%H:%M:%SZ}", "--until", f"{START + HOUR:%Y-%m-%dT%H:%M:%SZ}")
# What a run may keep of records: as they came, in staging and in quarantine, which are the user's own.
AS_THEY_CAME = ("staged records", "quarantine")


@dataclass(repr=False)
class Searched:
    """An installation after a run of the accounts."""

    installation: Installation
    made: EchoingAccounts
    run_id: str
    printed: list[Place]
    metrics: list[str]

    def places(self) -> Iterator[Place]:
        """All that the run, and a look at what it did, has left anywhere."""
        stack = self.installation.stack
        yield from files_below("log", stack.log_directory)
        for place in files_below("home", stack.home):
            yield place._replace(kind=kind_of(place.name))
        with self.installation.postgres.psycopg_connection("airflow") as connection:
            yield from rows_of("metadata", connection)
        yield from versions_in("bucket", self.installation.s3.client(), BUCKET)
        assert self.made.sumo_logic is not None
        for message in self.made.sumo_logic.messages():
            yield Place("sumo logic", message.source_category, message.text.encode())
        assert self.made.receivers is not None
        for text in self.made.receivers.stored:
            yield Place("receiver", "", text.encode())
        assert self.made.google is not None
        for key, stored in self.made.google.buckets[BUCKET].items():
            yield Place("google", key, stored.content)
            yield Place("google", key, json.dumps(stored.metadata).encode())
        for path, body in self.installation.posts:
            yield Place("notification", path, json.dumps(body).encode())
        yield Place("metrics", "udp", "\n".join(self.metrics).encode())
        yield from self.printed

    def found(self) -> set[Found]:
        return self.made.canaries.search(self.places())


def kind_of(path: str) -> str:
    """Of which kind a file below $AIRFLOW_HOME is."""
    if path.startswith("logs/"):
        return "log"
    if not path.startswith("job_history/"):
        return "home"
    if "/quarantine/" in path:
        # Of a conflict, the document is kept, as the rules left it.
        return "quarantined document" if "/conflict/" in path else "quarantine"
    if path.endswith(("/jobs.jsonl.zst", "/admin_events.jsonl.zst")):
        return "staged records"
    return "staged document" if path.endswith("/documents.jsonl.zst") else "notes"


@pytest.fixture(scope="module")
def searched(installation: Installation) -> Iterator[Searched]:
    with echoing_accounts(installation.postgres, installation.s3, START) as made:
        put_another_object_where_a_document_belongs(installation)
        api, passed = installation.stack.api, PreflightNotes(local_storage(installation.ledger))
        for conn_id, connection in made.connections.items():
            api.post("/connections", {"connection_id": conn_id, **connection})
        for account in made.accounts:
            if account["user_id"] in PASSED_ALREADY:
                passed.note_passed(Account.model_validate(account), [], START)
        installation.set_accounts(made.accounts)
        api.unpause(DAG_ID)
        conf = {"window_start": WINDOW[1], "window_end": WINDOW[3]}
        run_id = api.trigger(DAG_ID, conf=conf).dag_run_id
        assert api.wait_run(DAG_ID, run_id, timeout=400).state == "failed"
        printed = [*printed_by_commands(installation), *shown_by_pages(installation)]
        yield Searched(installation, made, run_id, printed, installation.metrics.lines())
        installation.set_accounts(ACCOUNTS)
        for conn_id in made.connections:
            api.delete(f"/connections/{conn_id}")


def put_another_object_where_a_document_belongs(installation: Installation) -> None:
    started_at = START + timedelta(minutes=30)
    key = job_key(prefix="", user_id=RULED_S3, recipe_id=234, job_id=1, started_at=started_at, status="failed")
    installation.s3.client().put_object(Bucket=BUCKET, Key=key, Body=b"{}\n")


def printed_by_commands(installation: Installation) -> list[Place]:
    """What the commands print of this window, together because each needs seconds to start."""
    command = Path(sys.executable).with_name("job-history")
    asked = [
        ("status", *WINDOW),
        ("diff", *WINDOW),
        ("redact", *WINDOW),
        ("show-receipt", str(S3_REFUSES_LOAD), WINDOW[1]),
        ("check",),
        ("accounts", "export"),
    ]
    running = [
        subprocess.Popen(
            [command, *arguments, *(() if "export" in arguments else ("--json",))],
            env=installation.stack.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for arguments in asked
    ]
    return [
        Place("command", arguments[0], process.communicate()[0])
        for arguments, process in zip(asked, running, strict=True)
    ]


def shown_by_pages(installation: Installation) -> list[Place]:
    window = {"start": WINDOW[1], "end": WINDOW[3]}
    pages: list[tuple[str, dict[str, str]]] = [
        ("setup", {}),
        ("status", {"until": WINDOW[3]}),
        ("api/status", {"until": WINDOW[3]}),
        *((f"status/windows/{user_id}/jobs", window) for user_id in (RULED_S3, S3_REFUSES_LOAD, S3_REFUSES_PROBE)),
    ]
    shown = []
    for path, asked in pages:
        answer = requests.get(f"{installation.stack.url}/job-history/{path}", params=asked, timeout=60)
        assert answer.ok, answer.text
        shown.append(Place("page", path, answer.content))
    return shown


def test_the_run_came_to_what_it_was_to_come_to(searched: Searched) -> None:
    """Otherwise there was no message that a secret could have been in."""
    ledger, window = local_storage(searched.installation.ledger), Window(START, START + HOUR)
    receipts = [read_receipt(ledger, account["user_id"], EventKind.JOBS, window) for account in searched.made.accounts]
    assert {receipt.user_id: receipt.state for receipt in receipts if receipt} == {
        PLAIN: "complete_with_quarantine",
        RULED_S3: "complete_with_quarantine",
        RULED_SUMO_LOGIC: "complete",
        RULED_WORKATO: "complete",
        **dict.fromkeys((S3_REFUSES_PROBE, S3_REFUSES_LOAD), "failed"),
        **dict.fromkeys((SUMO_LOGIC_REFUSES_PROBE, SUMO_LOGIC_REFUSES_LOAD), "failed"),
        **dict.fromkeys(RULED_OTHERS.values(), "complete"),
        **dict.fromkeys(OTHERS_REFUSE.values(), "failed"),
        **dict.fromkeys((WORKATO_REFUSES, SQL_REFUSES, SQL_QUOTES_A_VALUE), "failed"),
    }


@pytest.mark.promise("canaries")
def test_no_secret_and_no_ruled_value_is_where_it_may_not_be(searched: Searched) -> None:
    found = searched.found()

    assert {each for each in found if not may_be(each)} == set()
    # And it was looked where something is.
    assert searched.made.receivers is not None
    assert len(searched.made.receivers.stored) >= len(RULED_OTHERS) - 1
    assert searched.made.google is not None
    assert searched.made.google.buckets[BUCKET]
    assert str(S3_REFUSES_LOAD) in json.dumps(searched.installation.posts)
    assert any("job_history.documents" in line for line in searched.metrics)
    assert "shared.load" in (searched.installation.stack.home / "openlineage.jsonl").read_text()
    status = read_status(local_storage(searched.installation.ledger))
    assert status is not None
    # What was notified is among what was searched.
    assert any(str(S3_REFUSES_LOAD) in taken for taken in status.notified.values())
    job_data = searched.made.canaries.named(f"{PLAIN} ")
    assert {each.canary for each in found if each.kind == "bucket"} == {name for name in job_data if "bad" not in name}
    assert {each.canary for each in found if each.kind == "quarantine"} == {
        name for name in searched.made.canaries.planted if " bad " in name or "too deep" in name
    }


def may_be(found: Found) -> bool:
    if found.canary.startswith("connection: "):
        # A login is none of Airflow's secrets: it shows it, also in its audit log.
        is_login = found.canary.startswith("connection: access key id")
        return is_login and found.name in {"connection.login", "log.extra"}
    if found.kind in AS_THEY_CAME:
        return True
    return found.canary.startswith(f"{PLAIN} ") and found.kind in {"bucket", "staged document"}


@pytest.mark.promise("canaries")
def test_the_search_finds_what_is_planted_on_purpose_in_each_kind_of_place(searched: Searched) -> None:
    word = searched.made.canaries.word("connection: planted on purpose")
    stack, client = searched.installation.stack, searched.installation.s3.client()
    folder = stack.home / "job_history"
    packed = zstandard.ZstdCompressor().compress(word.encode())
    files = {
        stack.home / "logs" / "planted" / "attempt=1.log": json.dumps({"event": f"with {word}"}).encode(),
        stack.home / "planted.cfg": base64.b64encode(f"user:{word}".encode()),
        folder / "ledger" / "receipts" / "planted.json": quote(f"/{word}").encode(),
        folder / "ledger" / "_control" / "quarantine" / "planted" / "entries.jsonl.zst": packed,
        folder / "ledger" / "_control" / "quarantine" / "conflict" / "entries.jsonl.zst": packed,
        folder / "staging" / "planted" / "jobs.jsonl.zst": packed,
        folder / "staging" / "planted" / "documents.jsonl.zst": packed,
    }
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    entry = {"key": "planted", "value": {"text": f'"{word}"'}, "map_index": -1}
    xcom = f"/dags/{DAG_ID}/dagRuns/{quote(searched.run_id, safe='')}/taskInstances/report/xcomEntries"
    stack.api.post(xcom, entry)
    client.put_object(Bucket=BUCKET, Key="planted", Body=b"{}", Metadata={"planted": word})
    client.put_object(Bucket=BUCKET, Key="planted", Body=b"{}")
    assert searched.made.sumo_logic is not None
    requests.post(searched.made.sumo_logic.url, data=f'{{"text":"{word}"}}', timeout=10).raise_for_status()
    try:
        found = searched.found()
    finally:
        for path in files:
            path.unlink()

    assert {each.kind for each in found if each.canary == "connection: planted on purpose"} == {
        "log",
        "home",
        "notes",
        "quarantine",
        "quarantined document",
        "staged records",
        "staged document",
        "metadata",
        "bucket",
        "sumo logic",
    }
