"""The answers. Bodies of 400, 401, 404 and 500 are documented; the one for 429, and any other, is our own (unknown)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

_MESSAGES = {
    400: "Bad request",
    401: "Unauthorized",
    404: "Not found",
    429: "Too many requests",
}


class ApiError(Exception):
    """A request that ends with an error status."""

    def __init__(self, status: int, note: str) -> None:
        super().__init__(note)
        self.status = status


def document(status: int) -> dict[str, Any]:
    """The body that belongs to an error status."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return {"message": "Server error", "id": str(uuid.uuid4())}
    return {"message": _MESSAGES.get(status, HTTPStatus(status).phrase)}


def answer(status: int, body: bytes, headers: Mapping[str, str]) -> web.Response:
    """An answer as the service sends it: `application/json; charset=utf-8`."""
    return web.Response(
        status=status, body=body, headers={"Content-Type": "application/json; charset=utf-8", **headers}
    )


def encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
