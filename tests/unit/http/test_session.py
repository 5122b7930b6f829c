"""Credentials, certificate authorities and proxies of both HTTP clients, with real servers between them and the
simulators.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import urllib3
from tests.support.certificates import FILE_NAME, private_ca_server, self_signed_server
from tests.support.relays import dripping, proxy, tls_in_front_of

from job_history.destinations import sumo_logic
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.http import session
from job_history.http.session import CA_VARIABLES, http_session
from job_history.sources import workato
from simulators.processes import free_port
from simulators.sumo_logic import LocalSource, local_source, redirect
from simulators.workato import Fault, LocalWorkato, Workspace, local_workato

TOKEN = "CANARY-token-0123456789=="
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Client(NamedTuple):
    """`send` sends one request with a session to a URL; `received` is the number of requests that the simulator got."""

    url: str
    send: Callable[[requests.Session, str], Any]
    received: Callable[[], int]
    simulator: Any


@contextmanager
def workato_client() -> Iterator[Client]:
    with local_workato(workspaces=[Workspace(user_id=5234, token=TOKEN)]) as api:

        def send(session: requests.Session, url: str) -> Any:
            endpoint = workato.endpoint_of(host=url, password=TOKEN)
            client = workato.WorkatoClient(endpoint, session, workato.Unlimited(), sleep=lambda _: None)
            return client.me()

        yield Client(api.url, send, lambda: len(api.requests()), api)


@contextmanager
def sumo_logic_client() -> Iterator[Client]:
    with local_source(token=TOKEN) as source:

        def send(session: requests.Session, url: str) -> Any:
            endpoint = sumo_logic.endpoint_of(host=None, password=url)
            client = sumo_logic.HttpSource(endpoint, session, sleep=lambda _: None)
            return client.send(gzip.compress(b'{"a":1}\n'))

        yield Client(source.url, send, lambda: len(source.requests()), source)


@pytest.fixture(params=[workato_client, sumo_logic_client], ids=["workato", "sumo_logic"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    with request.param() as running:
        yield running


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CA_VARIABLES, *PROXIES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# Credentials


@pytest.mark.promise("http-trust")
@pytest.mark.parametrize("entry", ["default", "machine 127.0.0.1"])
def test_netrc_is_never_read(client: Client, entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"{entry} login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    with proxy() as seen:
        monkeypatch.setenv("HTTP_PROXY", seen.url)
        client.send(http_session(), client.url)

    (head,) = seen.heads
    assert "Basic" not in head
    assert client.received() == 1


@pytest.mark.promise("http-trust")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(client: Client, status: int) -> None:
    with local_source(token=TOKEN) as elsewhere:
        fault: Any = Fault(status=status, headers={"Location": elsewhere.url})
        if isinstance(client.simulator, LocalSource):
            fault = redirect(elsewhere.url, status=status)
        client.simulator.script([fault])

        with pytest.raises(PermanentError, match=f"answered {status}, a redirect"):
            client.send(http_session(), client.url)

        assert (client.received(), elsewhere.requests()) == (1, [])


# Certificate authorities


@pytest.mark.promise("http-trust")
@pytest.mark.parametrize("named_by", [*CA_VARIABLES[:3], "verify"])
def test_a_private_ca_is_trusted_if_a_setting_names_it(
    client: Client, named_by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = private_ca_server(tmp_path)
    with tls_in_front_of(client.url, context) as url:
        with pytest.raises(PermanentError, match="TLS certificate does not verify"):
            client.send(http_session(), url)
        assert client.received() == 0

        if named_by != "verify":
            monkeypatch.setenv(named_by, str(authority))
        client.send(http_session(verify=str(authority) if named_by == "verify" else None), url)

    assert client.received() == 1


def test_verify_of_the_connection_takes_precedence_over_the_environment(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = private_ca_server(tmp_path)
    self_signed_server(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / FILE_NAME))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    with tls_in_front_of(client.url, context) as url:
        with pytest.raises(PermanentError, match="TLS certificate does not verify"):
            client.send(http_session(), url)
        client.send(http_session(verify=str(authority)), url)

    assert client.received() == 1


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_file_of_authorities_that_cannot_be_used_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PermanentError, match=r"ca\.pem', which `verify` in the connection's extra names"):
        http_session(verify=str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(PermanentError, match=r"ca\.pem', which the environment variable SSL_CERT_FILE names"):
        http_session()


@pytest.mark.parametrize("verify", [False, 0, 1, ["ca.pem"], {}])
def test_verification_cannot_be_switched_off(verify: object) -> None:
    with pytest.raises(PermanentError, match="Certificates are always checked"):
        http_session(verify=verify)


# Proxies


@pytest.mark.promise("http-trust")
def test_requests_go_through_the_proxy_of_the_environment(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = private_ca_server(tmp_path)
    with tls_in_front_of(client.url, context) as url, proxy() as between:
        monkeypatch.setenv("HTTPS_PROXY", between.url)
        session = http_session(verify=str(authority))
        client.send(session, url)

        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        client.send(http_session(verify=str(authority)), url)
        host = url.split("/")[2]

    assert (between.requested, client.received()) == ([f"CONNECT {host}"], 2)
    # The tunnel is TLS from end to end: the proxy reads no secret.
    assert TOKEN not in "".join(between.heads)


def test_a_proxy_that_refuses_or_does_not_listen_is_a_transient_error_without_its_password(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy(refuses=True) as between:
        for url in (between.url, f"http://127.0.0.1:{free_port()}"):
            monkeypatch.setenv("HTTPS_PROXY", url.replace("http://", "http://me:CANARY-password@"))
            with pytest.raises(TransientError, match="the proxy refused, or could not be reached") as raised:
                client.send(http_session(), client.url.replace("http://", "https://"))
            assert "CANARY" not in str(raised.value)
    assert client.received() == 0


@pytest.mark.parametrize("url", ["socks5h://127.0.0.1:1080", "http://"])
def test_a_proxy_that_cannot_be_used_is_named_as_the_cause(
    client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", url)
    with pytest.raises(ReplicationError, match="proxy"):
        client.send(http_session(), client.url)


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.promise("http-whole-request")
@pytest.mark.parametrize(
    "beginning",
    [HEAD + b"X-Slow: ", HEAD + b"Content-Length: 60000\r\n\r\n", HEAD + b"Connection: close\r\n\r\n{}"],
    ids=["head", "body", "body without a length"],
)
@pytest.mark.parametrize("tls", [False, True])
def test_a_server_that_drips_holds_a_request_no_longer_than_its_deadline(
    client: Client, beginning: bytes, *, tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No single read times out. Cut at the deadline, an answer without a length would look whole."""
    monkeypatch.setattr(session, "MAX_SECONDS", 0.2)
    context, authority = private_ca_server(tmp_path)
    with dripping(beginning) as plain, tls_in_front_of(plain, context) as encrypted:
        own = http_session(verify=str(authority))
        url = client.url.replace(client.simulator.url.rsplit("/receiver", 1)[0], encrypted if tls else plain)
        began = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            own.get(url, timeout=(5, 5))
        assert time.monotonic() - began < 30
        with pytest.raises(TransientError, match="did not answer in time"):
            client.send(own, url)


@pytest.mark.promise("http-whole-request")
def test_a_server_that_drips_through_a_proxy_with_tls_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TLS inside the TLS of the proxy has no socket of its own."""
    monkeypatch.setattr(session, "MAX_SECONDS", 0.5)
    context, authority = private_ca_server(tmp_path)
    with (
        dripping(HEAD + b"Content-Length: 300\r\n\r\n") as plain,
        tls_in_front_of(plain, context) as url,
        proxy() as between,
        tls_in_front_of(between.url, context) as proxy_url,
    ):
        monkeypatch.setenv("HTTPS_PROXY", proxy_url)
        began = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            http_session(verify=str(authority)).get(url, timeout=(5, 5))
        assert time.monotonic() - began < 15
        assert between.requested == [f"CONNECT {url.split('/')[2]}"]


@pytest.mark.promise("http-whole-request")
def test_a_deadline_that_ends_while_the_connection_is_opened_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_SECONDS", 0.05)
    connect = urllib3.connection.HTTPConnection.connect

    def connect_slowly(self: Any) -> None:
        time.sleep(0.2)
        connect(self)

    monkeypatch.setattr(urllib3.connection.HTTPConnection, "connect", connect_slowly)
    with dripping(HEAD + b"Content-Length: 60000\r\n\r\n") as url, pytest.raises(requests.ReadTimeout):
        http_session().get(url, timeout=(5, 5))


@pytest.mark.promise("http-whole-request")
def test_no_more_of_an_answer_is_read_than_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_BYTES", 100_000)
    with dripping(HEAD + b"Content-Length: 900000\r\n\r\n" + b"x" * 800_000) as url:
        assert len(http_session().post(url, timeout=(5, 5)).content) < 150_000
        assert len(http_session().get(url, timeout=(5, 5)).content) < 200_000


def test_both_simulators_are_used() -> None:
    """Guards the fixture: a client whose simulator is not the real one would prove nothing."""
    with workato_client() as one, sumo_logic_client() as other:
        assert isinstance(one.simulator, LocalWorkato)
        assert isinstance(other.simulator, LocalSource)
