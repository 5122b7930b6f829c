"""Control of a running API: see `stand_in.control`; and its clock, and what came in.

`POST clock`: `{"now": "2018-05-22T00:00:00Z"}`, `{"advance": 60}` or `{}`, answered with the time. `GET requests`.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from aiohttp import web

from simulators.stand_in.control import Control, json_answer

from .api import Api
from .faults import Fault


class ClockChange(msgspec.Struct, forbid_unknown_fields=True):
    """How to change the simulated clock: first set, then advanced by so many seconds."""

    now: datetime | None = None
    advance: float = 0.0


_CLOCK = msgspec.json.Decoder(ClockChange)


class WorkatoControl(Control):
    """Handlers that change an API."""

    def __init__(self, api: Api) -> None:
        super().__init__(api, Fault)
        self._api = api

    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.post("/_control/clock", self._clock),
            web.get("/_control/requests", self._requests),
        ]

    async def _clock(self, request: web.Request) -> web.Response:
        try:
            change = _CLOCK.decode(await request.read())
            if change.now is not None:
                self._api.clock.set(change.now)
        except ValueError as problem:
            return web.Response(status=400, text=str(problem))
        self._api.clock.advance(change.advance)
        return json_answer({"now": self._api.clock.now()})

    async def _requests(self, _request: web.Request) -> web.Response:
        return json_answer(self._api.log.all())
