"""An `aws` connection that cannot be used, whatever is wrong with it, is one error that names it and repeats no secret.

The error comes before the first request, or from the client's first request, on both clients.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.support.deliveries import settings

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code

SECRET = "CANARY-secret"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def refused(monkeypatch: pytest.MonkeyPatch, extra: Any, bucket: str | None = "acme-audit", **fields: Any) -> Any:
    """Return the error of a connection with this extra, which must name the connection and not its secret."""
    from job_history_airflow.factories.s3 import bucket_access

    written = {"region_name": "us-east-1", **extra}
    connection = {"conn_type": "aws", "login": "AKIA", "password": SECRET, "extra": written, **fields}
    monkeypatch.setenv("AIRFLOW_CONN_S3", json.dumps(connection))
    with pytest.raises(ReplicationError) as raised:
        bucket_access("s3", bucket, "destination.conn_id of account 5234")
    assert "destination.conn_id of account 5234" in str(raised.value)
    assert SECRET not in str(raised.value)
    assert raised.value.__suppress_context__
    return raised.value


@pytest.mark.parametrize(
    "extra",
    [
        {"endpoint_url": 5},
        {"service_config": [1]},
        {"service_config": {"s3": "x"}},
        {"session_kwargs": "x"},
        {"session_kwargs": {"profile_name": "audit"}},
        {"config_kwargs": "x"},
        {"config_kwargs": {"s3": "x"}},
        {"config_kwargs": {"retries": 5}},
        {"config_kwargs": {"proxies": f"http://user:{SECRET}@proxy"}},
        {"config_kwargs": {"proxies": {"https": 5}}},
        {"config_kwargs": {"connect_timeout": None}},
        {"config_kwargs": {"read_timeout": 1e18}},
        {"config_kwargs": {"read_timeout": "7"}},
        {"config_kwargs": {"max_pool_connections": 0}},
        {"config_kwargs": {"max_pool_connections": "5"}},
    ],
    ids=str,
)
def test_an_extra_of_the_wrong_type_is_an_error(monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]) -> None:
    error = refused(monkeypatch, extra)

    assert (type(error), error.code) == (PermanentError, Code.CONNECTION_UNUSABLE)


@pytest.mark.parametrize("name", ["a\n", "..", "a/b", " a", "a?b", 5, ["x"], "arn:"])
def test_a_connections_bucket_that_is_no_name_is_an_error(monkeypatch: pytest.MonkeyPatch, name: Any) -> None:
    error = refused(monkeypatch, {"service_config": {"s3": {"bucket_name": name}}}, bucket=None)

    assert (type(error), error.code) == (PermanentError, Code.CONNECTION_UNUSABLE)


@pytest.mark.parametrize("of_environment", [False, True])
@pytest.mark.parametrize(
    "url", [f"http:\\\\u:{SECRET}@h", f"u:{SECRET}@h:9000", f"http://h/?user=u:{SECRET}@b", f"http://u:{SECRET}@[::1"]
)
def test_a_password_in_an_endpoint_that_is_no_url(
    monkeypatch: pytest.MonkeyPatch, url: str, *, of_environment: bool
) -> None:
    if of_environment:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)

    error = refused(monkeypatch, {} if of_environment else {"endpoint_url": url})

    assert type(error) is PermanentError


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_ca_bundle_without_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text(content)

    error = refused(monkeypatch, {"verify": str(bundle)})

    assert (type(error), error.code) == (PermanentError, Code.S3_TLS_FAILED)


@pytest.mark.parametrize(
    ("raised", "kind", "code"),
    [
        (EOFError(), PermanentError, Code.CONNECTION_UNUSABLE),  # a profile that asks for a code on the terminal
        (AttributeError("no such thing"), PermanentError, Code.CONNECTION_UNUSABLE),
        (FileNotFoundError("the token's file"), PermanentError, Code.CONNECTION_UNUSABLE),
        (requests.ConnectionError("the provider is away"), TransientError, Code.S3_CREDENTIALS_AWAY),
        (TimeoutError("the provider is away"), TransientError, Code.S3_CREDENTIALS_AWAY),
    ],
    ids=repr,
)
def test_what_gives_credentials_may_raise_anything(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: type, code: Code
) -> None:
    from airflow.providers.amazon.aws.hooks.base_aws import BaseSessionFactory

    def failing(*_: Any, **__: Any) -> None:
        raise raised

    monkeypatch.setattr(BaseSessionFactory, "create_session", failing)

    error = refused(monkeypatch, {})

    assert (type(error), error.code) == (kind, code)


@pytest.mark.parametrize("transport", ["auto", "boto3"])
def test_a_user_agent_with_a_line_break_is_permanent(monkeypatch: pytest.MonkeyPatch, transport: Any) -> None:
    from job_history.storage.s3.open_bucket import open_bucket
    from job_history_airflow.factories.s3 import bucket_access

    extra = {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1", "config_kwargs": {"user_agent": "a\nb"}}
    connection = {"conn_type": "aws", "login": "AKIA", "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_S3", json.dumps(connection))
    access = bucket_access("s3", "acme-audit", "x", options=settings().write_options, transport=transport)

    with pytest.raises(PermanentError) as raised:
        open_bucket(access).write("a", b"1")

    assert raised.value.code is Code.S3_ENDPOINT_UNUSABLE


@pytest.mark.parametrize(
    "config",
    [
        {"proxies": {"https": "https://127.0.0.1:9"}, "proxies_config": {"proxy_ca_bundle": "/no/such.pem"}},
        {"proxies": {"https": f"http://user:{SECRET}@127.0.0.1:port"}},
    ],
    ids=str,
)
def test_files_and_proxies_that_boto3_cannot_use_are_permanent(
    monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    from job_history.storage.s3.open_bucket import open_bucket
    from job_history_airflow.factories.s3 import bucket_access

    extra = {"endpoint_url": "https://127.0.0.1:9", "region_name": "us-east-1", "config_kwargs": config}
    connection = {"conn_type": "aws", "login": "AKIA", "password": SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_S3", json.dumps(connection))

    with pytest.raises(PermanentError) as raised:
        open_bucket(bucket_access("s3", "acme-audit", "x")).write("a", b"1")

    assert raised.value.code is Code.S3_ENDPOINT_UNUSABLE
    assert SECRET not in str(raised.value)


def test_what_renews_credentials_may_raise_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """RuntimeError of botocore, if renewed credentials have ended already."""
    import boto3
    from botocore.credentials import Credentials

    from job_history.storage.s3.access import S3Connection
    from job_history.storage.s3.open_bucket import open_bucket
    from job_history.storage.s3.resolve import resolve

    session = boto3.Session("AK", SECRET, region_name="us-east-1")
    access = resolve(S3Connection(session, "http://127.0.0.1:9"), "acme-audit", transport="boto3", environment={})
    bucket = open_bucket(access)

    def ended(_: Any) -> None:
        raise RuntimeError("Credentials were refreshed, but the refreshed credentials are still expired.")

    monkeypatch.setattr(Credentials, "get_frozen_credentials", ended)

    with pytest.raises(TransientError) as raised:
        bucket.write("a", b"1")

    assert raised.value.code is Code.S3_CREDENTIALS_AWAY
