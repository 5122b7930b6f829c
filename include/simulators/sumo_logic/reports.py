"""What arrived, for programs: `/logs/count` and `/metrics` as the vendor's mock has them, `/messages`, `/requests`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from aiohttp import web

from .settings import Storage
from .source import Source

_END_OF_TIME = 2**64 - 1


class Reports:
    """Handlers that read a source's store."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def logs_count(self, request: web.Request) -> web.Response:
        """`from_ts` (inclusive) and `to_ts` (exclusive) in epoch ms; other parameters are expressions on metadata."""
        if self._source.settings.storage is Storage.COUNTS:
            return web.Response(status=501, text="This source keeps counts only: start it with storage=bodies")
        query = dict(request.query)
        try:
            from_time, to_time = int(query.pop("from_ts", 0)), int(query.pop("to_ts", _END_OF_TIME))
            count = self._source.store.count(from_time, to_time, query)
        except (ValueError, re.error) as problem:
            return web.Response(status=400, text=str(problem))
        return json_answer({"count": count})

    async def metrics(self, _request: web.Request) -> web.Response:
        """Counters in Prometheus' text format."""
        return web.Response(text="".join(f"{line}\n" for line in self._metrics()))

    def _metrics(self) -> Iterator[str]:
        store = self._source.store
        for name, count in (
            ("metrics_count", store.totals.metrics),
            ("logs_count", store.totals.messages),
            ("logs_bytes_count", store.totals.message_bytes),
        ):
            yield f"# TYPE sumologic_mock_{name} counter"
            yield f"sumologic_mock_{name} {count}"
        for name, counts in (
            ("logs_ip_count", store.messages_by_address),
            ("logs_bytes_ip_count", store.bytes_by_address),
        ):
            if counts:
                yield f"# TYPE sumologic_mock_{name} counter"
            for address, count in sorted(counts.items()):
                yield f'sumologic_mock_{name}{{ip_address="{address}"}} {count}'

    async def messages(self, _request: web.Request) -> web.Response:
        """Every message that is kept, in the order of arrival."""
        return json_answer(self._source.store.messages())

    async def requests(self, _request: web.Request) -> web.Response:
        """Every request, in the order of arrival."""
        return json_answer(self._source.store.requests())


def json_answer(value: Any) -> web.Response:
    """A 200 with a JSON document."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
