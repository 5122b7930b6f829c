"""Connections of Google Cloud and Azure from `AIRFLOW_CONN_*`: what they come to, what is refused, and no secret."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.azure import KEY, install_provider

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.storage.object_store.access import StoreAccess
from job_history_airflow.factories.azure import azure_access
from job_history_airflow.factories.google import google_access
from simulators.processes import free_port

SECRET = "CANARY-secret-0123456789"
NAMED_BY = "destination.conn_id of account 5234 Acme"
Connect = Callable[..., None]


@pytest.fixture
def connect(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect(conn_type: str, **fields: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_STORE", json.dumps({"conn_type": conn_type, **fields}))

    return connect


def google() -> StoreAccess:
    return google_access("store", "acme-audit", NAMED_BY)


def azure() -> StoreAccess:
    return azure_access("store", "acme-audit", NAMED_BY)


def refused(access: Callable[[], StoreAccess]) -> ReplicationError:
    with pytest.raises(ReplicationError) as raised:
        access()
    assert NAMED_BY in str(raised.value)
    assert SECRET not in str(raised.value)
    assert "BEGIN PRIVATE KEY" not in str(raised.value)
    return raised.value


def service_account_key(token_uri: str) -> dict[str, str]:
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "acme",
        "private_key": pem.decode(),
        "client_email": "replication@acme.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """Answer each POST with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/token"
        server.shutdown()


@pytest.fixture(scope="module")
def keyfile() -> dict[str, str]:
    """A key whose token endpoint refuses connections."""
    return service_account_key(f"http://127.0.0.1:{free_port()}/token")


@pytest.mark.parametrize(
    "extra",
    [
        {"endpoint_url": "http://storage.example.com"},
        {"endpoint_url": f"https://u:{SECRET}@storage.example.com"},
        {"endpoint_url": f"https://storage.example.com/?token={SECRET}"},
        {"endpoint_url": "storage.example.com"},
        {"is_anonymous": "false"},
        {"is_anonymous": 1},
    ],
    ids=str,
)
def test_a_google_endpoint_that_would_show_the_token_is_refused(connect: Connect, extra: dict[str, Any]) -> None:
    connect("google_cloud_platform", extra={"is_anonymous": True, **extra})
    assert refused(google).code is None


@pytest.mark.parametrize("access", [google, azure])
@pytest.mark.parametrize("conn_type", ["aws", "google_cloud_storage", "azure_blob_storage"])
def test_a_connection_of_another_type_is_a_permanent_error(
    connect: Connect, access: Callable[[], StoreAccess], conn_type: str
) -> None:
    connect(conn_type, password=SECRET)
    error = refused(access)
    assert type(error) is PermanentError
    assert repr(conn_type) in str(error)


@pytest.mark.parametrize(
    "missing",
    [
        (google, "google_cloud_platform", "google.auth", "google"),
        (azure, "wasb", "airflow.providers.microsoft.azure.hooks.wasb", "azure"),
    ],
)
def test_a_missing_package_is_a_permanent_error_that_names_the_installation(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, missing: tuple[Callable[[], StoreAccess], str, str, str]
) -> None:
    access, conn_type, module, extra = missing
    monkeypatch.setitem(sys.modules, module, None)
    connect(conn_type, login="acme", password=SECRET)
    error = refused(access)
    assert type(error) is PermanentError
    assert f"pip install 'job-history-replication[{extra}]'" in str(error)


class TestGoogle:
    @pytest.mark.parametrize(
        "name",
        [
            "key_secret_name",
            "key_secret_project_id",
            "impersonation_chain",
            "idp_issuer_url",
            "idp_extra_parameters",
            "extra__google_cloud_platform__impersonation_chain",
        ],
    )
    def test_an_extra_that_chooses_other_credentials_is_refused(self, connect: Connect, name: str) -> None:
        connect("google_cloud_platform", extra={name: "x"})
        error = refused(google)
        assert (type(error), name.rpartition("__")[2] in str(error)) == (PermanentError, True)

    @pytest.mark.parametrize(
        "extra",
        [
            {"keyfile_dict": SECRET},
            {"keyfile_dict": "[]"},
            {"keyfile_dict": {"type": "service_account", "private_key": SECRET}},
            {"keyfile_dict": {"type": "no such type", "private_key": SECRET}},
            {"key_path": "/no/such/key.json"},
            {"credential_config_file": 5},
        ],
        ids=str,
    )
    def test_a_key_that_cannot_be_read_is_a_permanent_error(self, connect: Connect, extra: dict[str, Any]) -> None:
        connect("google_cloud_platform", extra=extra)
        error = refused(google)
        assert type(error) is PermanentError

    @pytest.mark.parametrize("form", ["object", "text", "file", "old name"])
    def test_a_key_may_be_given_in_each_form(
        self, connect: Connect, keyfile: dict[str, str], tmp_path: Path, form: str
    ) -> None:
        (tmp_path / "key.json").write_text(json.dumps(keyfile))
        extra: dict[str, dict[str, Any]] = {
            "object": {"keyfile_dict": keyfile},
            "text": {"keyfile_dict": json.dumps(keyfile)},
            "file": {"key_path": str(tmp_path / "key.json")},
            "old name": {"extra__google_cloud_platform__keyfile_dict": json.dumps(keyfile)},
        }
        connect("google_cloud_platform", extra=extra[form])
        access = google()
        assert (access.container, access.url) == ("acme-audit", "https://storage.googleapis.com")
        assert access.credentials is not None
        assert access.credentials.__closure__[0].cell_contents.service_account_email == keyfile["client_email"]

    def test_an_identity_service_that_is_away_is_transient(self, connect: Connect, keyfile: dict[str, str]) -> None:
        from job_history.storage.object_store.container import open_container

        connect("google_cloud_platform", extra={"keyfile_dict": keyfile})
        with pytest.raises(TransientError) as raised:
            open_container("google_storage", google(), attempts=1).read("x")
        assert raised.value.code is Code.STORE_CREDENTIALS_AWAY
        assert keyfile["private_key"] not in str(raised.value)

    @pytest.mark.parametrize(("status", "code"), [(503, Code.STORE_CREDENTIALS_AWAY), (400, Code.STORE_NO_CREDENTIALS)])
    def test_an_identity_service_that_is_busy_is_transient_and_one_that_refuses_is_not(
        self, connect: Connect, status: int, code: Code
    ) -> None:
        from job_history.storage.object_store.container import open_container

        with answering(status, b'{"error":"invalid_grant"}') as url:
            connect("google_cloud_platform", extra={"keyfile_dict": service_account_key(url)})
            with pytest.raises(ReplicationError) as raised:
                open_container("google_storage", google(), attempts=1).read("x")
        assert raised.value.code is code

    def test_an_anonymous_connection_and_an_endpoint_of_its_own(self, connect: Connect) -> None:
        connect(
            "google_cloud_platform",
            extra={"is_anonymous": True, "endpoint_url": "https://storage-acme.p.googleapis.com"},
        )
        access = google()
        assert (access.credentials, access.url) == (None, "https://storage-acme.p.googleapis.com")

    @pytest.mark.parametrize("form", [dict, json.dumps])
    def test_the_private_key_is_masked(self, connect: Connect, keyfile: dict[str, str], form: Any) -> None:
        connect("google_cloud_platform", extra={"keyfile_dict": form(keyfile)})
        for text in (keyfile["private_key"], json.dumps(keyfile)):
            masked = google().mask(f"the service quotes {text}")
            assert "***" in masked
            assert keyfile["private_key"][40:80] not in masked


@pytest.mark.azure
class TestAzure:
    """With Airflow's own WasbHook."""

    @pytest.fixture(autouse=True)
    def _provider(self) -> None:
        install_provider()

    @pytest.mark.parametrize(
        ("fields", "url", "credentials"),
        [
            (
                {"login": "acme", "password": "a2V5LTAxMjM0NTY3ODk="},
                "https://acme.blob.core.windows.net",
                {"access_key": "a2V5LTAxMjM0NTY3ODk="},
            ),
            (
                {"login": "acme", "extra": {"sas_token": "?sv=2025&sig=c2ln"}},
                "https://acme.blob.core.windows.net",
                {"sas_token": "sv=2025&sig=c2ln"},
            ),
            (
                {"extra": {"connection_string": f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={KEY}"}},
                "https://acme.blob.core.windows.net",
                {"access_key": KEY},
            ),
            (
                {"login": "devstoreaccount1", "password": KEY, "host": "http://127.0.0.1:10000/devstoreaccount1"},
                "http://127.0.0.1:10000/devstoreaccount1",
                {"access_key": KEY},
            ),
        ],
        ids=["key", "SAS", "connection string", "endpoint"],
    )
    def test_the_credentials_are_those_of_the_hook(
        self, connect: Connect, fields: dict[str, Any], url: str, credentials: dict[str, str]
    ) -> None:
        connect("wasb", **fields)
        access = azure()
        assert access.credentials is not None
        assert access.url == url
        assert access.credentials() == {**credentials, "expires_at": None}
        secret = next(iter(credentials.values()))
        assert secret not in access.mask(f"quoted: {secret}")
        assert secret not in repr(access)

    @pytest.mark.parametrize(
        "fields",
        [
            {"login": "acme", "extra": {"connection_string": f"AccountName acme AccountKey {SECRET}"}},
            {"login": "acme", "extra": {"shared_access_key": [SECRET]}},
            {"login": "acme", "password": SECRET, "extra": {"account_url": 5}},
        ],
        ids=["unusable connection string", "key of the wrong type", "URL of the wrong type"],
    )
    def test_what_the_hook_refuses_is_a_permanent_error(self, connect: Connect, fields: dict[str, Any]) -> None:
        connect("wasb", **fields)
        assert type(refused(azure)) is PermanentError

    @pytest.mark.parametrize(
        "fields",
        [
            {"login": "acme", "host": "http://acme.example.com", "extra": {"sas_token": f"sv=2025&sig={SECRET}"}},
            {
                "login": "an-app",
                "password": SECRET,
                "host": "http://acme.example.com",
                "extra": {"tenant_id": "11111111-2222-3333-4444-555555555555"},
            },
        ],
        ids=["SAS", "token"],
    )
    def test_a_host_over_which_others_could_read_the_secret_is_refused(
        self, connect: Connect, fields: dict[str, Any]
    ) -> None:
        connect("wasb", **fields)
        assert type(refused(azure)) is PermanentError
