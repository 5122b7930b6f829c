"""From a connection to the address of a receiver of messages."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlunsplit

from airflow.sdk.log import mask_secret

from job_history.accounts.message_settings import (
    DatadogDestinationSettings,
    HttpDestinationSettings,
    SplunkHecDestinationSettings,
)
from job_history.destinations.messages.answers import DatadogAnswers, SplunkAnswers
from job_history.destinations.messages.receiver import IDEMPOTENCY_HEADER, SIGNATURE_HEADER, Address
from job_history.errors import PermanentError
from job_history.http.url import checked_url, has_wrong_characters
from job_history_airflow.factories.connections import connection_errors, connection_of_type, secrets_of

if TYPE_CHECKING:
    from airflow.sdk import Connection

_EVENTS = "/services/collector/event"
# How Splunk's pages and other senders write the URL.
_COLLECTOR = re.compile(r"/services/collector(?:/(?:event|raw)(?:/1\.0)?)?$")
_LOGS = "/api/v2/logs"
_DATADOG_INTAKE = "https://http-intake.logs.{site}"
_DATADOG_API = re.compile(r"https://api\.(?P<site>[a-z0-9.-]+)/?")
# Extras of an `http` connection that Airflow's HttpHook takes as options of the request, and not as headers.
_OPTIONS = {
    "timeout", "allow_redirects", "proxies", "verify", "stream", "cert", "max_redirects", "trust_env",
    "check_response", "headers", "hmac_secret", "auth_type", "auth_kwargs",
}  # fmt: skip
_CONTENT_TYPES = {"ndjson": "application/x-ndjson", "json": "application/json"}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"(?:[!-~](?:[ -~\t]*[!-~])?)?")
_OF_THE_REQUEST = {
    "content-length", "transfer-encoding", "content-encoding", "host", "connection", "expect", "te", "trailer",
    "upgrade", IDEMPOTENCY_HEADER.lower(), SIGNATURE_HEADER.lower(),
}  # fmt: skip
_NOT_SUPPORTED = ("proxies", "cert", "auth_type", "auth_kwargs")


def splunk_address(settings: SplunkHecDestinationSettings, named_by: str) -> Address:
    """Return the address of a `splunk_hec` connection: its host is the URL, its password the token."""
    connection = connection_of_type(settings.conn_id, "splunk_hec", named_by)
    with connection_errors(settings.conn_id, named_by):
        url = _COLLECTOR.sub("", _checked(connection, "URL of the HTTP Event Collector"))
        token = _secret(connection.password, "its password is not the token")
        return Address(
            name=f"the Splunk HTTP Event Collector at {url}",
            type=settings.type,
            conn_id=settings.conn_id,
            url=url + _EVENTS,
            headers={"Authorization": f"Splunk {token}"},
            secrets=(token,),
            settings=settings.model_dump(exclude={"type", "conn_id", "max_event_bytes"}, exclude_none=True),
            verify=connection.extra_dejson.get("verify"),
            answers=SplunkAnswers(),
        )


def datadog_address(settings: DatadogDestinationSettings, named_by: str) -> Address:
    """Return the address of a `datadog` connection.

    Its extra has `api_key`, and may have `api_host` (https://api.SITE) as for Airflow's hook, or `intake_url`.
    """
    connection = connection_of_type(settings.conn_id, "datadog", named_by)
    extra: dict[str, Any] = connection.extra_dejson
    with connection_errors(settings.conn_id, named_by):
        key = _secret(extra.get("api_key"), "its extra api_key is not the API key")
        api = _DATADOG_API.fullmatch(str(extra.get("api_host") or "https://api.datadoghq.com"))
        if api is None:
            raise PermanentError("its extra api_host is not https://api.SITE. Correct it.")
        url = str(extra.get("intake_url") or _DATADOG_INTAKE.format(site=api["site"])).rstrip("/")
        url = url.removesuffix(_LOGS)
        checked_url(url, field="extra intake_url", holds="URL", remedy="Correct it, or leave it out.")
        return Address(
            name=f"the Datadog log intake at {url}",
            type=settings.type,
            conn_id=settings.conn_id,
            url=url + _LOGS,
            headers={"DD-API-KEY": key},
            secrets=(key,),
            settings=settings.model_dump(exclude={"type", "conn_id"}, exclude_none=True),
            verify=extra.get("verify"),
            answers=DatadogAnswers(),
        )


def http_address(settings: HttpDestinationSettings, named_by: str) -> Address:
    """Return the address of an `http` connection, as Airflow's HttpHook reads it.

    Its extra has headers; `hmac_secret` in it signs each request.
    """
    connection = connection_of_type(settings.conn_id, "http", named_by)
    with connection_errors(settings.conn_id, named_by):
        url = _checked(connection, "URL of the receiver")
        headers = _headers_of(connection)
        secrets = [*secrets_of(connection), *headers.values()]
        if connection.login or connection.password:
            pair = base64.b64encode(f"{connection.login or ''}:{connection.password or ''}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
            secrets.append(pair)
        for value in headers.values():
            mask_secret(value)
        return Address(
            name=f"the HTTP receiver at {url}",
            type=settings.type,
            conn_id=settings.conn_id,
            url=f"{url}/{settings.path.lstrip('/')}" if settings.path else url,
            headers={"Content-Type": _CONTENT_TYPES[settings.body], **headers},
            secrets=tuple(secret for secret in secrets if secret),
            settings={"body": settings.body},
            compressed=settings.compression == "gzip",
            idempotent=True,
            signing_key=str(connection.extra_dejson.get("hmac_secret") or ""),
            verify=connection.extra_dejson.get("verify"),
        )


def _headers_of(connection: Connection) -> dict[str, str]:
    extra: dict[str, Any] = connection.extra_dejson
    for name in _NOT_SUPPORTED:
        if extra.get(name):
            raise PermanentError(f"its extra {name!r} is not supported here. Take it out.")
    given = extra.get("headers") or {}
    if not isinstance(given, dict):
        raise PermanentError("its extra 'headers' is no JSON object. Correct it.")
    named = {name: value for name, value in {**extra, **given}.items() if name not in _OPTIONS}
    for name, value in named.items():
        if name.lower() in _OF_THE_REQUEST:
            raise PermanentError(f"its extra sets the header {name!r}, which each request sets itself. Take it out.")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise PermanentError("one of the headers in its extra is neither text nor number. Correct it.")
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(str(value))):
            raise PermanentError("one of the headers in its extra has characters that no header can have. Correct it.")
    return {name: str(value) for name, value in named.items()}


def _checked(connection: Connection, holds: str) -> str:
    """Return the URL that a connection's host, schema and port name, as Airflow's hooks put it together."""
    host = (connection.host or "").strip().rstrip("/")
    url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    remedy = "Write it as https://host:port."
    parts = checked_url(url, field="host", holds=holds, remedy=remedy)
    if connection.port in {None, 0, parts.port}:
        return url
    if parts.port is not None:
        raise PermanentError("its host and its port name different ports. Leave one of them out.")
    return urlunsplit(parts._replace(netloc=f"{parts.netloc}:{connection.port}"))


def _secret(value: object, missing: str) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or has_wrong_characters(text):
        raise PermanentError(f"{missing}. Add it (Admin > Connections).")
    mask_secret(text)
    return text
