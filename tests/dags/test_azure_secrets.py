"""Secrets of `wasb` connections after whole runs, refused by servers that repeat all they were sent: looked for in all
that the runs leave.

The other kinds are in tests/e2e/test_canary.py; Airflow's provider for Azure is no part of that installation.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from tests.support.azure import ACCOUNT, KEY, azurite, install_provider
from tests.support.canary import Canaries, Place, files_below
from tests.support.certificates import private_ca_server
from tests.support.echoing_receivers import echoing_server

from job_history.accounts.account import Account
from job_history.preflight.notes import PreflightNotes
from job_history.storage import local_storage

from .conftest import HOUR, World
from .test_replication_run import FINISHED, of_run, run

pytestmark = [pytest.mark.azure, pytest.mark.timeout(300)]

START = "2018-05-21T00:00:00Z"
TENANT = "11111111-2222-3333-4444-555555555555"
CONTAINER = "acme-audit"


@contextmanager
def identity_service(folder: Path, token: str | None) -> Iterator[tuple[str, Path]]:
    """Serve as Entra ID does to an application: give this token, or refuse and repeat what was sent.

    It is also a store that refuses each PUT in this way. Yields the address, and the certificate authority to trust.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = f"https://{self.headers['Host']}/{TENANT}"
            endpoints = {"authorization_endpoint": f"{address}/authorize", "token_endpoint": f"{address}/token"}
            self.answer(200, {**endpoints, "issuer": f"{address}/v2.0"})

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(403, {"error": f"AuthorizationPermissionMismatch for {self.headers}"})

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if token is not None:
                self.answer(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})
            else:
                said = f"{parse_qs(sent)} {sent} {self.headers}"
                self.answer(401, {"error": "invalid_client", "error_description": f"AADSTS7000215: {said}"})

        def answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    context, authority = private_ca_server(folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}", authority
        server.shutdown()


def left_by(world: World, home: Path, printed: str) -> Iterator[Place]:
    """Return what runs have left: ledger, staging, Airflow's database, logs."""
    yield from files_below("ledger and staging", world.ledger.parent)
    yield from files_below("home", home)
    yield Place("log", "", printed.encode())


@pytest.mark.promise("canaries")
@pytest.mark.parametrize("secret", ["key", "connection string", "SAS", "client secret", "token"])
def test_no_secret_of_an_azure_connection_is_in_what_refused_runs_leave(  # noqa: PLR0917 - fixtures
    world: World,
    airflow_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    secret: str,
) -> None:
    install_provider()
    caplog.set_level(logging.DEBUG)
    canaries = Canaries()
    # Base64 of some bytes, as a key must be.
    planted = f"{canaries.word(f'connection: {secret}')}/+w="
    given = f"{canaries.word('connection: token that was given')}/+x="
    with (
        echoing_server("none") as echo,
        identity_service(tmp_path, given if secret == "token" else None) as (authority, certificates),
    ):
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, str(certificates))
        identity = {"authority": authority, "disable_instance_discovery": True}
        app = {
            "login": "an-app",
            "password": planted,
            "host": authority,
            "extra": {"tenant_id": TENANT, "client_secret_auth_config": identity},
        }
        parts = f"DefaultEndpointsProtocol=http;AccountName=acme;AccountKey={planted};BlobEndpoint={echo}/acme"
        sas = f"sv=2025-01-05&ss=b&srt=co&sp=rwl&sig={planted.replace('+', '%2B').replace('/', '%2F')}"
        connections: dict[str, dict[str, Any]] = {
            "key": {"login": "acme", "password": planted, "host": f"{echo}/acme"},
            "connection string": {"extra": {"connection_string": parts}},
            "SAS": {"login": "acme", "host": f"{echo}/acme", "extra": {"sas_token": sas}},
            "client secret": app,
            "token": app,
        }
        world.connect("azure", {"conn_type": "wasb", **connections[secret]})
        there = {"type": "azure_blob", "conn_id": "azure", "container": CONTAINER}
        entries = [world.account(5234, "Acme", destination=there), world.account(5235, "Globex", destination=there)]
        world.accounts(*entries)
        # One account is refused by its preflight, the other by its load.
        passed = Account.model_validate(entries[1])
        PreflightNotes(local_storage(world.ledger)).note_passed(passed, [], HOUR)

        assert run()[0] == "failed"

    assert {user_id: receipt["state"] for (user_id, _), receipt in world.receipts().items()} == {
        5234: "failed",
        5235: "failed",
    }
    printed = caplog.text + "".join(capfd.readouterr())
    assert ("AADSTS7000215" if secret == "client secret" else "403") in printed
    found = canaries.search(left_by(world, airflow_home, printed))
    assert found == set()


@pytest.mark.promise("canaries")
def test_no_signature_is_in_what_a_run_leaves_that_delivered(
    world: World,
    airflow_home: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    install_provider()
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    caplog.set_level(logging.DEBUG)
    with azurite(tmp_path) as service:
        client = service.service().create_container(CONTAINER)
        rights = ContainerSasPermissions(read=True, create=True, write=True, list=True)
        sas = generate_container_sas(
            ACCOUNT, CONTAINER, account_key=KEY, permission=rights, expiry=datetime.now(UTC) + timedelta(hours=1)
        )
        connection = {"conn_type": "wasb", "login": ACCOUNT, "host": service.url, "extra": {"sas_token": sas}}
        world.connect("azure", connection)
        there = {"type": "azure_blob", "conn_id": "azure", "container": CONTAINER}
        world.accounts(world.account(5235, "Globex", destination=there))
        caplog.clear()
        capfd.readouterr()

        assert run()[0] == "success"

        assert of_run(world.receipts()[5235, START]) == ("complete", FINISHED[5235], 0)
        blobs = [Place("blob", each.name, json.dumps(each.metadata or {}).encode()) for each in client.list_blobs()]
    assert len(blobs) > FINISHED[5235]
    canaries = Canaries()
    canaries.planted["signature"] = unquote(sas.rpartition("sig=")[2])
    printed = caplog.text + "".join(capfd.readouterr())
    assert canaries.search([*left_by(world, airflow_home, printed), *blobs]) == set()
