"""Serving a source: in a thread of this process for tests; `process.py` has the same as a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any

from aiohttp import web

from simulators.stand_in.control import Control
from simulators.stand_in.handle import LocalHandle
from simulators.stand_in.serving import in_thread, served
from simulators.stand_in.settings import convert_settings

from .faults import Fault
from .page import Page
from .records import Message, ReceivedRequest
from .reports import Reports
from .settings import SourceSettings
from .source import Source

RECEIVER = "/receiver/v1/http"
# 30 fields of 455 characters need more than the framework's own limit for a header.
_MAX_HEADER_BYTES = 65_536


def serving(source: Source, *, port: int = 0) -> AbstractAsyncContextManager[str]:
    """Serve a source on 127.0.0.1 and give its address (`http://127.0.0.1:PORT`); port 0 takes a free one."""
    return served(
        _application(source),
        port=port,
        auto_decompress=False,  # what was sent is counted, and what is wrong with it is reported
        keepalive_timeout=source.settings.idle_timeout,
        max_line_size=_MAX_HEADER_BYTES,
        max_field_size=_MAX_HEADER_BYTES,
    )


def _application(source: Source) -> web.Application:
    reports = Reports(source)
    application = web.Application()
    application.add_routes(
        [
            web.post(RECEIVER, source.post),
            web.post(RECEIVER + "/{token}", source.post),
            web.get(RECEIVER, source.ping),
            web.get(RECEIVER + "/{token}", source.ping),
            web.get("/", Page(source).show),
            web.get("/messages", reports.messages),
            web.get("/requests", reports.requests),
            *Control(source, Fault).routes(),
        ]
    )
    return application


class LocalSource(LocalHandle):
    """A source that runs in this process.

    `url` is the whole upload URL, a credential; `receiver_url` the one without token, for the header `x-sumo-token`;
    `address` leads to the page, to `/messages` and `/requests`.
    """

    def __init__(self, source: Source, address: str) -> None:
        super().__init__(source)
        self._source = source
        self.address = address
        self.receiver_url = address + RECEIVER

    @property
    def token(self) -> str:
        return self._source.settings.token

    @property
    def url(self) -> str:
        return f"{self.receiver_url}/{self.token}"

    def messages(self) -> list[Message]:
        """The stored messages, in the order in which they were stored."""
        return self._source.store.messages()

    def requests(self) -> list[ReceivedRequest]:
        """The requests, in the order of arrival; each is there before its answer is sent."""
        return self._source.store.requests()


@contextmanager
def local_source(*, clock: Callable[[], float] = time.time, port: int = 0, **settings: Any) -> Iterator[LocalSource]:
    """Run a source in a thread for as long as the block lasts; `settings` are those of `SourceSettings`.

    Raises ValueError for a wrong setting, OSError for a port that is taken.
    """
    source = Source(convert_settings(SourceSettings, settings), clock=clock)
    with in_thread(lambda: serving(source, port=port), "sumo-logic-source") as address:
        yield LocalSource(source, address)
