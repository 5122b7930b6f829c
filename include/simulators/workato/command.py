"""The command line: an option for each setting, so that both are described once, in `settings.py`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from .api import Api
from .server import serving
from .settings import ApiSettings, convert_settings
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


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        prog="python -m simulators.workato",
        description="A local Workato API over a SQLite job store. Prints its URL and its tokens once it is ready. Each "
        "account is a workspace with a token of its own, and also a customer of one partner.",
        argument_default=argparse.SUPPRESS,
    )
    options.add_argument("--store", type=Path, required=True, metavar="PATH", help="the SQLite job store")
    options.add_argument("--now", type=datetime.fromisoformat, default=None, metavar="TIME", help="the simulated time")
    options.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    options.add_argument("--until-input-ends", action="store_true", default=False, help="stop with standard input")
    for name, hint in get_type_hints(ApiSettings, include_extras=True).items():
        options.add_argument(_option(name), dest=name, metavar="VALUE", help=_description(hint))
    return options


def arguments(settings: Mapping[str, Any]) -> list[str]:
    """The options that stand for these settings."""
    return [f"{_option(name)}={'null' if value is None else value}" for name, value in settings.items()]


def main(command_line: Sequence[str] | None = None) -> None:
    """Run an API until SIGTERM, Ctrl-C or, if asked, the end of standard input."""
    options = parser()
    values = vars(options.parse_args(command_line))
    store, now, port = values.pop("store"), values.pop("now"), values.pop("port")
    until_input_ends = values.pop("until_input_ends")
    if not store.is_file():
        options.error(f"{store} is no file; write a store with python -m simulators.job_store.")
    workspaces = workspaces_of(store)
    partner = Partner(user_id=PARTNER_USER_ID, name="Partner", customers=workspaces)
    try:
        settings = convert_settings(values)
        api = Api(settings, workspaces=workspaces, partners=[partner], now=now)
    except ValueError as problem:
        options.error(str(problem))
    tokens = {workspace.user_id: workspace.token for workspace in workspaces}
    asyncio.run(_run(api, tokens, partner.token, port=port, until_input_ends=until_input_ends))


async def _run(api: Api, tokens: dict[int, str], partner_token: str, *, port: int, until_input_ends: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_input_ends:
        threading.Thread(target=_stop_with_input, args=(loop, stop), daemon=True).start()
    async with serving(api, port=port) as url:
        started = Started(url=url, tokens=tokens, partner_token=partner_token)
        print(msgspec.json.encode(started).decode(), flush=True)
        await stop.wait()


def _stop_with_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(stop.set)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _description(hint: Any) -> str:
    meta = next(part for part in get_args(hint) if isinstance(part, Meta))
    return (meta.description or "").replace("%", "%%")
