"""One HTTP Logs source: stores and answers requests as the vendor's documents describe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from simulators.stand_in.broken_answers import cut_answer, reset
from simulators.stand_in.script import FaultScript
from simulators.stand_in.settings import convert_settings

from . import answers
from .arrival import Arrival
from .body import Body, Reading, read_body
from .compression import BadEncodingError, decompress, decompress_beginning
from .faults import Break, Fault
from .metadata import BadHeaderError, Metadata
from .records import Kind, Message, Slice
from .settings import SourceSettings, Storage
from .slicing import slices, split_lines
from .store import Store
from .timestamps import Stamper

_Handler = Callable[[web.Request, Arrival], Awaitable[web.StreamResponse]]


class Source:
    """A source with its settings, its script of faults and its store; the handlers run in one event loop.

    `clock` gives the time of receipt in seconds since 1970.
    """

    def __init__(self, settings: SourceSettings, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.script = FaultScript(Fault)
        self.store = Store()
        self._clock = clock
        self._stamper = Stamper(settings)
        self._arrived = 0
        self._in_flight = 0

    def change(self, values: dict[str, Any]) -> None:
        """Change settings of the running source; raises ValueError. A new token makes the old one invalid."""
        self.settings = convert_settings(SourceSettings, values, base=self.settings)
        self._stamper = Stamper(self.settings, recent=self._stamper.recent)

    def reset(self) -> None:
        """Become a fresh source with the same settings: nothing stored or scripted, no recent time stamps."""
        self.store.clear()
        self.script.clear()
        self._stamper = Stamper(self.settings)
        self._arrived = 0

    async def ping(self, request: web.Request) -> web.StreamResponse:
        """GET: 200 if the token is right."""
        return await self._counted(request, self._ping)

    async def post(self, request: web.Request) -> web.StreamResponse:
        """POST: take logs or metrics."""
        return await self._counted(request, self._post)

    async def _counted(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        self._arrived += 1
        self._in_flight += 1
        received_at = int(self._clock() * 1000)
        arrival = Arrival(request, number=self._arrived, received_at=received_at, in_flight=self._in_flight)
        try:
            return await handler(request, arrival)
        finally:
            self._in_flight -= 1

    async def _ping(self, _request: web.Request, arrival: Arrival) -> web.StreamResponse:
        if not arrival.brings(self.settings.token):
            return await self._refuse(arrival, 401, "unknown token")
        self.store.add(arrival.record(status=200))
        await asyncio.sleep(self.settings.latency)
        return web.Response()

    async def _post(self, request: web.Request, arrival: Arrival) -> web.StreamResponse:
        now = asyncio.get_running_loop().time
        deadline = now() + self.settings.request_timeout
        if not arrival.brings(self.settings.token):
            # An answer before the body was read would reach some senders and break the connection of others.
            return await self._refuse(arrival, 401, "unknown token", await read_body(request, deadline))
        fault = self.script.next()
        if fault.breaks is Break.BEFORE_INGEST:
            self.store.add(arrival.record(status=None, note=_note(fault)))
            return reset(request)
        body = await read_body(request, deadline)
        try:
            metadata = Metadata.from_headers(arrival.headers, self.settings)
            plain = _plain_text(body, arrival.encoding)
        except (BadHeaderError, BadEncodingError) as problem:
            return await self._refuse(arrival, 400, str(problem), body)
        if body.reading is Reading.COMPLETE:
            delay = self.settings.latency + fault.delay
            if now() + delay > deadline:
                fault, delay = Fault(status=408, ingest=1), max(deadline - now(), 0)
        else:
            fault, delay = Fault(status=408, ingest=float(body.reading is Reading.TIMED_OUT)), 0
        self._ingest(arrival, body, plain, metadata, fault)
        await asyncio.sleep(delay)
        return await _answer(request, fault, body)

    async def _refuse(self, arrival: Arrival, status: int, note: str, body: Body | None = None) -> web.StreamResponse:
        self.store.add(arrival.record(status=status, note=note, wire_bytes=0 if body is None else len(body.wire)))
        await asyncio.sleep(self.settings.latency)
        return answers.error(status, note if status == 400 else None)

    def _ingest(self, arrival: Arrival, body: Body, plain: bytes, metadata: Metadata, fault: Fault) -> None:
        found = split_lines(plain)
        kept = found[: fault.ingested(len(found))]
        messages: list[Message] = []
        if arrival.kind is Kind.LOGS and self.settings.storage is Storage.BODIES:
            for number, message in enumerate(kept):
                messages += self._stored(message, number, metadata, arrival)
        record = arrival.record(
            status=None if fault.breaks or body.reading is Reading.SENDER_GONE else fault.status,
            note=_note(fault, body.reading),
            wire_bytes=len(body.wire),
            plain_bytes=len(plain),
            messages=len(found),
            stored=len(kept),
        )
        stored_bytes = sum(map(len, kept))
        self.store.add(record, size=stored_bytes, messages=messages, max_bytes=self.settings.max_stored_bytes)

    def _stored(self, message: bytes, number: int, metadata: Metadata, arrival: Arrival) -> list[Message]:
        """Return the message, or its slices: the time stamp is that of the whole message."""
        stamp = self._stamper.stamp(message.decode(), now=arrival.received_at)
        parts = slices(message, self.settings.max_message_bytes)
        return [
            Message(
                text=part.decode(),
                size=len(part),
                message_time=stamp.milliseconds,
                receipt_time=arrival.received_at,
                format=stamp.format,
                source_name=metadata.source_name,
                source_host=metadata.source_host,
                source_category=metadata.source_category,
                fields=metadata.fields,
                request=arrival.number,
                slice=Slice(message=number, number=position, of=len(parts)) if len(parts) > 1 else None,
            )
            for position, part in enumerate(parts, start=1)
        ]


def _plain_text(body: Body, encoding: str) -> bytes:
    """Return the decompressed body, checked to be UTF-8; of a truncated one, its whole lines.

    Raises BadEncodingError.
    """
    if body.reading is Reading.COMPLETE:
        plain = decompress(body.wire, encoding)
    else:
        beginning = decompress_beginning(body.wire, encoding)
        plain = beginning[: beginning.rfind(b"\n") + 1]
    try:
        plain.decode()
    except UnicodeDecodeError as problem:
        raise BadEncodingError(f"The body is not UTF-8: {problem.reason} at byte {problem.start}") from problem
    return plain


def _note(fault: Fault, reading: Reading = Reading.COMPLETE) -> str:
    if reading is Reading.SENDER_GONE:
        return "the sender went away before its request was whole"
    if reading is Reading.TIMED_OUT:
        return "the request was not complete in time"
    if fault.breaks is not None:
        return f"connection broken: {fault.breaks.replace('_', ' ')}"
    return "" if fault == Fault() else f"scripted: {fault.status}"


async def _answer(request: web.Request, fault: Fault, body: Body) -> web.StreamResponse:
    if fault.breaks is Break.AFTER_INGEST:
        return reset(request)
    if fault.breaks is Break.IN_ANSWER:
        return await cut_answer(request)
    answer = answers.scripted(fault)
    if body.reading is not Reading.COMPLETE:
        answer.force_close()  # what follows on this connection would be the rest of the request
    return answer
