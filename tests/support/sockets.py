"""Minimal servers, for tests of network errors."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress


@contextmanager
def full_port() -> Iterator[int]:
    """Give a port whose queue of connections is full, so that the next connection hangs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        with closing(_connecting(port)), closing(_connecting(port)):
            yield port


def _connecting(port: int) -> socket.socket:
    waiting = socket.socket()
    waiting.setblocking(False)
    waiting.connect_ex(("127.0.0.1", port))
    return waiting


@contextmanager
def silent_server() -> Iterator[int]:
    """Accept connections, and never answer."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@contextmanager
def tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """Accept TLS connections and close them, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def endless_answers(status: int) -> Iterator[int]:
    """Answer each request with a body that never ends, until the client closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_answer_endlessly, args=(listener, status), daemon=True).start()
        yield listener.getsockname()[1]


def _answer_endlessly(listener: socket.socket, status: int) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # the block ended
            return
        with connection, suppress(OSError):
            connection.recv(65_536)
            connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 1000000000000\r\n\r\n".encode())
            while True:
                connection.sendall(b"x" * 65_536)
