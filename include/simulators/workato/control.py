"""Control of a running API over HTTP, below `/_control/`; a JSON body each, 400 where it is wrong.

`POST script`: a list of faults or statuses for the next requests, such as `[429, {"breaks": "reset", "path":
"/jobs"}]`. `POST settings`: an object of settings to change. `POST clock`: `{"now": "2018-05-22T00:00:00Z"}`,
`{"advance": 60}` or `{}`, answered with the time. `POST reset`: forget requests, faults and quotas. `GET requests`:
what came in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from .answers import answer, encode
from .api import Api
from .faults import Fault

_SCRIPT = msgspec.json.Decoder(list[Fault | int])
_SETTINGS = msgspec.json.Decoder(dict[str, Any])


class ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    """How to change the simulated clock: first set, then advanced by so many seconds."""

    now: datetime | None = None
    advance: float = 0.0


_CLOCK = msgspec.json.Decoder(ClockChange)


class Control:
    """Handlers that change an API."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def script(self, request: web.Request) -> web.Response:
        try:
            self._api.script.extend(_SCRIPT.decode(await request.read()))
        except ValueError as problem:
            return web.Response(status=400, text=str(problem))
        return _json({"pending": len(self._api.script)})

    async def settings(self, request: web.Request) -> web.Response:
        try:
            self._api.change(_SETTINGS.decode(await request.read()))
        except ValueError as problem:
            return web.Response(status=400, text=str(problem))
        return _json({})

    async def clock(self, request: web.Request) -> web.Response:
        try:
            change = _CLOCK.decode(await request.read())
            if change.now is not None:
                self._api.clock.set(change.now)
        except ValueError as problem:
            return web.Response(status=400, text=str(problem))
        self._api.clock.advance(change.advance)
        return _json({"now": self._api.clock.now()})

    async def reset(self, _request: web.Request) -> web.Response:
        self._api.reset()
        return _json({})

    async def requests(self, _request: web.Request) -> web.Response:
        return _json(self._api.log.all())


def _json(value: Any) -> web.Response:
    return answer(200, encode(value), {})
