"""Runs seal what they record, with the key that the config names; what is sealed is proven."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.support.sealed_archive import allowed_signers, key_pair
from tests.support.verifying import Verified, verified

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.destinations.kind import DocumentStore
from job_history.errors import PermanentError, TransientError
from job_history.errors.code import Code
from job_history.storage import Storage, local_storage
from job_history_airflow.factories import sealing
from job_history_airflow.settings import load_accounts
from job_history_verify.allowed_signers import parse_allowed_signers
from job_history_verify.cli import main as verify_main

from .conftest import World, run_dag

OPENSSH = key_pair().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
KEYS = parse_allowed_signers(allowed_signers(key_pair()))


@pytest.fixture
def signing(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    world.connect("seals", {"conn_type": "generic", "password": OPENSSH})
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__SIGNING_CONN_ID", "seals")
    return world


def copy_of_bucket(world: World, folder: Path) -> Path:
    client = world.s3.client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=world.bucket):
        for entry in page.get("Contents", []):
            if "_control/seals" in entry["Key"] or "_control/" not in entry["Key"]:
                path = folder / entry["Key"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(client.get_object(Bucket=world.bucket, Key=entry["Key"])["Body"].read())
    return folder


def verified_copy(world: World, folder: Path) -> Verified:
    return verified(copy_of_bucket(world, folder), KEYS)


@pytest.mark.promise("proof-verifies")
def test_copied_bucket_of_two_runs_is_proven(signing: World, tmp_path: Path) -> None:
    signing.accounts(signing.account(5234, "Acme"), signing.account(5237, "Umbrella"))
    assert run_dag("job_history_replication")[0] == "success"
    assert run_dag("job_history_replication", mode="repair")[0] == "success"
    result = verified_copy(signing, tmp_path / "copy")
    assert (result.code, result.documents) == (0, {"proven": 108}), result.findings
    reasons = [
        json.loads(path.read_bytes())["reason"] for path in sorted((tmp_path / "copy").rglob("5234/jobs/0*.json"))
    ]
    assert reasons == ["run", "repair"]
    assert result.hours == {"proven": 2}
    assert sorted(head.partition(":")[0] for head in result.heads) == ["5234/jobs/2", "5237/jobs/2"]


def test_runs_without_a_key_write_an_unsigned_chain(world: World, tmp_path: Path) -> None:
    world.accounts(world.account(5236, "Initech"))
    assert run_dag("job_history_replication")[0] == "success"
    assert verified_copy(world, tmp_path / "copy").documents == {"unsigned": 35}


@pytest.mark.parametrize("password", ["", "not a key"])
def test_unusable_key_delays_the_seal_and_delivers_all_the_same(signing: World, tmp_path: Path, password: str) -> None:
    from job_history_airflow.factories.sealing import signer_of_installation

    signing.connect("seals", {"conn_type": "generic", "password": password})
    with pytest.raises(PermanentError) as error:
        signer_of_installation()
    assert error.value.code is Code.SIGNING_KEY_UNUSABLE
    signing.accounts(signing.account(5236, "Initech"))
    assert run_dag("job_history_replication")[0] == "success"
    assert len(list((signing.ledger / "_control/unsealed").rglob("2018*"))) == 1
    signing.connect("seals", {"conn_type": "generic", "password": OPENSSH})
    assert run_dag("job_history_replication", mode="repair")[0] == "success"
    assert verified_copy(signing, tmp_path / "copy").documents == {"proven": 35}
    assert not list((signing.ledger / "_control/unsealed").rglob("2018*"))


def test_commands_verify_prove_and_name_the_key(signing: World, tmp_path: Path) -> None:
    from job_history_airflow.cli import main

    def job_history(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments])

    signing.accounts(signing.account(5236, "Initech"))
    assert run_dag("job_history_replication")[0] == "success"
    line = job_history("keys").stdout
    assert parse_allowed_signers(line).knows(KEYS.keys[0].public_key)

    answer = json.loads(job_history("verify", "--json").stdout)["accounts"][0]
    assert (answer["exit_code"], answer["documents"], answer["findings"]) == (0, {"proven": 35}, [])

    key = min(signing.keys())
    (tmp_path / "allowed_signers").write_text(line)
    document = copy_of_bucket(signing, tmp_path / "copy") / key
    assert job_history("prove", key, "--out", tmp_path / "proof.json").exit_code == 0
    check = [str(document), "--proof", str(tmp_path / "proof.json"), "--keys", str(tmp_path / "allowed_signers")]
    assert verify_main(check) == 0
    document.write_bytes(document.read_bytes() + b" ")
    assert verify_main(check) == 1
    for nowhere in (["--out", tmp_path / "nowhere" / "proof.json"], ["--out", tmp_path]):
        refused = job_history("prove", key, *nowhere)
        assert (refused.exit_code, "Traceback" in refused.output) == (2, False)
    sums = next((signing.ledger / "_control/seals/5236/jobs/sums").iterdir())
    sums.rename(tmp_path / "sums.gz")
    lost = job_history("prove", key)
    assert (lost.exit_code, "sums differ" in lost.output) == (2, True)
    (tmp_path / "sums.gz").rename(sums)
    assert job_history("prove", key.replace("5236", "9999")).exit_code == 1

    for arguments in (
        ["--expect-head", f"9999/jobs/1:{'0' * 64}"],
        ["--expect-head", "5236/jobs/1:short"],
        ["--since", "2018-05-21T01:00:00Z", "--until", "2018-05-21T01:00:00Z"],
        ["--keys", tmp_path / "proof.json"],
    ):
        refused = job_history("verify", *arguments)
        assert (refused.exit_code, "Traceback" in refused.output) == (2, False), arguments
    assert job_history("verify", "--expect-head", f"5236/jobs/1:{'0' * 64}").exit_code == 1

    signing.s3.client().put_object(Bucket=signing.bucket, Key=key, Body=b"{}")
    changed = job_history("verify")
    assert (changed.exit_code, "modified: 5236 Initech" in changed.stdout) == (1, True)


def test_command_seals_windows_that_have_no_seal(
    signing: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from job_history_airflow.cli import main

    hours = ["--since", "2018-05-21T00:00:00Z", "--until", "2018-05-21T01:00:00Z"]
    signing.accounts(signing.account(5237, "Umbrella"))
    monkeypatch.setattr("job_history_airflow.operators.report.sealing_of_installation", lambda: None)
    assert run_dag("job_history_replication")[0] == "success"
    for _ in range(2):
        answer = CliRunner().invoke(main, ["seal", *hours, "--json"])
        assert (answer.exit_code, json.loads(answer.stdout)["windows"]) == (0, 1)
    folder = copy_of_bucket(signing, tmp_path / "copy")
    seals = sorted((folder / "_control/seals/5237/jobs").glob("*.json"))
    assert [json.loads(path.read_bytes())["reason"] for path in seals] == ["sealed_later"]
    assert verified(folder, KEYS).code == 0
    signing.s3.client().delete_object(Bucket=signing.bucket, Key="_control/seals/5237/jobs/000000000001.json")
    assert CliRunner().invoke(main, ["seal", *hours]).exit_code == 0
    assert verified(copy_of_bucket(signing, tmp_path / "again"), KEYS).code == 0


def test_preflight_warns_of_an_unusable_key_and_of_a_bucket_that_takes_no_seals(signing: World) -> None:
    from job_history_airflow.factories.sealing import check_seals_can_be_copied, check_signing_key, check_witness

    account = Account.model_validate(signing.account(5236, "Initech"))
    assert (check_signing_key(), check_seals_can_be_copied(account)) == ([], [])
    assert check_seals_can_be_copied(account) == []
    for witness, found in (("seals", [Code.WITNESS_UNUSABLE]), ("absent", [Code.WITNESS_UNUSABLE]), (None, [])):
        of_witness = Account.model_validate(signing.account(5236, "Initech", witness_conn_id=witness))
        assert [each.code for each in check_witness(of_witness)] == found
    signing.connect("audit", {"conn_type": "sumo_logic", "password": "https://endpoint.example/receiver/v1/http/x"})
    assert check_witness(Account.model_validate(signing.account(5236, "Initech", witness_conn_id="audit"))) == []
    away = {"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}
    account = Account.model_validate(signing.account(5236, "Initech", destination=away))
    assert [found.code for found in check_seals_can_be_copied(account)] == [Code.SEALS_NOT_WRITABLE]
    signing.connect("seals", {"conn_type": "generic", "password": "not a key"})
    assert [found.code for found in check_signing_key()] == [Code.SIGNING_KEY_UNUSABLE]


def test_preflight_writes_as_the_copy_does_to_a_store_that_cannot_create_only(
    signing: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class NoConditions(Storage):
        def create(self, path: str, content: bytes) -> bool:
            raise PermanentError(f"501 NotImplemented: If-None-Match of {path}, {len(content)} bytes")

    kept = local_storage(tmp_path)
    store = DocumentStore(NoConditions(kept.files, kept.root), overwrites=True, description={})
    monkeypatch.setattr(sealing, "open_store", lambda _: store)
    account = Account.model_validate(signing.account(5236, "Initech"))
    assert [sealing.check_seals_can_be_copied(account) for _ in range(2)] == [[], []]
    assert kept.read("_control/seals/preflight.txt")


def test_threads_that_seal_many_chains_read_the_accounts_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.accounts(world.account(5234, "Acme"))
    read: list[object] = []

    def load_slowly() -> Accounts:
        read.append(object())
        time.sleep(0.05)
        return load_accounts()

    monkeypatch.setattr(sealing, "load_accounts", load_slowly)
    place_of = sealing.sealing_of_installation().place_of
    with ThreadPoolExecutor(8) as threads:
        places = list(threads.map(place_of, [5234] * 8))

    assert all(places)
    assert len(read) == 1


def test_witness_that_hangs_is_asked_twice_for_a_limited_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_WITNESS_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/receiver/v1/http/token"
        world.connect("audit", {"conn_type": "sumo_logic", "password": url})
        world.accounts(world.account(5234, "Acme", witness_conn_id="audit"))
        witness = sealing.sealing_of_installation().witness_of(5234)
        assert witness is not None

        with pytest.raises(TransientError) as raised:
            witness.send(b"{}\n")

        silent.settimeout(0)
        for _ in range(2):
            silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert raised.value.code is Code.SUMO_LOGIC_NO_ANSWER
