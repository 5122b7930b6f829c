"""Local stand-ins of receivers of messages: Splunk's HTTP Event Collector, Datadog's log intake, a plain receiver.

They hold to Splunk's pages "Format events for HTTP Event Collector" and "Troubleshoot HTTP Event Collector" (codes of
answers), and to Datadog's page "Logs" of its API. What a vendor does in silence (cut an event, drop an old time) they
do in silence, too, so that a test finds it in what was stored.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from simulators.stand_in.serving import in_thread, served

TOKEN = "local-receiver-token-0123"
SPLUNK_PATH, DATADOG_PATH, HTTP_PATH = "/services/collector/event", "/api/v2/logs", "/hook"
TRUNCATE = 10_000
SPLUNK_MAX_REQUEST = 1_100_000
DATADOG_MAX_REQUEST, DATADOG_MAX_ENTRIES, DATADOG_MAX_ENTRY = 5_000_000, 1_000, 1_000_000
_OLDEST_SECONDS = 18 * 3600
_SPLUNK_ERROR = {"text": "Internal server error", "code": 8}
_ENVELOPE = {"time", "host", "source", "sourcetype", "index", "event", "fields"}
_TIMES = ("timestamp", "date", "_timestamp", "Timestamp", "eventTime", "published_date")


@dataclass
class Request:
    """One request as it arrived; `body` without compression."""

    headers: dict[str, str]
    body: bytes
    raw: bytes


@dataclass
class Receivers:
    """All three on one port. `stored`: the texts of messages; `faults`: what happens to the next requests.

    A fault is a status, an answer (its status and body), `lost` (stored, and the connection breaks before the answer),
    or None (nothing). `truncate`: of Splunk's sourcetype, in bytes. `acknowledges`: the token of Splunk has indexer
    acknowledgement; `disabled`: it was switched off.
    """

    token: str = TOKEN
    indexes: set[str] = field(default_factory=lambda: {"main"})
    truncate: int = TRUNCATE
    acknowledges: bool = False
    disabled: bool = False
    faults: list[int | tuple[int, str] | str | None] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    address: str = ""

    async def splunk(self, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911 - a table of answers
        body = await self._body(request)
        fault = self._fault()
        if scripted := _scripted(fault, {503: {"text": "Server is busy", "code": 9}}, _SPLUNK_ERROR):
            return scripted
        if refusal := self._refusal_of_token(request):
            return refusal
        if len(body) > SPLUNK_MAX_REQUEST:
            return web.Response(status=413, text="Content-Length too large")
        try:
            events = list(_objects(body.decode()))
        except ValueError:
            return _answer(400, {"text": "Invalid data format", "code": 6})
        if not events:
            return _answer(400, {"text": "No data", "code": 5})
        for number, event in enumerate(events):
            if wrong := self._wrong_with(event):
                # The events before it were taken up.
                return _answer(400, {**wrong, "invalid-event-number": number})
            self.stored.append(_cut(bytes(event["event"]), self.truncate))
        acknowledgement = {"ackId": len(self.requests)} if self.acknowledges else {}
        return self._answered(request, fault, _answer(200, {"text": "Success", "code": 0, **acknowledgement}))

    def _refusal_of_token(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization")
        if given is None:
            return _answer(401, {"text": "Token is required", "code": 2})
        if not given.startswith("Splunk "):
            return _answer(401, {"text": "Invalid authorization", "code": 3})
        if given != f"Splunk {self.token}":
            return _answer(403, {"text": "Invalid token", "code": 4})
        if self.disabled:
            return _answer(403, {"text": "Token disabled", "code": 1})
        if self.acknowledges and "X-Splunk-Request-Channel" not in request.headers:
            return _answer(400, {"text": "Data channel is missing", "code": 10})
        return None

    def _wrong_with(self, event: dict[str, msgspec.Raw]) -> dict[str, Any]:
        if "event" not in event:
            return {"text": "Event field is required", "code": 12}
        if bytes(event["event"]) in {b'""', b"{}", b"null"}:
            return {"text": "Event field cannot be blank", "code": 13}
        if not event.keys() <= _ENVELOPE:
            return {"text": "Invalid data format", "code": 6}
        if msgspec.json.decode(event.get("index", msgspec.Raw(b'"main"'))) not in self.indexes:
            return {"text": "Incorrect index", "code": 7}
        return {}

    async def datadog(self, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911 - a table of answers
        body = await self._body(request)
        fault = self._fault()
        if scripted := _scripted(fault, {}, {"errors": [{"detail": "fault"}]}):
            return scripted
        if request.headers.get("DD-API-KEY") is None:
            return _answer(401, {"errors": [{"detail": "Unauthorized", "status": "401"}]})
        if request.headers["DD-API-KEY"] != self.token:
            return _answer(403, {"errors": [{"detail": "Forbidden", "status": "403"}]})
        if len(body) > DATADOG_MAX_REQUEST:
            return _answer(413, {"errors": [{"detail": "Payload too large", "status": "413"}]})
        try:
            entries = msgspec.json.decode(body, type=list[msgspec.Raw])
            decoded = [msgspec.json.decode(entry, type=dict[str, Any]) for entry in entries]
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _answer(400, {"errors": [{"detail": "Bad Request", "status": "400"}]})
        if len(entries) > DATADOG_MAX_ENTRIES:
            return _answer(413, {"errors": [{"detail": "Too many entries", "status": "413"}]})
        for entry, fields in zip(entries, decoded, strict=True):
            if not _is_too_old(fields):
                self.stored.append(_cut(bytes(entry), DATADOG_MAX_ENTRY))
        return self._answered(request, fault, _answer(202, {}))

    async def plain(self, request: web.Request) -> web.StreamResponse:
        body = await self._body(request)
        fault = self._fault()
        if scripted := _scripted(fault, {}, {"error": "a fault"}):
            return scripted
        if self.token not in request.headers.get("Authorization", ""):
            return web.Response(status=401, text="no token")
        self.stored += body.decode().splitlines()
        return self._answered(request, fault, web.Response(status=204))

    async def _body(self, request: web.Request) -> bytes:
        raw = await request.read()
        body = gzip.decompress(raw) if request.headers.get("Content-Encoding") == "gzip" else raw
        self.requests.append(Request(dict(request.headers), body, raw))
        return body

    def _fault(self) -> int | tuple[int, str] | str | None:
        return self.faults.pop(0) if self.faults else None

    def _answered(self, request: web.Request, fault: object, answer: web.Response) -> web.Response:
        if fault == "lost" and request.transport is not None:
            request.transport.abort()
        return answer


def _objects(text: str) -> Iterator[dict[str, msgspec.Raw]]:
    """Yield JSON objects that follow one another, with white space or nothing between; their values as they came."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        found, end = decoder.raw_decode(text, position)
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 - as the decoder does
        yield msgspec.json.decode(text[position:end], type=dict[str, msgspec.Raw])
        position = end
        while position < len(text) and text[position].isspace():
            position += 1


def _is_too_old(entry: dict[str, Any]) -> bool:
    """Whether the entry has a time of its own that is more than 18 hours ago, also in a message that is JSON."""
    message = entry.get("message")
    try:
        inner = json.loads(message) if isinstance(message, str) else None
    except ValueError:
        inner = None
    for fields in (entry, inner if isinstance(inner, dict) else {}):
        for name in _TIMES:
            if isinstance(value := fields.get(name), int) and value / 1000 < time.time() - _OLDEST_SECONDS:
                return True
    return False


def _cut(text: bytes, limit: int) -> str:
    """Cut at a number of bytes, within a character if it is there."""
    return text[:limit].decode(errors="replace")


def _scripted(fault: object, bodies: dict[int, Any], otherwise: Any) -> web.Response | None:
    """Return the answer of a fault; `bodies`: of statuses that have one of their own."""
    if isinstance(fault, tuple):
        return web.Response(status=fault[0], text=fault[1])
    return _answer(fault, bodies.get(fault, otherwise)) if isinstance(fault, int) else None


def _answer(status: int, body: Any) -> web.Response:
    return web.json_response(body, status=status)


def _application(receivers: Receivers) -> web.Application:
    application = web.Application(client_max_size=50_000_000)
    for path in ("/services/collector", SPLUNK_PATH, f"{SPLUNK_PATH}/1.0"):
        application.router.add_post(path, receivers.splunk)
    application.router.add_post(DATADOG_PATH, receivers.datadog)
    application.router.add_post(HTTP_PATH, receivers.plain)
    return application


@contextmanager
def local_receivers() -> Iterator[Receivers]:
    """Serve on a free port of 127.0.0.1 for as long as the block lasts."""
    receivers = Receivers()
    with in_thread(lambda: served(_application(receivers), auto_decompress=False), "receivers") as address:
        receivers.address = address
        yield receivers
