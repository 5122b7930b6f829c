"""Ends a request that takes too long as a whole: a time-out of a socket is for each read, and a server may drip."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

import requests
from requests.adapters import HTTPAdapter


class _NotedConnection:
    """Mixed into a connection of urllib3: its adapter knows the socket that it opened last."""

    adapter: EndableAdapter
    sock: socket.socket

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        # The connection itself forgets it as soon as an answer begins that is its last.
        self.adapter.note(self.sock)


class EndableAdapter(HTTPAdapter):
    """An adapter for one request at a time, with one connection, that can be ended from another thread."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self._socket: socket.socket | None = None
        self._is_ended = False

    def get_connection_with_tls_context(self, *given: Any, **named: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*given, **named)
        if not issubclass(pool.ConnectionCls, _NotedConnection):
            bases = (_NotedConnection, pool.ConnectionCls)
            pool.ConnectionCls = type("NotedConnection", bases, {"adapter": self})
        return pool

    def begin(self) -> None:
        self._is_ended = False

    def note(self, opened: socket.socket) -> None:
        self._socket = opened
        if self._is_ended:  # while it was opened
            self.end()

    def end(self) -> None:
        """Break the connection under way: what waits for it gets an error, or the end of the answer."""
        self._is_ended = True
        if self._socket is not None:
            with suppress(OSError):
                # Of TLS, too, without a word to the other side. TLS inside a proxy's TLS is no socket, but has one.
                opened = getattr(self._socket, "socket", self._socket)
                socket.socket.shutdown(opened, socket.SHUT_RDWR)


class Deadline:
    """Around a request: raises ReadTimeout if it was not over in so many seconds."""

    def __init__(self, session: requests.Session, seconds: float) -> None:
        self._adapters = [each for each in session.adapters.values() if isinstance(each, EndableAdapter)]
        self._seconds = seconds
        self._is_over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
        for adapter in self._adapters:
            adapter.begin()
        self._timer.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # An answer whose length is not known looks whole then.
        if self._is_over and (kind is None or issubclass(kind, Exception)):
            raise requests.ReadTimeout(f"no whole answer in {self._seconds:.0f} seconds") from None

    def _end(self) -> None:
        self._is_over = True
        for adapter in self._adapters:
            adapter.end()
