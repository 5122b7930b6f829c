"""What arrived, as JSON for programs."""

from __future__ import annotations

from aiohttp import web

from simulators.stand_in.control import json_answer

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
