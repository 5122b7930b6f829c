"""Preflights of real parts: what a store, and a database, do of their own accord when something is not as it should
be.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from tests.support.ceph_rgw import CephGateway
from tests.support.deliveries import access
from tests.support.job_stores import PostgresStore

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.errors.code import Code
from job_history.errors.finding import Finding
from job_history.preflight.probe import PROBES
from job_history.preflight.s3 import ProbingClients, S3Check
from job_history.preflight.sources import check_source
from simulators.postgres import PostgresServer
from simulators.s3_endpoint import S3Endpoint


def account_to(bucket: str, **settings: Any) -> Account:
    return Account.model_validate(
        {
            "user_id": 5234,
            "name": "Acme",
            "source": {"type": "sql", "conn_id": "job_store"},
            "destination": {"type": "s3", "conn_id": "acme_s3", "bucket": bucket, **settings},
            "events": {"job_history": True, "line_details": True},
        }
    )


def check(
    endpoint: S3Endpoint, bucket: str, *, region: str | None = None, transport: str = "auto", **settings: Any
) -> list[Finding]:
    account = account_to(bucket, transport=transport, **settings)
    assert isinstance(account.destination, S3DestinationSettings)
    found = access(endpoint, bucket, region=region, transport=transport, **settings)
    return S3Check(ProbingClients(found), account, account.destination, now=lambda: datetime.now(UTC)).findings()


def codes(found: list[Finding]) -> list[Code]:
    return [finding.code for finding in found]


def new_bucket(endpoint: S3Endpoint, **options: Any) -> str:
    bucket = f"preflight-{uuid4().hex[:12]}"
    endpoint.create_bucket(bucket, **options)
    return bucket


@pytest.mark.promise("preflight-leaves-little")
def test_any_number_of_preflights_leaves_one_version_of_one_object(moto: S3Endpoint) -> None:
    bucket = new_bucket(moto, versioned=True)

    assert [check(moto, bucket, prefix="audit") for _ in range(3)] == [[], [], []]

    versions = moto.client().list_object_versions(Bucket=bucket)["Versions"]
    assert [version["Key"].startswith(f"audit/{PROBES}/5234-") for version in versions] == [True]


@pytest.mark.parametrize(
    "settings",
    [
        {"server_side_encryption": "AES256"},
        {"server_side_encryption": "aws:kms"},
        {"server_side_encryption": "aws:kms", "kms_key_id": "arn:aws:kms:us-east-1:123456789012:key/2f"},
    ],
    ids=["AES256", "kms", "a kms key"],
)
def test_encryption_as_set(moto: S3Endpoint, settings: dict[str, str]) -> None:
    assert check(moto, new_bucket(moto), **settings) == []


@pytest.mark.ceph
@pytest.mark.parametrize("transport", ["auto", "boto3"])
class TestStrictStore:
    def test_a_bucket_that_is_as_it_should_be(self, ceph: CephGateway, transport: str) -> None:
        bucket = new_bucket(ceph)

        assert [check(ceph, bucket, transport=transport), check(ceph, bucket, transport=transport)] == [[], []]
        assert check(ceph, bucket, transport=transport, write_mode="overwrite") == []

    def test_no_such_bucket(self, ceph: CephGateway, transport: str) -> None:
        assert codes(check(ceph, f"missing-{uuid4().hex[:12]}", transport=transport)) == [Code.S3_NO_SUCH_BUCKET]

    def test_keys_that_are_wrong(self, ceph: CephGateway, transport: str) -> None:
        bucket = new_bucket(ceph)

        assert codes(check(replace(ceph, secret_key="wrong"), bucket, transport=transport)) == [
            Code.S3_WRONG_SECRET_KEY
        ]
        assert codes(check(replace(ceph, access_key="unknown"), bucket, transport=transport)) == [
            Code.S3_UNKNOWN_ACCESS_KEY
        ]

    @pytest.mark.promise("preflight-create-only")
    def test_create_only_that_is_ignored(self, ceph: CephGateway, transport: str) -> None:
        """Ceph 16 does so in a bucket that keeps versions."""
        assert codes(check(ceph, new_bucket(ceph, versioned=True), transport=transport)) == [
            Code.S3_CREATE_ONLY_IGNORED
        ]


class TestPostgres:
    def test_an_identity_that_may_read_jobs_but_no_lines(self, postgres: PostgresServer) -> None:
        store = PostgresStore(postgres)
        reader = f"reader_{uuid4().hex[:8]}"
        store.execute(f"CREATE ROLE {reader}", f"GRANT SELECT ON job_history_jobs TO {reader}")

        class AsReader(PostgresStore):
            def __init__(self) -> None:
                self.uri = store.uri

            def connect(self) -> Any:
                connection = psycopg.connect(self.uri)
                connection.execute(f"SET ROLE {reader}")
                connection.commit()
                return connection

        account = account_to("acme-audit")
        assert check_source(store.source(), account) == []
        (found,) = check_source(AsReader().source(), account)
        assert (found.code, found.cause) == (
            Code.SQL_NOT_READABLE,
            "Account 5234 Acme, source 'job_store': it cannot be read: permission denied for table job_history_lines "
            "(InsufficientPrivilege, SQLSTATE 42501).",
        )
        store.execute(f"DROP OWNED BY {reader}", f"DROP ROLE {reader}")

    def test_a_column_of_a_type_that_cannot_be_read(self, postgres: PostgresServer) -> None:
        store = PostgresStore(postgres)
        store.execute("ALTER TABLE job_history_jobs ALTER COLUMN user_id TYPE uuid USING NULL")

        assert codes(check_source(store.source(), account_to("acme-audit"))) == [Code.SQL_NOT_READABLE]
