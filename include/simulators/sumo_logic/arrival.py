"""A request from its headers on, and what is remembered of it."""

from __future__ import annotations

import hmac
from typing import Literal

from aiohttp import web
from multidict import CIMultiDict

from .records import Kind, ReceivedRequest

_METRIC_TYPES = frozenset(f"application/vnd.sumologic.{form}" for form in ("carbon2", "graphite", "prometheus"))
_TOKEN_HEADER = "X-Sumo-Token"  # noqa: S105 (the name of a header)


class Arrival:
    """A request to the source; `received_at` is in epoch milliseconds."""

    def __init__(self, request: web.Request, *, number: int, received_at: int, in_flight: int) -> None:
        self.number = number
        self.received_at = received_at
        # Header bytes that are not UTF-8 arrive as lone surrogates, which no JSON document can hold.
        self.headers = CIMultiDict((name, _clean(value)) for name, value in request.headers.items())
        self._method = request.method
        self._in_flight = in_flight
        self._peer = _peer(request)
        self._url_token = request.match_info.get("token")

    @property
    def kind(self) -> Kind:
        """Anything that is not sent under one of the three metric types is logs."""
        if self._method != "POST":
            return Kind.PING
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Kind.METRICS if media_type in _METRIC_TYPES else Kind.LOGS

    @property
    def encoding(self) -> str:
        return self.headers.get("Content-Encoding", "").strip().lower()

    @property
    def token_from(self) -> Literal["url", "header", "nowhere"]:
        if self._url_token is not None:
            return "url"
        return "header" if _TOKEN_HEADER in self.headers else "nowhere"

    def brings(self, token: str) -> bool:
        """Whether the request's token, in its URL or its header, is this one."""
        brought = self.headers.get(_TOKEN_HEADER, "") if self._url_token is None else self._url_token
        return hmac.compare_digest(_clean(brought).encode(), token.encode())

    def record(
        self,
        *,
        status: int | None,
        note: str = "",
        wire_bytes: int = 0,
        plain_bytes: int = 0,
        messages: int = 0,
        stored: int = 0,
    ) -> ReceivedRequest:
        """Write down what came of the request."""
        address, port = self._peer
        return ReceivedRequest(
            number=self.number,
            received_at=self.received_at,
            kind=self.kind,
            method=self._method,
            token_from=self.token_from,
            headers={
                name.lower(): "***" if name.lower() == _TOKEN_HEADER.lower() else value
                for name, value in self.headers.items()
            },
            wire_bytes=wire_bytes,
            bytes=plain_bytes,
            messages=messages,
            stored=stored,
            status=status,
            note=note,
            peer_address=address,
            peer_port=port,
            in_flight=self._in_flight,
        )


def _clean(text: str) -> str:
    return text.encode(errors="replace").decode()


def _peer(request: web.Request) -> tuple[str, int]:
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    return (str(peer[0]), int(peer[1])) if peer else ("", 0)
