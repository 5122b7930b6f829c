"""Runs seal what they record, with the key that the config names; what is sealed is proven."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.support.sealed_archive import allowed_signers, key_pair
from tests.support.verifying import Verified, verified

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history_verify.allowed_signers import parse_allowed_signers

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


def test_copied_bucket_of_two_runs_is_proven(signing: World, tmp_path: Path) -> None:
    signing.accounts(signing.account(5234, "Acme"), signing.account(5237, "Umbrella"))
    assert run_dag("job_history_replication")[0] == "success"
    assert run_dag("job_history_replication", mode="repair")[0] == "success"
    result = verified_copy(signing, tmp_path / "copy")
    assert (result.code, result.documents) == (0, {"proven": 108}), result.findings
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
