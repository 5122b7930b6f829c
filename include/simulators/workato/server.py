"""Serving the API: in a thread of this process for tests; `process.py` has the same as a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import datetime
from typing import Any

from aiohttp import web

from simulators.stand_in.handle import LocalHandle
from simulators.stand_in.serving import in_thread, served
from simulators.stand_in.settings import convert_settings

from .api import Api, OnRequest
from .control import WorkatoControl
from .endpoints import ENDPOINTS
from .records import ReceivedRequest
from .settings import ApiSettings
from .workspace import Partner, Workspace


def serving(api: Api, *, port: int = 0) -> AbstractAsyncContextManager[str]:
    """Serve an API on 127.0.0.1 and give its address (`http://127.0.0.1:PORT`); port 0 takes a free one."""
    return served(_application(api), port=port)


def _application(api: Api) -> web.Application:
    application = web.Application()
    application.add_routes(
        [
            *(web.get(path, api.handler(endpoint)) for path, endpoint in ENDPOINTS.items()),
            web.route("*", "/api/{rest:.*}", api.handler(None)),
            *WorkatoControl(api).routes(),
        ]
    )
    return application


class LocalWorkato(LocalHandle):
    """An API that runs in this process. `url` is its base URL, without `/api`."""

    def __init__(self, api: Api, url: str) -> None:
        super().__init__(api)
        self._api = api
        self.url = url

    @property
    def now(self) -> datetime:
        """The simulated time; set it, and it stands still there. Raises ValueError for a time without offset."""
        return self._api.clock.now()

    @now.setter
    def now(self, now: datetime) -> None:
        self._api.clock.set(now)

    def advance(self, seconds: float) -> None:
        """Move the simulated time on."""
        self._api.clock.advance(seconds)

    def requests(self) -> list[ReceivedRequest]:
        """The requests, in the order of arrival; each is there before its answer is sent."""
        return self._api.log.all()


@contextmanager
def local_workato(
    *,
    workspaces: Sequence[Workspace] = (),
    partners: Sequence[Partner] = (),
    now: datetime | None = None,
    clock: Callable[[], float] = time.time,
    on_request: OnRequest | None = None,
    port: int = 0,
    **settings: Any,
) -> Iterator[LocalWorkato]:
    """Run an API in a thread for as long as the block lasts; `settings` are those of `ApiSettings`.

    `now`: the simulated time to begin with (None: the machine's). `clock`: seconds for the quota and the records.
    `on_request(number, path)` is called before each answer is made, in the API's thread: a place to move the time.
    Raises ValueError for a wrong setting, OSError for a port that is taken.
    """
    api = Api(
        convert_settings(ApiSettings, settings),
        workspaces=workspaces,
        partners=partners,
        now=now,
        clock=clock,
        on_request=on_request,
    )
    with in_thread(lambda: serving(api, port=port), "workato-api") as address:
        yield LocalWorkato(api, address)
