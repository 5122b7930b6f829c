"""Servers between a client and a simulator: one that adds TLS, and an HTTP proxy that tunnels (CONNECT) or forwards."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


@contextmanager
def tls_in_front_of(url: str, context: ssl.SSLContext) -> Iterator[str]:
    """Yield the https:// URL of a server that passes everything on to the http:// URL."""
    parts = urlsplit(url)
    port = int(parts.port or 80)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                with context.wrap_socket(self.request, server_side=True) as client:
                    _relay(client, socket.create_connection(("127.0.0.1", port)))
            except OSError:
                pass  # a client that does not trust the certificate

    with _serving(Handler) as own_port:
        yield parts._replace(scheme="https", netloc=f"127.0.0.1:{own_port}").geturl()


class Proxy:
    """`requested` has the method and target of each request, as `CONNECT 127.0.0.1:443`; `heads` their whole heads."""

    def __init__(self) -> None:
        self.url = ""
        self.heads: list[str] = []

    @property
    def requested(self) -> list[str]:
        return [head.partition(" HTTP/")[0] for head in self.heads]


@contextmanager
def proxy(*, refuses: bool = False) -> Iterator[Proxy]:
    """Run an HTTP proxy on this machine; one that `refuses` answers 407."""
    found = Proxy()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            client: socket.socket = self.request
            received = b""
            while b"\r\n\r\n" not in received and (data := client.recv(65_536)):
                received += data
            head = received.partition(b"\r\n\r\n")[0].decode()
            found.heads.append(head)
            if refuses:
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                return
            method, target, _ = head.split(" ", 2)
            parts = urlsplit(target if "://" in target else f"//{target}")
            server = socket.create_connection((parts.hostname or "", parts.port or 80))
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                path = parts._replace(scheme="", netloc="").geturl().encode()
                server.sendall(received.replace(target.encode(), path, 1))
            _relay(client, server)

    with _serving(Handler) as port:
        found.url = f"http://127.0.0.1:{port}"
        yield found


@contextmanager
def dripping(beginning: bytes) -> Iterator[str]:
    """Yield the URL of a server that answers with this, and then with a byte each tenth of a second, without an end."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            with suppress(OSError):
                self.request.sendall(beginning)
                while True:
                    self.request.sendall(b" ")
                    time.sleep(0.1)

    with _serving(Handler) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _relay(one: socket.socket, other: socket.socket) -> None:
    back = threading.Thread(target=_copy, args=(other, one), daemon=True)
    back.start()
    _copy(one, other)
    back.join()
    other.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # the other side closed first
