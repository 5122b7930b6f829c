"""A whole run with redaction rules: what reaches the bucket, and that the key of the hashes reaches nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .conftest import World
from .test_replication_run import FINISHED, run

KEY = "jh-redaction-key-5f1c3b7a9e2d4c6b8a0f"
RULES = [{"path": "title", "action": "hash"}, {"path": "lines[*].output", "action": "mask"}]


def redacting(world: World) -> dict:
    return world.account(
        5236, "Initech", redaction=RULES, redaction_name="no-titles", redaction_key_conn_id="redaction_key"
    )


def bodies(world: World) -> dict[str, dict]:
    client = world.s3.client()
    return {
        key: json.loads(client.get_object(Bucket=world.bucket, Key=key)["Body"].read()) for key in sorted(world.keys())
    }


def titles(job_store: Path) -> dict[str, str | None]:
    with closing(sqlite3.connect(job_store)) as connection:
        rows = connection.execute("SELECT job_id, title FROM job_history_jobs WHERE user_id = 5236").fetchall()
    return {str(job_id): title for job_id, title in rows}


@pytest.mark.promise("redaction-policy-named")
def test_documents_leave_redacted_and_receipt_and_objects_say_by_which_policy(
    world: World, job_store: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    world.connect("redaction_key", {"conn_type": "generic", "password": KEY})
    world.accounts(redacting(world))
    state, _ = run()

    assert state == "success"
    found = bodies(world)
    assert len(found) == FINISHED[5236]
    titles_before = titles(job_store)
    assert {str(body["id"]): body["title"] for body in found.values()} == {
        str(body["id"]): hash_of(titles_before[str(body["id"])]) for body in found.values()
    }
    outputs = {str(line["output"]) for body in found.values() for line in body["lines"]}
    assert outputs <= {"***", str({"data": "masked"}), "None"}
    assert "***" in outputs
    receipt = world.receipts()[5236, "2018-05-21T00:00:00Z"]
    [policy] = receipt["redaction"]
    assert policy["id"] == f"no-titles-{policy['sha256'][:12]}"
    head = world.s3.client().head_object(Bucket=world.bucket, Key=min(found))
    assert {name: value for name, value in head["Metadata"].items() if name.startswith("redaction")} == {
        "redaction_policy": policy["id"],
        "redaction_sha256": policy["sha256"],
    }
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    printed = capfd.readouterr()
    assert KEY not in written.decode(errors="replace") + caplog.text + printed.out + printed.err


def hash_of(title: str | None) -> str | None:
    return None if title is None else hmac.new(KEY.encode(), title.encode(), hashlib.sha256).hexdigest()


@pytest.mark.promise("redaction-rule-errors")
@pytest.mark.parametrize(
    ("connection", "detail"),
    [
        (
            None,
            "There is no Airflow connection with the id in redaction_key_conn_id of account 5236 Initech, for",
        ),
        ({"conn_type": "generic"}, "has no password of at least 32 characters"),
        ({"conn_type": "generic", "password": "short-secret"}, "has no password of at least 32 characters"),
    ],
)
def test_without_a_fit_key_nothing_of_the_account_leaves(world: World, connection: dict | None, detail: str) -> None:
    if connection is not None:
        world.connect("redaction_key", connection)
    world.accounts(redacting(world))

    assert run()[0] == "failed"
    [fault] = world.receipts()[5236, "2018-05-21T00:00:00Z"]["faults"]
    assert detail in fault
    assert "for its redaction rule 1" in fault
    assert "short-secret" not in fault
    assert world.keys() == set()
