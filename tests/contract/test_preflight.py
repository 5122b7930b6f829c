"""Preflights of real parts: what a store, and a database, do of their own accord when something is not as it should be."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import boto3
import psycopg
import pytest
from tests.support.ceph_rgw import CephGateway
from tests.support.job_stores import PostgresStore

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.destinations.s3 import S3Access
from job_history.errors.code import Code
from job_history.errors.finding import Finding
from job_history.preflight.s3 import PROBES, S3Check
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


def check(endpoint: S3Endpoint, bucket: str, *, region: str | None = None, **settings: Any) -> list[Finding]:
    account = account_to(bucket, **settings)
    assert isinstance(account.destination, S3DestinationSettings)
    session = boto3.Session(aws_access_key_id=endpoint.access_key, aws_secret_access_key=endpoint.secret_key)
    access = S3Access(bucket=bucket, credentials=dict, region=region, endpoint_url=endpoint.url)
    return S3Check(session, access, account, account.destination, now=lambda: datetime.now(UTC)).findings()


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
class TestStrictStore:
    def test_a_bucket_that_is_as_it_should_be(self, ceph: CephGateway) -> None:
        bucket = new_bucket(ceph)

        assert [check(ceph, bucket), check(ceph, bucket)] == [[], []]
        assert check(ceph, bucket, write_mode="overwrite") == []

    def test_no_such_bucket(self, ceph: CephGateway) -> None:
        assert codes(check(ceph, f"missing-{uuid4().hex[:12]}")) == [Code.S3_NO_SUCH_BUCKET]

    def test_keys_that_are_wrong(self, ceph: CephGateway) -> None:
        bucket = new_bucket(ceph)

        assert codes(check(replace(ceph, secret_key="wrong"), bucket)) == [Code.S3_WRONG_SECRET_KEY]
        assert codes(check(replace(ceph, access_key="unknown"), bucket)) == [Code.S3_UNKNOWN_ACCESS_KEY]

    @pytest.mark.promise("preflight-create-only")
    def test_create_only_that_is_ignored(self, ceph: CephGateway) -> None:
        """Ceph 16 does so in a bucket that keeps versions."""
        assert codes(check(ceph, new_bucket(ceph, versioned=True))) == [Code.S3_CREATE_ONLY_IGNORED]


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
