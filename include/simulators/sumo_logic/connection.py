"""The rough side of HTTP: bodies that do not come, answers that do not arrive."""

from __future__ import annotations

import asyncio
import socket
import struct
from enum import Enum, auto
from typing import NamedTuple

from aiohttp import ClientPayloadError, web

# With a linger time of zero a close sends RST, where it would otherwise send FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


class Reading(Enum):
    """How the reading of a body ended."""

    COMPLETE = auto()
    TIMED_OUT = auto()
    SENDER_GONE = auto()


class Body(NamedTuple):
    """The bytes that came in, still compressed, and whether they are all."""

    wire: bytes
    reading: Reading


async def read_body(request: web.Request, deadline: float) -> Body:
    """Read the body until it is whole or the event loop's time is `deadline`."""
    wire = bytearray()
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in request.content.iter_any():
                wire += chunk
    except TimeoutError:
        return Body(bytes(wire), Reading.TIMED_OUT)
    except (ConnectionError, ClientPayloadError, web.RequestPayloadError):
        return Body(bytes(wire), Reading.SENDER_GONE)
    return Body(bytes(wire), Reading.COMPLETE)


def reset(request: web.Request) -> web.Response:
    """Break the connection with RST; the response returned is for the framework and is not sent."""
    if request.transport is not None:
        request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        request.transport.abort()
    return web.Response()


async def cut_answer(request: web.Request) -> web.StreamResponse:
    """Promise an answer of 100 bytes, send one, and close."""
    answer = web.StreamResponse(headers={"Content-Length": "100"})
    await answer.prepare(request)
    await answer.write(b"{")
    if request.transport is not None:
        request.transport.close()
    return answer
