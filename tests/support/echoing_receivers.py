"""Receivers and a store for canaries: some that take documents, and a server that repeats every secret it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulators.stand_in.serving import in_thread, served


def _with_secrets(request: web.Request, body: bytes) -> str:
    """Return what came with a request: path, query and headers; credentials of Basic authorization also decoded."""
    texts = [request.raw_path, *request.query.values()]
    texts += [f"{name}: {value}" for name, value in request.headers.items()]
    scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":
        texts.append(base64.b64decode(pair).decode())
    return " | ".join([*texts, body[:100].decode(errors="replace")])


@contextmanager
def echoing_server(token: str) -> Iterator[str]:
    """Refuse each request with 403 and all that it brought; `/token` gives this token, as Google's endpoint does."""

    async def give_token(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"access_token": token, "expires_in": 3600, "token_type": "Bearer"})

    async def echo(request: web.Request) -> web.Response:
        text = _with_secrets(request, await request.read())
        if request.method in {"PUT", "GET", "HEAD"}:
            message = text.replace("&", "&amp;").replace("<", "&lt;")
            body = f"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
            return web.Response(status=403, text=body, content_type="application/xml")
        return web.Response(status=403, text=text)

    application = web.Application()
    application.router.add_post("/token", give_token)
    application.router.add_route("*", "/{path:.*}", echo)
    with in_thread(lambda: served(application, auto_decompress=False), "echo") as address:
        yield address


def service_account(token_uri: str, word: str) -> dict[str, str]:
    """Return a key of Google's with a canary in it."""
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": word,
        "private_key": pem.decode(),
        "client_email": "replication@acme.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }


def connections_of(
    secret: Any, address: str, tokens: dict[str, str], suffix: str, key: dict[str, str]
) -> dict[str, Any]:
    """Return a connection of each kind. `secret` plants a canary by name; `tokens`: of Splunk, Datadog and HTTP."""
    header = secret(f"header of the receiver{suffix}")
    extra = {"Authorization": f"Bearer {tokens['http']}", "X-Api-Key": header, "hmac_secret": secret(f"HMAC{suffix}")}
    google = {"keyfile_dict": key, "endpoint_url": address}
    datadog = {"api_key": tokens["datadog"], "intake_url": address}
    return {
        f"canary_splunk{suffix}": {"conn_type": "splunk_hec", "host": address, "password": tokens["splunk_hec"]},
        f"canary_datadog{suffix}": {"conn_type": "datadog", "extra": json.dumps(datadog)},
        f"canary_http{suffix}": {"conn_type": "http", "host": address, "extra": json.dumps(extra)},
        f"canary_google{suffix}": {"conn_type": "google_cloud_platform", "extra": json.dumps(google)},
    }
