"""Connections of Splunk, Datadog and plain receivers from `AIRFLOW_CONN_*`: what they come to, and what is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from job_history.accounts.message_settings import (
    DatadogDestinationSettings,
    HttpDestinationSettings,
    SplunkHecDestinationSettings,
)
from job_history.destinations.messages.receiver import Address
from job_history.errors import PermanentError
from job_history_airflow.factories.receivers import datadog_address, http_address, splunk_address

SECRET = "CANARY-secret-0123456789"
NAMED_BY = "destination.conn_id of account 5234 Acme"
Connect = Callable[..., None]


@pytest.fixture
def connect(airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Connect:
    def connect(conn_type: str, **fields: Any) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_RECEIVER", json.dumps({"conn_type": conn_type, **fields}))

    return connect


def splunk(**settings: Any) -> Address:
    return splunk_address(SplunkHecDestinationSettings(type="splunk_hec", conn_id="receiver", **settings), NAMED_BY)


def datadog(**settings: Any) -> Address:
    return datadog_address(DatadogDestinationSettings(type="datadog", conn_id="receiver", **settings), NAMED_BY)


def http(**settings: Any) -> Address:
    return http_address(HttpDestinationSettings(type="http", conn_id="receiver", **settings), NAMED_BY)


ADDRESSES: dict[str, Callable[..., Address]] = {"splunk_hec": splunk, "datadog": datadog, "http": http}


def refused(conn_type: str) -> str:
    with pytest.raises(PermanentError) as raised:
        ADDRESSES[conn_type]()
    assert SECRET not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("kind", ADDRESSES)
@pytest.mark.parametrize("conn_type", ["sumo_logic", "aws"])
def test_a_connection_of_another_type_is_a_permanent_error(connect: Connect, kind: str, conn_type: str) -> None:
    connect(conn_type, host="https://x.example.com", password=SECRET)
    message = refused(kind)
    assert NAMED_BY in message
    assert repr(conn_type) in message


@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_extra_that_is_no_object_is_a_permanent_error(connect: Connect, kind: str) -> None:
    connect(kind, host="https://x.example.com", password=SECRET, extra=f'["{SECRET}"]')
    assert NAMED_BY in refused(kind)


@pytest.mark.parametrize("kind", ["splunk_hec", "http"])
def test_two_ports_are_a_permanent_error(connect: Connect, kind: str) -> None:
    connect(kind, host="https://x.example.com:8088", port=9000, password=SECRET)
    assert NAMED_BY in refused(kind)


@pytest.mark.parametrize("kind", ["splunk_hec", "http"])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"host": "http://splunk.example.com"},
        {"host": "splunk.example.com", "schema": "http"},
        {"host": f"https://u:{SECRET}@splunk.example.com"},
        {"host": f"https://splunk.example.com/?token={SECRET}"},
        {"host": "https://splunk example.com"},
    ],
    ids=str,
)
def test_a_host_that_is_no_https_url_is_a_permanent_error(connect: Connect, kind: str, fields: dict[str, Any]) -> None:
    connect(kind, password=SECRET, **fields)
    message = refused(kind)
    assert "host" in message
    assert NAMED_BY in message


class TestSplunk:
    @pytest.mark.parametrize(
        "fields",
        [
            {"host": "https://splunk.example.com:8088"},
            {"host": "splunk.example.com", "port": 8088},
            {"host": "splunk.example.com", "schema": "https", "port": 8088},
            {"host": "https://splunk.example.com:8088/services/collector/event"},
            {"host": "https://splunk.example.com:8088/"},
            {"host": "https://splunk.example.com:8088", "port": 8088},
            {"host": "https://splunk.example.com", "port": 8088},
            {"host": "https://splunk.example.com:8088/services/collector"},
            {"host": "https://splunk.example.com/services/collector", "port": 8088},
            {"host": "https://splunk.example.com:8088/services/collector/event/1.0"},
            {"host": "https://splunk.example.com:8088/services/collector/raw"},
        ],
        ids=str,
    )
    def test_each_way_to_write_the_url_comes_to_the_same(self, connect: Connect, fields: dict[str, Any]) -> None:
        connect("splunk_hec", password=SECRET, **fields)
        address = splunk(index="audit")
        assert address.url == "https://splunk.example.com:8088/services/collector/event"
        assert address.headers == {"Authorization": f"Splunk {SECRET}"}
        assert address.settings == {"index": "audit"}
        assert SECRET not in repr(address)

    @pytest.mark.parametrize("password", [None, "", "two words"])
    def test_a_missing_token_is_a_permanent_error(self, connect: Connect, password: str | None) -> None:
        connect("splunk_hec", host="https://splunk.example.com", password=password)
        assert "password" in refused("splunk_hec")


class TestDatadog:
    @pytest.mark.parametrize(
        ("extra", "url"),
        [
            ({}, "https://http-intake.logs.datadoghq.com/api/v2/logs"),
            ({"api_host": "https://api.datadoghq.eu"}, "https://http-intake.logs.datadoghq.eu/api/v2/logs"),
            ({"api_host": "https://api.us5.datadoghq.com/"}, "https://http-intake.logs.us5.datadoghq.com/api/v2/logs"),
            ({"intake_url": "https://proxy.example.com/dd/"}, "https://proxy.example.com/dd/api/v2/logs"),
            ({"intake_url": "https://proxy.example.com/api/v2/logs"}, "https://proxy.example.com/api/v2/logs"),
        ],
    )
    def test_the_intake_is_that_of_the_site(self, connect: Connect, extra: dict[str, Any], url: str) -> None:
        connect("datadog", extra={"api_key": SECRET, "app_key": "not used", **extra})
        address = datadog()
        assert (address.url, address.headers) == (url, {"DD-API-KEY": SECRET})
        assert SECRET not in repr(address)

    @pytest.mark.parametrize(
        "extra",
        [
            {"api_key": ""},
            {"api_key": None},
            {"api_key": ["a", "b"]},
            {"api_host": "https://app.datadoghq.com"},
            {"api_host": f"https://api.datadoghq.com/{SECRET}"},
            {"api_host": "http://api.datadoghq.com"},
            {"intake_url": "http://proxy.example.com"},
            {"intake_url": f"https://u:{SECRET}@proxy.example.com"},
        ],
        ids=str,
    )
    def test_an_unusable_extra_is_named_with_its_account(self, connect: Connect, extra: dict[str, Any]) -> None:
        connect("datadog", extra={"api_key": SECRET, **extra})
        message = refused("datadog")
        assert next(iter(extra)) in message
        assert NAMED_BY in message


class TestHttp:
    def test_headers_come_from_the_extra_and_options_of_the_hook_do_not(self, connect: Connect) -> None:
        extra = {"X-Tenant": "acme", "timeout": 5, "check_response": False, "headers": {"X-Api-Key": SECRET}}
        connect("http", host="https://hook.example.com/base", extra=extra)
        address = http(path="/in", compression="gzip")
        assert address.url == "https://hook.example.com/base/in"
        assert address.headers == {
            "Content-Type": "application/x-ndjson",
            "X-Tenant": "acme",
            "X-Api-Key": SECRET,
        }
        assert (address.compressed, address.idempotent) == (True, True)
        assert SECRET in address.secrets
        assert SECRET not in repr(address)

    def test_login_and_password_are_basic_authorization(self, connect: Connect) -> None:
        connect("http", host="https://hook.example.com", login="acme", password=SECRET)
        pair = base64.b64encode(f"acme:{SECRET}".encode()).decode()
        address = http(body="json")
        assert address.headers == {"Content-Type": "application/json", "Authorization": f"Basic {pair}"}
        assert {pair, SECRET} <= set(address.secrets)

    def test_the_signing_key_is_no_header(self, connect: Connect) -> None:
        connect("http", host="https://hook.example.com", extra={"hmac_secret": SECRET})
        address = http()
        assert address.signing_key == SECRET
        assert SECRET not in address.headers.values()
        assert SECRET in address.secrets

    @pytest.mark.parametrize("name", ["proxies", "cert", "auth_type", "auth_kwargs"])
    def test_an_option_that_would_be_ignored_is_refused(self, connect: Connect, name: str) -> None:
        connect("http", host="https://hook.example.com", extra={name: {"x": SECRET}})
        message = refused("http")
        assert repr(name) in message
        assert NAMED_BY in message

    @pytest.mark.parametrize("headers", [SECRET, [SECRET], 5])
    def test_headers_that_are_no_object_are_refused(self, connect: Connect, headers: Any) -> None:
        connect("http", host="https://hook.example.com", extra={"headers": headers})
        assert NAMED_BY in refused("http")

    @pytest.mark.parametrize(
        "headers",
        [
            {"X-A": f"{SECRET}\nX-B: 1"},
            {"X A": SECRET},
            {"X-A": f"{SECRET}é€"},
            {"X-A": None},
            {"X-A": True},
            {"X-A": {"x": SECRET}},
            {"Content-Length": "3"},
            {"transfer-encoding": "chunked"},
            {"Content-Encoding": "br"},
            {"Host": "other.example.com"},
            {"idempotency-key": "always the same"},
            {"X-Job-History-Signature": SECRET},
        ],
        ids=str,
    )
    def test_a_header_that_cannot_be_sent_is_refused(self, connect: Connect, headers: Any) -> None:
        connect("http", host="https://hook.example.com", extra={"headers": headers})
        assert NAMED_BY in refused("http")
