"""Control of a running stand-in over HTTP, below `/_control/`; a JSON body each, 400 if it is wrong.

`POST script`: a list of faults or statuses for the next requests, such as `[429, {"breaks": "reset"}]`. `POST
settings`: an object of settings to change. `POST reset`: forget what came in and what was scripted.
"""

from typing import Any, Protocol

import msgspec
from aiohttp import web

_SETTINGS = msgspec.json.Decoder(dict[str, Any])


class Controlled(Protocol):
    """What a stand-in offers: its script of faults, its settings, a fresh start. Each raises ValueError."""

    script: Any

    def change(self, values: dict[str, Any]) -> None: ...

    def reset(self) -> None: ...


class Control:
    """Handlers that change a stand-in; `fault` is the struct of its faults."""

    def __init__(self, stand_in: Controlled, fault: type[msgspec.Struct]) -> None:
        self._stand_in = stand_in
        self._script = msgspec.json.Decoder(list[fault | int])  # type: ignore[valid-type]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/_control/script", self._extend_script),
            web.post("/_control/settings", self._change_settings),
            web.post("/_control/reset", self._reset),
        ]

    async def _extend_script(self, request: web.Request) -> web.Response:
        try:
            self._stand_in.script.extend(self._script.decode(await request.read()))
        except ValueError as problem:
            return web.Response(status=400, text=str(problem))
        return json_answer({"pending": len(self._stand_in.script)})

    async def _change_settings(self, request: web.Request) -> web.Response:
        try:
            self._stand_in.change(_SETTINGS.decode(await request.read()))
        except ValueError as problem:
            return web.Response(status=400, text=str(problem))
        return json_answer({})

    async def _reset(self, _request: web.Request) -> web.Response:
        self._stand_in.reset()
        return json_answer({})


def json_answer(value: Any) -> web.Response:
    """Return a 200 with a JSON document."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
