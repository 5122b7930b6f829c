"""Sinks for what the project announces: StatsD over UDP, mail over SMTP, and HTTP. Each keeps what it was sent."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class UdpSink:
    """Keeps each datagram; `lines` are those of StatsD: `airflow.job_history.bytes:5|c|#destination:s3`."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.port = self._socket.getsockname()[1]

    def lines(self) -> list[str]:
        """Return what has arrived since the last call. On one machine, a datagram has arrived when it was sent."""
        self._socket.settimeout(0.2)
        found: list[str] = []
        while True:
            try:
                found += self._socket.recv(1 << 16).decode().splitlines()
            except TimeoutError:
                return found

    def close(self) -> None:
        self._socket.close()


@contextmanager
def udp_sink() -> Iterator[UdpSink]:
    sink = UdpSink()
    try:
        yield sink
    finally:
        sink.close()


class Metric:
    """One line of StatsD with tags, as DogStatsD and Airflow's statsd_influxdb write them."""

    def __init__(self, line: str) -> None:
        head, _, value = line.partition(":")
        name, *tags = head.split(",")
        self.name = name.removeprefix("airflow.")
        self.tags = dict(tag.split("=", 1) for tag in tags)
        self.value = float(re.split(r"\|", value)[0])


def sums(metrics: list[Metric], *tags: str) -> Counter[tuple[str, ...]]:
    """Return the sums of values by name and the values of some tags."""
    total: Counter[tuple[str, ...]] = Counter()
    for metric in metrics:
        total[metric.name, *(metric.tags.get(tag, "") for tag in tags)] += metric.value  # type: ignore[assignment]
    return total


@contextmanager
def smtp_sink() -> Iterator[tuple[int, list[str]]]:
    """Run a mail server without TLS or login; yields its port and the messages that it took."""
    taken: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 sink\r\n")
            while line := self.rfile.readline():
                command = line.strip().upper()
                if command == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    taken.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
                    self.wfile.write(b"250 taken\r\n")
                elif command == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                else:
                    self.wfile.write(b"250 sink\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], taken
        finally:
            server.shutdown()


@contextmanager
def http_sink() -> Iterator[tuple[str, list[Any]]]:
    """Run a web server that takes JSON; yields its URL, and each body with its path."""
    taken: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.append((self.path, json.loads(body)))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", taken
        finally:
            server.shutdown()
