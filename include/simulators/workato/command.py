"""`python -m simulators.workato`: an API in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from simulators.stand_in.command import serve_until_ended, stand_in_parser
from simulators.stand_in.settings import convert_settings

from .api import Api
from .server import serving
from .settings import ApiSettings
from .store import workspaces_of
from .workspace import Partner

PARTNER_USER_ID = 1


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What the command prints once it is ready, as one line of JSON: base URL, tokens by user_id, the partner's
    token.
    """

    url: str
    tokens: dict[int, str]
    partner_token: str


def main(command_line: Sequence[str] | None = None) -> None:
    """Run an API until SIGTERM, Ctrl-C or, if asked, the end of standard input."""
    options = stand_in_parser(
        ApiSettings,
        prog="python -m simulators.workato",
        description="A local Workato API over a SQLite job store. Prints its URL and its tokens once it is ready. Each "
        "account is a workspace with a token of its own, and also a customer of one partner.",
    )
    options.add_argument("--store", type=Path, required=True, metavar="PATH", help="the SQLite job store")
    options.add_argument("--now", type=datetime.fromisoformat, default=None, metavar="TIME", help="the simulated time")
    values = vars(options.parse_args(command_line))
    store, now, port = values.pop("store"), values.pop("now"), values.pop("port")
    until_input_ends = values.pop("until_input_ends")
    if not store.is_file():
        options.error(f"{store} is no file.")
    workspaces = workspaces_of(store)
    partner = Partner(user_id=PARTNER_USER_ID, name="Partner", customers=workspaces)
    try:
        settings = convert_settings(ApiSettings, values)
        api = Api(settings, workspaces=workspaces, partners=[partner], now=now)
    except ValueError as problem:
        options.error(str(problem))
    tokens = {workspace.user_id: workspace.token for workspace in workspaces}

    def started(address: str) -> str:
        return msgspec.json.encode(Started(url=address, tokens=tokens, partner_token=partner.token)).decode()

    asyncio.run(serve_until_ended(serving(api, port=port), started, until_input_ends=until_input_ends))
