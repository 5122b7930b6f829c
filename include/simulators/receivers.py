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

from aiohttp import web

from .serving import in_thread, served

TOKEN = "local-receiver-token-0123"  # noqa: S105 - of a stand-in
SPLUNK_PATH, DATADOG_PATH, HTTP_PATH = "/services/collector/event", "/api/v2/logs", "/hook"
TRUNCATE = 10_000
SPLUNK_MAX_REQUEST = 1_100_000
DATADOG_MAX_REQUEST, DATADOG_MAX_ENTRIES, DATADOG_MAX_ENTRY = 5_000_000, 1_000, 1_000_000
_OLDEST_SECONDS = 18 * 3600
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

    A fault is a status, or `lost` (stored, and the connection breaks before the answer).
    """

    token: str = TOKEN
    indexes: set[str] = field(default_factory=lambda: {"main"})
    faults: list[int | str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    address: str = ""

    async def splunk(self, request: web.Request) -> web.StreamResponse:  # noqa: C901, PLR0911 - a table of answers
        body = await self._body(request)
        if (fault := self._fault()) == 503:
            return _answer(503, {"text": "Server is busy", "code": 9})
        if isinstance(fault, int):
            return _answer(fault, {"text": "Internal server error", "code": 8})
        given = request.headers.get("Authorization")
        if given is None:
            return _answer(401, {"text": "Token is required", "code": 2})
        if not given.startswith("Splunk "):
            return _answer(401, {"text": "Invalid authorization", "code": 3})
        if given != f"Splunk {self.token}":
            return _answer(403, {"text": "Invalid token", "code": 4})
        if len(body) > SPLUNK_MAX_REQUEST:
            return web.Response(status=413, text="Content-Length too large")
        try:
            events = list(_objects(body.decode()))
        except ValueError:
            return _answer(400, {"text": "Invalid data format", "code": 6})
        if not events:
            return _answer(400, {"text": "No data", "code": 5})
        for number, event in enumerate(events):
            if "event" not in event:
                return _answer(400, {"text": "Event field is required", "code": 12, "invalid-event-number": number})
            if event["event"] in ("", {}, None):
                return _answer(400, {"text": "Event field cannot be blank", "code": 13, "invalid-event-number": number})
            if event.get("index", "main") not in self.indexes or not event.keys() <= _ENVELOPE:
                return _answer(400, {"text": "Incorrect index", "code": 7, "invalid-event-number": number})
        raw = [event["event"] for event in events]
        self.stored += [_compact(each)[:TRUNCATE] for each in raw]
        return self._answered(request, fault, _answer(200, {"text": "Success", "code": 0}))

    async def datadog(self, request: web.Request) -> web.StreamResponse:  # noqa: PLR0911 - a table of answers
        body = await self._body(request)
        fault = self._fault()
        if isinstance(fault, int):
            return _answer(fault, {"errors": [{"detail": "fault", "status": str(fault)}]})
        if request.headers.get("DD-API-KEY") is None:
            return _answer(401, {"errors": [{"detail": "Unauthorized", "status": "401"}]})
        if request.headers["DD-API-KEY"] != self.token:
            return _answer(403, {"errors": [{"detail": "Forbidden", "status": "403"}]})
        if len(body) > DATADOG_MAX_REQUEST:
            return _answer(413, {"errors": [{"detail": "Payload too large", "status": "413"}]})
        try:
            entries = json.loads(body)
        except ValueError:
            return _answer(400, {"errors": [{"detail": "Bad Request", "status": "400"}]})
        if not isinstance(entries, list) or len(entries) > DATADOG_MAX_ENTRIES:
            return _answer(413, {"errors": [{"detail": "Too many entries", "status": "413"}]})
        for entry in entries:
            if not _is_too_old(entry):
                self.stored.append(_compact(entry)[:DATADOG_MAX_ENTRY])
        return self._answered(request, fault, _answer(202, {}))

    async def plain(self, request: web.Request) -> web.StreamResponse:
        body = await self._body(request)
        fault = self._fault()
        if isinstance(fault, int):
            return web.Response(status=fault, text="a fault")
        if self.token not in request.headers.get("Authorization", ""):
            return web.Response(status=401, text="no token")
        self.stored += body.decode().splitlines()
        return self._answered(request, fault, web.Response(status=204))

    async def _body(self, request: web.Request) -> bytes:
        raw = await request.read()
        body = gzip.decompress(raw) if request.headers.get("Content-Encoding") == "gzip" else raw
        self.requests.append(Request(dict(request.headers), body, raw))
        return body

    def _fault(self) -> int | str | None:
        return self.faults.pop(0) if self.faults else None

    def _answered(self, request: web.Request, fault: object, answer: web.Response) -> web.Response:
        if fault == "lost" and request.transport is not None:
            request.transport.abort()
        return answer


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield JSON objects that follow one another, with white space or nothing between."""
    decoder, position = json.JSONDecoder(), 0
    while position < len(text):
        found, position = decoder.raw_decode(text, position)
        if not isinstance(found, dict):
            raise ValueError("no object")  # noqa: TRY004 - as the decoder does
        yield found
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


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _answer(status: int, body: Any) -> web.Response:
    return web.json_response(body, status=status)


def _application(receivers: Receivers) -> web.Application:
    application = web.Application(client_max_size=50_000_000)
    application.router.add_post(SPLUNK_PATH, receivers.splunk)
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
