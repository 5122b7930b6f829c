"""A store that answers every PUT at once, or after a delay: so fast that the client is what is measured.

`python -m tests.benchmarks.sink PORT DELAY_MS` listens until it is ended. It takes the requests that the clients under
test make (PUT, also with `Expect: 100-continue`; HEAD and GET, which find nothing; listings, which are empty), keeps no
bytes, and does not look at signatures. With `REMEMBER` as third word it keeps a hash of each key: HEAD finds it, and a
create-only PUT of it gets 412. What lies below `_control/` it keeps whole. `GET /-/counts` shows what came.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from simulators.processes import ChildProcess, free_port
from simulators.project import ROOT

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
CREATE_ONLY = re.compile(rb"\r\nif-none-match: *\*", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_BUCKET = re.compile(rb"/[^/?]+/?(\?.*)?")
_KEPT = b"/_control/"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_STORED = b'HTTP/1.1 200 OK\r\nETag: "d41d8cd98f00b204e9800998ecf8427e"\r\nContent-Length: 0\r\n\r\n'
_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_FOUND = (
    b'HTTP/1.1 200 OK\r\nETag: "d41d8cd98f00b204e9800998ecf8427e"\r\nContent-Length: 0\r\n'
    b"Last-Modified: Mon, 21 May 2018 00:00:00 GMT\r\n\r\n"
)
_DELETED = b"HTTP/1.1 204 No Content\r\n\r\n"
_NO_KEYS = b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>false</IsTruncated></ListBucketResult>'
_NOTHING_LISTED = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_NO_KEYS),
    _NO_KEYS,
)
_THERE_ALREADY = b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
_NOT_UNDERSTOOD = b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Counts:
    """What arrived: requests by method, create-only PUTs, bytes of bodies, and keys if they are remembered."""

    methods: dict[str, int] = field(default_factory=dict)
    create_only: int = 0
    bytes: int = 0
    keys: set[int] | None = None
    kept: dict[bytes, bytes] = field(default_factory=dict)

    def as_json(self) -> bytes:
        distinct = None if self.keys is None else len(self.keys)
        reported = {**self.methods, "create_only": self.create_only, "bytes": self.bytes, "distinct_keys": distinct}
        return json.dumps(reported).encode()


class Exchange(NamedTuple):
    """An answer; `at_once`: without the delay."""

    answer: bytes
    at_once: bool = False


Answer = Callable[[bytes, bytes], Exchange]
"""Returns the answer to the head and the body of a request."""


class _Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it come one after the other."""

    def __init__(self, answer: Answer, delay: float) -> None:
        self._answer = answer
        self._delay = delay
        self._received = bytearray()
        self._head_bytes = self._whole_bytes = 0
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._received and self._request_is_whole():
            request, self._received = self._received[: self._whole_bytes], self._received[self._whole_bytes :]
            head, body, self._head_bytes = bytes(request[: self._head_bytes]), request[self._head_bytes :], 0
            self._reply(head, body)

    def _request_is_whole(self) -> bool:
        if self._head_bytes == 0:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._head_bytes = end + 4
            head = bytes(self._received[: self._head_bytes])
            length = _LENGTH.search(head)
            self._whole_bytes = self._head_bytes + (int(length[1]) if length else 0)
            if _EXPECT.search(head):
                self._transport.write(_CONTINUE)
        return len(self._received) >= self._whole_bytes

    def _reply(self, head: bytes, body: bytearray) -> None:
        exchange = self._answer(head, body)
        if self._delay and not exchange.at_once:
            self._loop.call_later(self._delay, self._transport.write, exchange.answer)
        else:
            self._transport.write(exchange.answer)


class _Sink:
    """Answers, and keeps counts."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def answer(self, head: bytes, body: bytes) -> Exchange:
        return Exchange(self._answer(head, body))

    def _answer(self, head: bytes, body: bytes) -> bytes:
        method, path, _ = head.split(b" ", 2)
        if path == b"/-/counts":
            reported = self._counts.as_json()
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(reported), reported)
        counts = self._counts
        if _KEPT in path:
            return self._keep(method, path, body)
        counts.methods[method.decode()] = counts.methods.get(method.decode(), 0) + 1
        if method == b"PUT":
            return self._put(path, head, len(body))
        if method == b"HEAD":
            return _FOUND if counts.keys is not None and hash(path) in counts.keys else _NOT_FOUND
        if method == b"GET":
            return _NOTHING_LISTED if _BUCKET.fullmatch(path) else _NOT_FOUND
        return _DELETED if method == b"DELETE" else _NOT_UNDERSTOOD

    def _keep(self, method: bytes, path: bytes, body: bytes) -> bytes:
        """Serve all objects but documents as a store would, uncounted: a preflight writes twice and reads back."""
        kept = self._counts.kept
        if method == b"PUT":
            return _STORED if kept.setdefault(path, body) is body else _THERE_ALREADY
        if path not in kept:
            return _NOT_FOUND
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(kept[path]), bytes(kept[path]))

    def _put(self, path: bytes, head: bytes, body_bytes: int) -> bytes:
        if _CHUNKED.search(head):
            return _NOT_UNDERSTOOD
        counts = self._counts
        create_only = CREATE_ONLY.search(head) is not None
        counts.create_only += create_only
        if counts.keys is not None:
            if create_only and hash(path) in counts.keys:
                return _THERE_ALREADY
            counts.keys.add(hash(path))
        counts.bytes += body_bytes
        return _STORED


@dataclass(frozen=True)
class Sink:
    """A running store."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/-/counts", timeout=10) as answer:  # noqa: S310 - http:// it is
            return json.load(answer)


@contextmanager
def sink(folder: Path, *, delay_ms: int, remember: bool = False) -> Iterator[Sink]:
    """Run a store in a process of its own; its log is in the folder."""
    port = free_port()
    command = [sys.executable, "-m", __name__, str(port), str(delay_ms), *(["REMEMBER"] if remember else [])]
    with ChildProcess(command, log_path=folder / f"sink-{port}.log", ready=port, working_directory=ROOT):
        yield Sink(port)


def serve(port: int, delay: float, answer: Answer) -> None:
    """Listen until the process is ended. `delay` in seconds."""
    try:
        from uvloop import run  # Airflow's web server brings it, on most platforms
    except ImportError:
        from asyncio import run

    async def listen() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(answer, delay), "127.0.0.1", port, backlog=1_024)
        await server.serve_forever()

    run(listen())


if __name__ == "__main__":
    remembered = Counts(keys=set() if "REMEMBER" in sys.argv else None)
    serve(int(sys.argv[1]), int(sys.argv[2]) / 1_000, _Sink(remembered).answer)
