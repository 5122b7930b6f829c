"""What each extra of an `aws` connection comes to: the same for preflight and delivery, on both clients.

Connections come from `AIRFLOW_CONN_*`, as a worker has them; docs/configuration.md has the table.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.certificates import FILE_NAME, self_signed_server
from tests.support.deliveries import deliver, document
from tests.support.scripted_s3 import ScriptedS3, scripted_s3
from tests.unit.samples import account

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code

from .conftest import World, run_dag

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history.storage.s3.access import S3Access

BUCKET = "acme-audit"
ENVIRONMENT = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_PROFILE", "AWS_CONFIG_FILE")
Connect = Callable[..., None]


@pytest.fixture(params=["auto", "boto3"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def endpoint() -> Iterator[ScriptedS3]:
    with scripted_s3(BUCKET) as endpoint:
        yield endpoint


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Set the connection `s3`, with a region unless the extra names one."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)

    def connect(*, login: str = "AKIA", **extra: Any) -> None:
        extra = {"region_name": "us-east-1", **extra}
        connection = {"conn_type": "aws", "login": login, "password": "secret", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_S3", json.dumps(connection))

    return connect


def account_of(**settings: Any) -> Account:
    return account(destination={"type": "s3", "conn_id": "s3", "bucket": BUCKET, **settings})


def access_of(**settings: Any) -> S3Access:
    from job_history.accounts.destination_settings import S3DestinationSettings
    from job_history_airflow.factories.s3 import account_access

    destination = account_of(**settings).destination
    assert isinstance(destination, S3DestinationSettings)
    return account_access(destination, "5234 Acme")


def delivered(**settings: Any) -> None:
    from job_history_airflow.factories.destinations import s3_destination

    deliver(s3_destination(account_of(**settings), in_flight=1), [document(1)])


def checked(**settings: Any) -> list[Any]:
    from job_history_airflow.preflight import destination_check

    return destination_check(account_of(**settings))()


def refused(**settings: Any) -> ReplicationError:
    with pytest.raises(ReplicationError) as raised:
        access_of(**settings)
    assert raised.value.__suppress_context__
    return raised.value


# Extras, the URL of the bucket that they come to, and the region.
URLS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no extra": ({}, "https://acme-audit.s3.amazonaws.com", "us-east-1"),
    "region": ({"region_name": "eu-west-1"}, "https://acme-audit.s3.eu-west-1.amazonaws.com", "eu-west-1"),
    "China": ({"region_name": "cn-north-1"}, "https://acme-audit.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    "EU sovereign cloud": (
        {"region_name": "eusc-de-east-1"},
        "https://acme-audit.s3.eusc-de-east-1.amazonaws.eu",
        "eusc-de-east-1",
    ),
    "FIPS": (
        {"config_kwargs": {"use_fips_endpoint": True}},
        "https://acme-audit.s3-fips.us-east-1.amazonaws.com",
        "us-east-1",
    ),
    "dualstack": (
        {"config_kwargs": {"use_dualstack_endpoint": True}},
        "https://acme-audit.s3.dualstack.us-east-1.amazonaws.com",
        "us-east-1",
    ),
    "accelerate": (
        {"config_kwargs": {"s3": {"use_accelerate_endpoint": True}}},
        "https://acme-audit.s3-accelerate.amazonaws.com",
        "us-east-1",
    ),
    "path style": (
        {"config_kwargs": {"s3": {"addressing_style": "path"}}},
        "https://s3.amazonaws.com/acme-audit",
        "us-east-1",
    ),
    "endpoint": ({"endpoint_url": "http://minio:9000"}, "http://minio:9000/acme-audit", "us-east-1"),
    "endpoint in capitals": (
        {"endpoint_url": "HTTP://LOCALHOST:9000"},
        "http://localhost:9000/acme-audit",
        "us-east-1",
    ),
    "endpoint, virtual": (
        {"endpoint_url": "http://minio:9000", "config_kwargs": {"s3": {"addressing_style": "virtual"}}},
        "http://acme-audit.minio:9000",
        "us-east-1",
    ),
    "endpoint of the service": (
        {"endpoint_url": "http://other:1", "service_config": {"s3": {"endpoint_url": "http://minio:9000"}}},
        "http://minio:9000/acme-audit",
        "us-east-1",
    ),
}


# The store of each, for receipts: a partition of AWS, or host and port.
STORES = {"China": "aws-cn", "EU sovereign cloud": "aws-eusc", "endpoint in capitals": "localhost:9000"}


@pytest.mark.promise("a-place-is-more-than-a-name")
@pytest.mark.parametrize("name", URLS)
def test_a_connection_leads_to_the_place_that_receipts_name(connect: Connect, name: str) -> None:
    from job_history.destinations.kind import kind_of
    from job_history.model.place import place_of
    from job_history_airflow.factories.destinations import s3_destination

    connect(**URLS[name][0])
    place = kind_of(account_of()).place(account_of())
    assert place is not None
    assert place == place_of(s3_destination(account_of(), in_flight=1).description())
    assert place.store == STORES.get(name, "minio:9000" if "endpoint" in name else "aws")


@pytest.mark.promise("s3-connection")
@pytest.mark.parametrize("name", URLS)
def test_url_and_region_are_as_botocore_resolves_them(connect: Connect, name: str) -> None:
    extra, url, region = URLS[name]
    connect(**extra)

    access = access_of()

    assert (access.url.lower(), access.region, access.boto3_because) == (url, region, None)


@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("AWS_ENDPOINT_URL", "http://store:9000", "http://store:9000/acme-audit"),
        ("AWS_ENDPOINT_URL_S3", "http://store:9000", "http://store:9000/acme-audit"),
        ("AWS_USE_FIPS_ENDPOINT", "true", "https://acme-audit.s3-fips.us-east-1.amazonaws.com"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "true", "https://acme-audit.s3.dualstack.us-east-1.amazonaws.com"),
    ],
)
def test_the_environment_counts_as_it_does_for_botocore(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str
) -> None:
    connect()
    monkeypatch.setenv(variable, value)

    assert access_of().url == url


@pytest.mark.promise("s3-connection")
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "aws_endpoint"])
def test_the_endpoint_of_the_connection_wins_over_the_environment(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, endpoint: ScriptedS3, transport: str, variable: str
) -> None:
    with scripted_s3(BUCKET) as of_environment:
        connect(endpoint_url=endpoint.url)
        monkeypatch.setenv(variable, of_environment.url)
        assert checked(transport=transport) == []
        delivered(transport=transport)

        assert of_environment.requests == []
    assert document(1).key in endpoint.objects


def test_a_profile_gives_endpoint_and_region(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, endpoint: ScriptedS3, transport: str, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(f"[profile audit]\nregion = eu-west-1\nendpoint_url = {endpoint.url}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    connect(profile_name="audit", region_name=None)

    assert checked(transport=transport) == []
    delivered(transport=transport)

    assert document(1).key in endpoint.objects
    assert access_of().region == "eu-west-1"


@pytest.mark.promise("s3-connection")
@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"config_kwargs": {"s3": {"addressing_style": "path"}}},
        {"config_kwargs": {"user_agent_extra": "audit/1"}},
        {"config_kwargs": {"connect_timeout": 3, "read_timeout": 7, "retries": {"max_attempts": 2}}},
        {"region_name": "eu-west-1"},
        {"aws_session_token": "token"},
        {"config_kwargs": {"signature_version": "unsigned"}},
    ],
    ids=str,
)
def test_preflight_and_delivery_send_alike(
    connect: Connect, endpoint: ScriptedS3, transport: str, extra: dict[str, Any]
) -> None:
    """A recorder: host, path, headers of the writes of both."""
    connect(endpoint_url=endpoint.url, **extra)
    settings = {"transport": transport, "acl": "bucket-owner-full-control", "tags": {"team": "audit"}}

    assert checked(**settings) == []
    of_preflight = [seen for seen in endpoint.seen if seen.method == "PUT"]
    endpoint.seen.clear()
    delivered(**settings)
    of_delivery = [seen for seen in endpoint.seen if seen.method == "PUT"]

    assert {seen.like for seen in of_preflight} == {seen.like for seen in of_delivery}
    headers = of_delivery[0].headers
    assert headers["x-amz-acl"] == "bucket-owner-full-control"
    assert headers["x-amz-tagging"] == "team=audit"
    assert "x-amz-checksum-sha256" in headers
    assert "Airflow/" in headers["user-agent"]
    if "user_agent_extra" in extra.get("config_kwargs", {}):
        assert "audit/1" in headers["user-agent"]
    assert headers.get("x-amz-security-token") == extra.get("aws_session_token")
    assert ("authorization" in headers) is ("signature_version" not in extra.get("config_kwargs", {}))


def test_time_outs_attempts_and_pool_are_those_of_the_connection(connect: Connect) -> None:
    config = {"connect_timeout": 3, "read_timeout": 7, "retries": {"max_attempts": 2}, "max_pool_connections": 5}
    connect(config_kwargs=config)

    access = access_of()

    assert (access.connect_timeout, access.read_timeout, access.attempts, access.max_connections) == (3, 7, 3, 5)


@pytest.mark.promise("s3-clients")
@pytest.mark.parametrize(
    ("extra", "environment", "part"),
    [
        ({"config_kwargs": {"proxies": {"https": "http://proxy:3128"}}}, {}, "proxy"),
        ({}, {"HTTPS_PROXY": "http://user:CANARY@proxy:3128"}, "proxy"),
        ({"config_kwargs": {"signature_version": "s3"}}, {}, "signature"),
        ({"config_kwargs": {"client_cert": "/some.pem"}}, {}, "client certificate"),
        ({"aws_session_token": "CANARY", "endpoint_url": "http://minio:9000"}, {}, "session token"),
        ({"aws_session_token": "CANARY"}, {"AWS_ENDPOINT_URL_S3": "https://minio:9000"}, "session token"),
        ({}, {"AWS_SERVER_SIDE_ENCRYPTION": "aws:kms", "AWS_SSE_KMS_KEY_ID": "CANARY"}, "AWS_SERVER_SIDE_ENCRYPTION"),
        ({}, {"AWS_SSE_CUSTOMER_KEY_BASE64": "CANARY"}, "AWS_SSE_CUSTOMER_KEY_BASE64"),
    ],
)
def test_what_obstore_cannot_do_goes_through_boto3_and_the_log_has_the_reason(  # noqa: PLR0917
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    extra: Any,
    environment: Any,
    part: str,
) -> None:
    from job_history.storage.s3.open_bucket import open_bucket

    connect(**extra)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    access = access_of()
    with caplog.at_level("INFO", "job_history"):
        bucket = open_bucket(access)

    assert type(bucket).__name__ == "Boto3Bucket"
    (line,) = [record.getMessage() for record in caplog.records if "boto3" in record.getMessage()]
    assert part in line
    assert "CANARY" not in line


def test_a_directory_bucket_goes_through_boto3(connect: Connect) -> None:
    connect()

    assert "directory bucket" in (access_of(bucket="audit--use1-az4--x-s3").boto3_because or "")


def test_the_arn_of_an_access_point_as_the_connections_bucket(connect: Connect) -> None:
    arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/audit"
    connect(service_config={"s3": {"bucket_name": arn}}, region_name="eu-west-1")

    access = access_of(bucket=None)

    assert access.url == "https://audit-123456789012.s3-accesspoint.eu-west-1.amazonaws.com"
    assert (access.region, access.boto3_because) == ("eu-west-1", None)


@pytest.mark.promise("s3-connection")
def test_encryption_of_the_environment_is_not_used(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, endpoint: ScriptedS3, transport: str
) -> None:
    connect(endpoint_url=endpoint.url)
    for name, value in {
        "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
        "AWS_SSE_KMS_KEY_ID": "key",
        "AWS_CHECKSUM_ALGORITHM": "SHA256",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_CONDITIONAL_PUT": "disabled",
        "AWS_REQUEST_PAYER": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        "AWS_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)

    delivered(transport=transport, checksum="none")

    headers = endpoint.seen[-1].headers
    assert [name for name in headers if "encryption" in name or "checksum" in name or "payer" in name] == []
    assert "/us-east-1/s3/aws4_request" in headers["authorization"]


def test_no_checksum_is_sent_to_a_store_that_refuses_them(
    connect: Connect, endpoint: ScriptedS3, transport: str
) -> None:
    connect(endpoint_url=endpoint.url, config_kwargs={"request_checksum_calculation": "when_supported"})

    delivered(transport=transport, checksum="none")

    assert [name for name in endpoint.seen[-1].headers if "checksum" in name] == []


class TestVerify:
    def test_a_bundle_of_the_connection(self, connect: Connect, transport: str, tmp_path: Path) -> None:
        with scripted_s3(BUCKET, tls=self_signed_server(tmp_path)) as endpoint:
            connect(endpoint_url=endpoint.url)
            assert [found.code for found in checked(transport=transport)] == [Code.S3_TLS_FAILED]
            connect(endpoint_url=endpoint.url, verify=str(tmp_path / FILE_NAME))
            assert checked(transport=transport) == []
            delivered(transport=transport)

    @pytest.mark.parametrize("verify", ["false", "/no/such/bundle.pem"])
    def test_text_that_names_no_file_is_an_error(self, connect: Connect, verify: str) -> None:
        connect(verify=verify)

        assert verify in str(refused())


@pytest.mark.promise("s3-connection")
@pytest.mark.parametrize(
    ("login", "extra", "kind", "code"),
    [
        ("AKIA\n", {}, PermanentError, Code.S3_NO_CREDENTIALS),
        ("AKIA", {"aws_session_token": "token\n"}, PermanentError, Code.S3_NO_CREDENTIALS),
        ("AKIA", {"profile_name": "missing"}, PermanentError, Code.S3_ENDPOINT_UNUSABLE),
        ("AKIA", {"endpoint_url": "s3.example.org"}, PermanentError, Code.S3_ENDPOINT_UNUSABLE),
        ("AKIA", {"region_name": "not a region"}, PermanentError, Code.S3_ENDPOINT_UNUSABLE),
        ("AKIA", {"endpoint_url": "http://user:CANARY@store:9000"}, PermanentError, Code.CONNECTION_UNUSABLE),
        ("AKIA", {"config_kwargs": {"no_such_option": 1}}, PermanentError, Code.CONNECTION_UNUSABLE),
        ("AKIA", {"role_arn": "arn:1", "assume_role_method": "magic"}, PermanentError, Code.CONNECTION_UNUSABLE),
        ("AKIA", {"profile": "dropped by the provider"}, PermanentError, Code.CONNECTION_UNUSABLE),
        (
            "AKIA",
            {"role_arn": "arn:aws:iam::1:role/x", "service_config": {"sts": {"endpoint_url": "http://127.0.0.1:9"}}},
            TransientError,
            None,
        ),
    ],
    ids=["key", "token", "profile", "no URL", "region", "password", "option", "method", "dropped", "STS away"],
)
def test_a_connection_that_cannot_be_used_is_an_error_that_names_it(
    connect: Connect, login: str, extra: dict[str, Any], kind: type, code: Code | None
) -> None:
    if "role_arn" in extra:
        extra = {**extra, "config_kwargs": {"retries": {"max_attempts": 0}}}
    connect(login=login, **extra)

    error = refused()

    assert isinstance(error, kind), error
    assert code is None or error.code is code
    assert "'s3'" in str(error)
    assert "CANARY" not in repr(error)
    assert [found.code for found in checked()] == [error.code]


@pytest.mark.parametrize(
    "path",
    ["s3://c@bucket/team~a", "s3://c@My_Bucket", "s3://c@bucket/a#b", "s3://c@bucket/../x", "gs://bucket/x", "s3://"],
)
def test_a_path_of_the_config_that_names_no_place_is_an_error_that_shows_it(path: str) -> None:
    from job_history_airflow.factories.storage import storage_at

    with pytest.raises(PermanentError) as raised:
        storage_at(path)
    assert path in str(raised.value)


@pytest.mark.promise("plain-settings")
@pytest.mark.parametrize(
    "path",
    [
        "s3://AKIA:se/CANARY+key=@bucket/ledger",
        "s3://AKIA:CANARY+key@bucket",
        "s3://AKIA:CANARY@My_Bucket",
        "s3://CANARY secret@bucket",
        "gs://CANARY:x@bucket",
    ],
)
def test_keys_that_were_written_into_a_path_of_the_config_are_not_repeated(path: str) -> None:
    from job_history_airflow.factories.storage import storage_at

    with pytest.raises(PermanentError) as raised:
        storage_at(path)
    assert "CANARY" not in str(raised.value)
    assert "ucket" in str(raised.value)


def test_a_folder_is_named_character_by_character(tmp_path: Path) -> None:
    from job_history_airflow.factories.storage import storage_at

    for url in (f"{tmp_path}/a#b", f"file://{tmp_path}/c#d?e"):
        storage_at(url).write("x", b"1")
    assert (tmp_path / "a#b" / "x").is_file()
    assert (tmp_path / "c#d?e" / "x").is_file()


def test_the_ledger_in_a_bucket_by_both_clients(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, endpoint: ScriptedS3, transport: str
) -> None:
    from job_history_airflow.factories.storage import storage_at

    connect(endpoint_url=endpoint.url)
    if transport == "boto3":
        monkeypatch.setenv("AWS_SSE_KMS_KEY_ID", "of another program")
    storage = storage_at(f"s3://s3@{BUCKET}/ledger/a")

    assert (storage.create("x/1", b"one"), storage.create("x/1", b"two")) == (True, False)
    storage.write("x/2", b"two")
    with storage.writer("x/3") as file:
        file.write(b"thr")
        file.write(b"ee")
    with storage.reader("x/3") as read:
        assert read.read() == b"three"
    assert (storage.read("x/1"), storage.read("x/none")) == (b"one", None)
    assert sorted(storage.paths("x")) == ["x/1", "x/2", "x/3"]
    storage.delete("x/1")
    storage.delete("x/1")
    assert sorted(endpoint.objects) == ["ledger/a/x/2", "ledger/a/x/3"]


@pytest.mark.parametrize(
    "extra",
    [
        {"profile_name": "missing"},
        {"aws_session_token": "token\n"},
        {"verify": "false"},
        {"config_kwargs": {"unknown": 1}},
    ],
    ids=str,
)
def test_a_run_fails_for_the_account_whose_connection_cannot_be_used_and_for_no_other(
    world: World, connect: Connect, monkeypatch: pytest.MonkeyPatch, extra: dict[str, Any]
) -> None:
    connect(**extra)
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", os.environ["AIRFLOW_CONN_S3"])
    world.connect("s3", json.loads(world.s3.airflow_connection()))
    broken = {"type": "s3", "conn_id": "broken", "bucket": world.bucket}
    world.accounts(world.account(5234, "Acme", destination=broken), world.account(5236, "Initech"))

    state, _ = run_dag("job_history_replication")

    by_user = {user_id: receipt for (user_id, _), receipt in world.receipts().items()}
    assert state == "failed"
    assert by_user[5236]["state"] == "complete"
    assert by_user[5234]["state"] == "failed"
    assert "'broken'" in json.dumps(by_user[5234])
