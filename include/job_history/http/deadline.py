"""Ends a request that takes too long as a whole: a time-out of a socket is for each read, and a server may drip."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

import requests
from requests.adapters import HTTPAdapter


class EndableAdapter(HTTPAdapter):
    """An adapter for one request at a time, with one connection, that can be ended from another thread."""

    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)
        self._sockets: list[socket.socket] = []

    def get_connection_with_tls_context(self, *given: Any, **named: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*given, **named)
        sockets = self._sockets

        class Noted(pool.ConnectionCls):  # type: ignore[misc]
            is_noted = True

            def connect(self) -> None:
                super().connect()
                # The connection itself forgets it as soon as an answer begins that is its last.
                sockets[:] = [self.sock]

        if not hasattr(pool.ConnectionCls, "is_noted"):
            pool.ConnectionCls = Noted
        return pool

    def end(self) -> None:
        """Break the connection under way: its reader gets an error, or the end of the answer."""
        for each in self._sockets:
            with suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # of TLS, too, without a word to the other side


class Deadline:
    """Around a request: raises ReadTimeout if it was not over in so many seconds."""

    def __init__(self, session: requests.Session, seconds: float) -> None:
        self._adapters = [each for each in session.adapters.values() if isinstance(each, EndableAdapter)]
        self._seconds = seconds
        self._is_over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> None:
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
