"""What arrived, as JSON for programs."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from .source import Source


class Reports:
    """Handlers that read a source's store."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def messages(self, _request: web.Request) -> web.Response:
        """Return every message that is kept, in the order of arrival."""
        return json_answer(self._source.store.messages())

    async def requests(self, _request: web.Request) -> web.Response:
        """Return every request, in the order of arrival."""
        return json_answer(self._source.store.requests())


def json_answer(value: Any) -> web.Response:
    """Return a 200 with a JSON document."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
