"""The body of a request, which may come late, in part, or not at all."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import NamedTuple

from aiohttp import ClientPayloadError, web


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
