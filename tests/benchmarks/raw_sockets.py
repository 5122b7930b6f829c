"""The limit: signed PUTs on keep-alive connections, with nothing around them but a hash, a signature and a socket."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

REGION = "us-east-1"
_SIGNED = "content-type;host;if-none-match;x-amz-content-sha256;x-amz-date"


class Object(NamedTuple):
    """Content and key; the key has only letters, digits, `/`, `-` and `.`, which need no encoding."""

    key: str
    content: bytes


class Signer:
    """AWS Signature Version 4 for create-only PUTs to one bucket on one day."""

    def __init__(self, *, host: str, bucket: str, access_key: str, secret_key: str, now: datetime) -> None:
        self._host = host
        self._bucket = bucket
        self._moment = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        self._scope = f"{self._moment[:8]}/{REGION}/s3/aws4_request"
        self._credential = f"{access_key}/{self._scope}"
        key = f"AWS4{secret_key}".encode()
        for part in self._scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key

    def request(self, put: Object) -> bytes:
        """Return head and body of the PUT."""
        path, digest = f"/{self._bucket}/{put.key}", hashlib.sha256(put.content).hexdigest()
        canonical = (
            f"PUT\n{path}\n\ncontent-type:application/json\nhost:{self._host}\nif-none-match:*\n"
            f"x-amz-content-sha256:{digest}\nx-amz-date:{self._moment}\n\n{_SIGNED}\n{digest}"
        )
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{self._moment}\n{self._scope}\n{hashed}"
        signature = hmac.digest(self._key, to_sign.encode(), "sha256").hex()
        head = (
            f"PUT {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/json\r\nIf-None-Match: *\r\n"
            f"X-Amz-Content-SHA256: {digest}\r\nX-Amz-Date: {self._moment}\r\nAuthorization: AWS4-HMAC-SHA256 "
            f"Credential={self._credential}, SignedHeaders={_SIGNED}, Signature={signature}\r\n"
            f"Content-Length: {len(put.content)}\r\n\r\n"
        )
        return head.encode() + put.content


async def put_all(requests: Iterator[bytes], *, port: int, connections: int) -> None:
    """Send every request, one at a time on each connection. Raises RuntimeError if an answer is not 200."""
    loop = asyncio.get_running_loop()
    running = [
        (await loop.create_connection(lambda: _Connection(requests, loop.create_future()), "127.0.0.1", port))[1].done
        for _ in range(connections)
    ]
    await asyncio.gather(*running)


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self.done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        # The store's answers have no body, and are smaller than a packet.
        if data.startswith(b"HTTP/1.1 200"):
            self._next()
        elif not self.done.done():
            self.done.set_exception(RuntimeError(data.decode(errors="replace")))

    def connection_lost(self, fault: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(fault or RuntimeError("the store closed the connection"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is not None:
            self._transport.write(request)
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()
