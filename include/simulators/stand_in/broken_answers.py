"""Answers that do not arrive whole: the connection breaks instead of them, or within them."""

import socket
import struct

from aiohttp import web

# With a linger time of zero, a close sends RST instead of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


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
