"""Time limits for drivers that wait in C, where no signal's handler runs: psycopg2, mysqlclient, sqlite3.

They would wait on, for as long as a table is locked or a server does not answer, and with them a convoy of other
accounts. The time limit is that of the process; without one (a command, a page) nothing is done.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any

GRACE_SECONDS = 2.0
"""After this, what the time limit raises has not come through."""


def connected_in_time(connect: Callable[[], Any]) -> Any:
    """Return a connection, made in a thread of its own, which is left alone if the time limit is over before.

    Raises TimeoutError then, or what the time limit raises.
    """
    remaining = _remaining()
    if remaining is None:
        return connect()
    made: Future[Any] = Future()

    def make() -> None:
        try:
            made.set_result(connect())
        except BaseException as error:  # noqa: BLE001 - it is raised where the connection is waited for
            made.set_exception(error)

    threading.Thread(target=make, name="connect", daemon=True).start()
    try:
        return made.result(remaining + GRACE_SECONDS)
    except BaseException as error:
        if made.done() and made.exception() is error:
            raise
        made.add_done_callback(_close_late)
        if isinstance(error, TimeoutError):
            raise TimeoutError("no connection in time") from None
        raise


@contextmanager
def ended_in_time(connection: Any) -> Iterator[None]:
    """End the connection a little after the time limit, if the block still runs then: its call fails."""
    remaining = _remaining()
    if remaining is None:
        yield
        return
    with _means_to_end(connection) as end:
        timer = threading.Timer(remaining + GRACE_SECONDS, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _remaining() -> float | None:
    seconds, _ = signal.getitimer(signal.ITIMER_REAL)
    return seconds if seconds > 0 else None


def _close_late(made: Future[Any]) -> None:
    with suppress(Exception):
        made.result().close()


@contextmanager
def _means_to_end(connection: Any) -> Iterator[Callable[[], None]]:
    """Yield what ends the connection's call from another thread. With some drivers there is none: then it is up to the
    limits of their server.
    """
    if callable(interrupt := getattr(connection, "interrupt", None)):  # sqlite3

        def interrupt_it() -> None:
            with suppress(Exception):  # it was closed meanwhile
                interrupt()

        yield interrupt_it
        return
    try:
        # A descriptor of its own, taken now: mysqlclient gives none while a query runs.
        its = socket.socket(fileno=os.dup(connection.fileno()))
    except Exception:  # noqa: BLE001 - a driver may raise anything
        yield lambda: None
        return

    def shut_down() -> None:
        with suppress(OSError):  # the server has closed it meanwhile
            its.shutdown(socket.SHUT_RDWR)

    with its:
        yield shut_down
