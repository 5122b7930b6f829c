"""Control of a running source over HTTP, below `/_control/`; a JSON body each, 400 where it is wrong.

`POST script`: a list of faults or statuses for the next requests, such as `[429, {"breaks": "after_ingest"}]`.
`POST recover`: no more faults. `POST settings`: an object of settings to change. `POST reset`: a fresh source.
"""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from .faults import Fault
from .reports import json_answer
from .source import Source

_SCRIPT = msgspec.json.Decoder(list[Fault | int])
_SETTINGS = msgspec.json.Decoder(dict[str, Any])


class Control:
    """Handlers that change a source."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def script(self, request: web.Request) -> web.Response:
        try:
            self._source.script.extend(_SCRIPT.decode(await request.read()))
        except ValueError as problem:
            return web.Response(status=400, text=str(problem))
        return json_answer({"pending": len(self._source.script)})

    async def settings(self, request: web.Request) -> web.Response:
        try:
            self._source.change(_SETTINGS.decode(await request.read()))
        except ValueError as problem:
            return web.Response(status=400, text=str(problem))
        return json_answer({})

    async def recover(self, _request: web.Request) -> web.Response:
        self._source.script.clear()
        return json_answer({})

    async def reset(self, _request: web.Request) -> web.Response:
        self._source.reset()
        return json_answer({})
