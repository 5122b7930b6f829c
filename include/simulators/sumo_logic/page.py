"""A small page for people: what arrived lately."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web
from jinja2 import Environment

from .source import Source

_SHOWN_MESSAGES = 200
_SHOWN_REQUESTS = 50
_SHOWN_CHARACTERS = 4_000
_HEADERS = {
    # Messages are other people's text: even if one got through the escaping, it could load and run nothing.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


class Page:
    """The page at `/`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        environment.filters["time"] = _time
        self._template = environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))

    async def show(self, _request: web.Request) -> web.Response:
        store = self._source.store
        text = self._template.render(
            settings=self._source.settings,
            totals=store.totals,
            messages=store.messages()[: -_SHOWN_MESSAGES - 1 : -1],
            requests=store.requests()[: -_SHOWN_REQUESTS - 1 : -1],
            shown_characters=_SHOWN_CHARACTERS,
        )
        return web.Response(text=text, content_type="text/html", headers=_HEADERS)


def _time(milliseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    except (OverflowError, ValueError):
        return str(milliseconds)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
